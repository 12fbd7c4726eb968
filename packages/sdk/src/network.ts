/**
 * The cable of a network card: Ethernet frames from and to whatever stands at its other end. Frames are Ethernet II without
 * preamble and FCS (IEEE 802.3, 3.1.1 "Packet format"), at most 1514 bytes. The other end keeps time by the machine's
 * `Clock`, so that with no host behind it a run stays a function of its inputs.
 * Does not do VLAN tags, jumbo frames or more than one card.
 */
import type { Stateful } from './state.js';

/** Header and 1500 bytes. */
export const MAX_FRAME_BYTES = 1514;

/** What a card sees of its network: a capability. Preconditions of all: called between two instructions, as from a timer. */
export interface NetworkLink {
  /** The card's own address, 6 bytes; never a multicast address. */
  readonly mac: Uint8Array;
  /** Whether there is anything at the other end. */
  readonly connected: boolean;
  /** Takes a frame from the card; what is no frame is dropped. The bytes remain the card's. */
  send(frame: Uint8Array): void;
  /** The next frame for the card, which may keep it, or undefined. A card that has no room leaves it where it is. */
  receive(): Uint8Array | undefined;
  /**
   * Called when there is something to `receive` again, also from within `send` and between two slices of the run: a card
   * arms a timer then. One listener; the last one set wins.
   */
  onReceive(listener: () => void): void;
}

/** A network as a machine keeps it: its state is a component of the machine's. */
export interface Network extends NetworkLink, Stateful {
  /** Whether the host may bring frames at any time: a guest that sleeps without a timer may still be woken. */
  readonly live: boolean;
  /** Has `wake` called when the host has brought something. One; the last one set wins. */
  onWake(wake: () => void): void;
}

/** The cable of a card that is connected to nothing. */
export function looseCable(mac: Uint8Array): NetworkLink {
  return { mac, connected: false, send: () => {}, receive: () => undefined, onReceive: () => {} };
}

/** The address of a card that nobody gave one: locally administered, QEMU's. */
export const DEFAULT_MAC = Uint8Array.of(0x52, 0x54, 0x00, 0x12, 0x34, 0x56);

/** The six bytes of `52:54:00:12:34:56`. Preconditions: the text is of that shape. */
export function parseMac(text: string): Uint8Array {
  return Uint8Array.from(text.split(':'), (byte) => parseInt(byte, 16));
}
