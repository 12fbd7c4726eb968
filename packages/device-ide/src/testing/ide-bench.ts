/**
 * The IDE function on a bench, for its specs: shorthands for the task file of the primary channel, and the registers of the
 * bus master by name. Drives are the device kit's: a disk and a CD.
 */
import { makeDeviceKit, type DeviceKit } from '@ringfence/testkit';
import { PiixIde } from '../index.js';

export const BMICOM = 0;
export const BMISTA = 2;
export const BMIDTP = 4;

export const makeIde = (kit: DeviceKit) => new PiixIde(kit.pci, kit.windows, kit.dma, kit.clock, kit.irqs, kit.bay);

export function setUp() {
  const kit = makeDeviceKit();
  const chip = makeIde(kit);
  chip.reset();
  const out = (register: number, value: number) => chip.portWrite('primary', register, 1, value);
  const command = (code: number, registers: Partial<Record<1 | 2 | 3 | 4 | 5 | 6, number>> = {}) => {
    out(6, registers[6] ?? 0xe0);
    for (const r of [1, 2, 3, 4, 5] as const) if (registers[r] !== undefined) out(r, registers[r]);
    out(7, code);
  };
  const status = () => chip.portRead('primary', 7, 1);
  const settle = () => kit.clock.advance(10_000_000);
  const words = (count: number) => Array.from({ length: count }, () => chip.portRead('primary', 0, 2));
  const sector = (lba: number) => kit.bay.disk.content.slice(lba * 512, lba * 512 + 512);
  return { kit, chip, out, command, status, settle, words, sector };
}

/** Bytes of a list of 16-bit words. */
export const bytesOf = (words: number[]) => Uint8Array.from(words.flatMap((word) => [word & 0xff, word >>> 8]));
