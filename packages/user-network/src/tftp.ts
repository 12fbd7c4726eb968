/**
 * A read-only TFTP server (RFC 1350, options of RFC 2347: blksize RFC 2348, tsize RFC 2349) for the files the web server has.
 * Each transfer has a port of its own (TID); a block is sent again after a second, never for a repeated acknowledgement, so
 * that no block goes out twice for ever. Eight transfers at once; a further one takes the place of the oldest.
 * Does not do writing, netascii's line ends (bytes go as they are), or the window size option.
 */
import { RingfenceError, stateNumbers, type StateRecord, type StateValue } from '@ringfence/sdk';
import { concat, get16, put16 } from './internet.js';
import { MAX_UDP_PAYLOAD } from './ipv4.js';
import type { ServedFiles } from './services.js';

export const TFTP_PORT = 69;
export const FIRST_TID = 50_000;
const TIDS = 10_000;
const MAX_TRANSFERS = 8;
const DEFAULT_BLOCK = 512;
const MAX_BLOCK = MAX_UDP_PAYLOAD - 4;
/** Seconds, and how often. */
const RETRANSMIT = 1;
const MAX_TRIES = 6;

const RRQ = 1;
const WRQ = 2;
const DATA = 3;
const ACK = 4;
const ERROR = 5;
const OACK = 6;
const NOT_FOUND = 1;
const ACCESS_VIOLATION = 2;
const ILLEGAL = 4;
const UNKNOWN_TID = 5;

interface Transfer {
  readonly path: string;
  readonly client: number;
  readonly clientPort: number;
  readonly blockSize: number;
  /** Of the block on its way, counted from 1 without wrapping; 0 is the acknowledgement of options. */
  block: number;
  /** That acknowledgement, or empty. */
  readonly options: Uint8Array;
  resendAt: number;
  tries: number;
}

export interface TftpCarrier {
  now(): number;
  readonly hz: number;
  /** From the gateway's `port` to a client. */
  sendUdp(port: number, client: number, clientPort: number, payload: Uint8Array): void;
}

export class TftpServer {
  /** By TID. */
  private transfers = new Map<number, Transfer>();
  private nextTid = FIRST_TID;

  constructor(
    private readonly carrier: TftpCarrier,
    private readonly files: ServedFiles,
  ) {}

  /** Whether a port of the gateway's is one of a transfer that was. */
  owns(port: number): boolean {
    return port === TFTP_PORT || (port >= FIRST_TID && port < FIRST_TID + TIDS);
  }

  /** A datagram to a port that `owns`. */
  input(port: number, client: number, clientPort: number, payload: Uint8Array): void {
    const fail = (code: number, text: string): void =>
      this.carrier.sendUdp(port, client, clientPort, errorPacket(code, text));
    if (payload.length < 4) return;
    const opcode = get16(payload, 0);
    if (port === TFTP_PORT) {
      if (opcode === RRQ) this.start(client, clientPort, payload);
      else if (opcode === WRQ) fail(ACCESS_VIOLATION, 'read only');
      else if (opcode !== ERROR) fail(ILLEGAL, 'not a request');
      return;
    }
    const transfer = this.transfers.get(port);
    if (transfer === undefined || transfer.client !== client || transfer.clientPort !== clientPort) {
      if (opcode !== ERROR) fail(UNKNOWN_TID, 'no such transfer');
      return;
    }
    if (opcode === ERROR) this.transfers.delete(port);
    else if (opcode === ACK && get16(payload, 2) === (transfer.block & 0xffff)) this.advance(port, transfer);
  }

  private start(client: number, clientPort: number, payload: Uint8Array): void {
    const words = latin1(payload.subarray(2)).split('\0');
    const path = words[0].startsWith('/') ? words[0] : `/${words[0]}`;
    const file = this.files.get(path);
    const mode = (words[1] ?? '').toLowerCase();
    if (file === undefined || (mode !== 'octet' && mode !== 'netascii')) {
      const error = file === undefined ? errorPacket(NOT_FOUND, 'no such file') : errorPacket(ILLEGAL, 'mode');
      this.carrier.sendUdp(TFTP_PORT, client, clientPort, error);
      return;
    }
    // A request that is repeated is the same transfer.
    for (const [tid, transfer] of this.transfers) {
      if (transfer.client === client && transfer.clientPort === clientPort) this.transfers.delete(tid);
    }
    if (this.transfers.size >= MAX_TRANSFERS) this.transfers.delete(this.transfers.keys().next().value!);
    const { blockSize, options } = negotiate(words.slice(2), file.length);
    const block = options.length > 0 ? 0 : 1;
    const transfer = { path, client, clientPort, blockSize, block, options, resendAt: Infinity, tries: 0 };
    this.nextTid = FIRST_TID + ((this.nextTid + 1 - FIRST_TID) % TIDS);
    this.transfers.set(this.nextTid, transfer);
    this.send(this.nextTid, transfer);
  }

  private advance(tid: number, transfer: Transfer): void {
    const size = this.files.get(transfer.path)!.length;
    // The last block is a short one, if need be an empty one.
    if (transfer.block > 0 && transfer.block * transfer.blockSize > size) this.transfers.delete(tid);
    else {
      transfer.block++;
      transfer.tries = 0;
      this.send(tid, transfer);
    }
  }

  private send(tid: number, transfer: Transfer): void {
    const { path, block, blockSize, options, client, clientPort } = transfer;
    transfer.resendAt = this.carrier.now() + RETRANSMIT * this.carrier.hz;
    if (block === 0) return this.carrier.sendUdp(tid, client, clientPort, options);
    const start = (block - 1) * blockSize;
    const data = this.files.get(path)!.subarray(start, start + blockSize);
    const packet = new Uint8Array(4 + data.length);
    put16(packet, 0, DATA);
    put16(packet, 2, block);
    packet.set(data, 4);
    this.carrier.sendUdp(tid, client, clientPort, packet);
  }

  deadline(): number {
    let next = Infinity;
    for (const { resendAt } of this.transfers.values()) if (resendAt < next) next = resendAt;
    return next;
  }

  timeOut(): void {
    const now = this.carrier.now();
    for (const [tid, transfer] of [...this.transfers]) {
      if (transfer.resendAt > now) continue;
      if (++transfer.tries >= MAX_TRIES) this.transfers.delete(tid);
      else this.send(tid, transfer);
    }
  }

  save(): StateRecord['data'] {
    const transfers = [...this.transfers].map(([tid, t]): StateValue => ({ tid, ...t, options: t.options.slice() }));
    return { nextTid: this.nextTid, transfers };
  }

  /** A check first, so that a bad record leaves the server as it was; answers how to take it over. */
  restore(data: StateRecord['data']): () => void {
    const { nextTid, transfers } = data;
    if (typeof nextTid !== 'number' || !Array.isArray(transfers) || transfers.length > MAX_TRANSFERS) throw bad(data);
    const restored = new Map<number, Transfer>();
    for (const fields of transfers as readonly StateRecord['data'][]) {
      const { path, options } = fields;
      if (typeof path !== 'string' || !this.files.has(path) || !(options instanceof Uint8Array)) throw bad(path);
      const keys = ['tid', 'client', 'clientPort', 'blockSize', 'block', 'resendAt', 'tries'] as const;
      const { tid, ...numbers } = stateNumbers(fields, keys);
      const { block, blockSize } = numbers;
      const possible = Number.isInteger(block) && block >= 0 && Number.isInteger(blockSize) && this.owns(tid);
      if (!possible || blockSize < 8 || blockSize > MAX_BLOCK) throw bad(fields);
      restored.set(tid, { path, options, ...numbers });
    }
    return () => {
      this.nextTid = nextTid;
      this.transfers = restored;
    };
  }
}

/** What the client may have of the options it asks for, and the packet that says so: empty when it asks for none we know. */
function negotiate(words: readonly string[], size: number): { blockSize: number; options: Uint8Array } {
  let blockSize = DEFAULT_BLOCK;
  const accepted: string[] = [];
  for (let i = 0; i + 1 < words.length; i += 2) {
    const name = words[i].toLowerCase();
    const value = Number(words[i + 1]);
    if (name === 'tsize') accepted.push('tsize', String(size));
    if (name !== 'blksize' || !(value >= 8 && value <= 65_464) || accepted.includes('blksize')) continue;
    blockSize = Math.min(MAX_BLOCK, Math.floor(value));
    accepted.push('blksize', String(blockSize));
  }
  const text = accepted.slice(0, 4).map((word) => `${word}\0`);
  return { blockSize, options: text.length === 0 ? new Uint8Array() : packet(OACK, text.join('')) };
}

function errorPacket(code: number, text: string): Uint8Array {
  return concat(Uint8Array.of(0, ERROR, 0, code), new TextEncoder().encode(`${text}\0`));
}

function packet(opcode: number, text: string): Uint8Array {
  return concat(Uint8Array.of(0, opcode), new TextEncoder().encode(text));
}

function latin1(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}

function bad(value: unknown): RingfenceError {
  return new RingfenceError('RF_BAD_STATE', {
    message: 'the file transfers of a saved network do not fit',
    value,
    fix: 'load it into a machine with the same configuration',
  });
}
