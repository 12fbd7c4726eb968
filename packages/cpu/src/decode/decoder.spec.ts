/**
 * The decoder of every model against iced-x86: every encoding of both opcode maps with every ModR/M byte and mandatory
 * prefix, and random byte strings, in 16- and 32-bit code. Compared are length and whether the encoding exists: what a
 * model lacks by iced's CPUID features must raise #UD here.
 */
import { Code, CpuidFeature, Decoder as IcedDecoder, DecoderOptions } from 'iced-x86';
import { beforeAll, describe, expect, it } from 'vitest';
import { I386, I486, MODELS, P6, PENTIUM, PENTIUM4 } from '../models.js';
import { opcodeRows } from '../table/index.js';
import { Decoder } from './decoder.js';
import { buildTable } from './form.js';

const F = CpuidFeature;
const OF_386 = [
  ...[F.INTEL8086, F.INTEL8086_ONLY, F.INTEL186, F.INTEL286, F.INTEL386, F.FPU, F.FPU287, F.FPU387],
  F.PAUSE, // a NOP to whom it says nothing
];
const OF_486 = [...OF_386, F.INTEL486, F.CPUID];
const OF_PENTIUM = [...OF_486, F.CX8, F.MSR, F.TSC];
const OF_P6 = [...OF_PENTIUM, F.CMOV, F.RDPMC, F.SEP, F.MULTIBYTENOP, F.MMX, F.FXSR, F.SSE];
const FEATURES = new Map([
  [I386, new Set(OF_386)],
  [I486, new Set(OF_486)],
  [PENTIUM, new Set(OF_PENTIUM)],
  [P6, new Set(OF_P6)],
  [PENTIUM4, new Set([...OF_P6, F.SSE2, F.CLFSH])],
]);

let decoder = new Decoder(buildTable(opcodeRows, P6), undefined);
let offered: ReadonlySet<CpuidFeature> = FEATURES.get(P6)!;

function use(model: typeof P6): void {
  decoder = new Decoder(buildTable(opcodeRows, model), undefined);
  offered = FEATURES.get(model)!;
  compared = 0;
}

interface Verdict {
  readonly length: number;
  readonly exists: boolean;
}

function ours(bytes: Uint8Array, mode: number): Verdict | undefined {
  const op = decoder.decode(bytes, 0, bytes.length, mode);
  return op === undefined ? undefined : { length: op.length, exists: op.row.mnemonic !== '(bad)' };
}

function iced(bytes: Uint8Array, mode: number): (Verdict & { text: string }) | undefined {
  const other = new IcedDecoder(mode === 1 ? 32 : 16, bytes, DecoderOptions.None);
  const instruction = other.decode();
  const features = instruction.cpuidFeatures();
  const exists = instruction.code !== Code.INVALID && [...features].every((feature) => offered.has(feature));
  const verdict = {
    length: instruction.length,
    exists,
    text: `${Code[instruction.code]} ${[...features].map((f) => CpuidFeature[f]).join()}`,
  };
  instruction.free();
  other.free();
  return verdict;
}

/** Differences that are right: what iced rejects or accepts by newer rules than these models'. */
function excused(bytes: Uint8Array, them: { text: string; exists: boolean }): boolean {
  let at = 0;
  while ([0x66, 0x67, 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0xf0, 0xf2, 0xf3].includes(bytes[at])) at++;
  const first = bytes[at];
  const second = bytes[at + 1];
  if (first >= 0xd8 && first <= 0xdf) return true; // no-ops whatever follows
  if (first === 0x0f) {
    if (second >= 0x18 && second <= 0x1f) return true; // hint NOPs: prefetches, CET, MPX since
    if (second === 0x0d || second === 0x0e || second === 0x0f) return true; // AMD's
    if (second === 0x01 || second === 0xae || second === 0xc7) return !them.exists || bytes[at + 2] >= 0xc0;
    if (second >= 0x20 && second <= 0x23) return true; // control register numbers are looked at when executing
    if (second === 0x24 || second === 0x26) return true; // 386 test registers
    if (second === 0xa6 || second === 0xa7 || second === 0x10 || second === 0x11) return true; // VIA, 386 UMOV
    if (second === 0xb8 || second === 0xb9 || second === 0xff || second === 0xbc || second === 0xbd) return true;
    if (second === 0x09) return true; // WBNOINVD with F3
    if (second === 0x05 || second === 0x07 || second === 0x04) return true; // LOADALL, SYSCALL
    if (second === 0x33) return true;
    if (second === 0xd4) return true; // PADDQ mm: of SSE2 (SDM Vol. 1, 5.6.3), which iced counts as MMX
  }
  if (first === 0x8e || first === 0x8c) return true; // segment register numbers are looked at when executing
  if (first === 0x62 || first === 0xc4 || first === 0xc5) return true; // EVEX and VEX since
  if (first === 0x8f) return true; // XOP since
  if (first === 0x82 || first === 0xd6 || first === 0xf1) return true;
  if (first === 0xc6 || first === 0xc7) return true; // XABORT, XBEGIN since
  return false;
}

/** Encodings that both call an instruction, so that the suite is known to compare something. */
let compared = 0;

function compare(bytes: Uint8Array, mode: number): string | undefined {
  const us = ours(bytes, mode);
  const them = iced(bytes, mode)!;
  if (us !== undefined && us.exists === them.exists && (!us.exists || us.length === them.length)) {
    if (us.exists) compared++;
    return undefined;
  }
  if (excused(bytes, them)) return undefined;
  const hex = [...bytes.subarray(0, 12)].map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
  return `${mode === 1 ? 32 : 16}: ${hex}: ours ${us?.exists}/${us?.length}, iced ${them.exists}/${them.length} ${them.text}`;
}

describe.each(MODELS)('the decoder of $name', (model) => {
  beforeAll(() => use(model));

  it('agrees with iced on every opcode and ModR/M byte', () => {
    const differences: string[] = [];
    for (const mode of [0, 1]) {
      for (const prefix of [[], [0x66], [0x67], [0xf2], [0xf3]]) {
        for (const map of [[], [0x0f]]) {
          for (let opcode = 0; opcode < 256; opcode++) {
            if (map.length === 0 && opcode === 0x0f) continue;
            for (let modrm = 0; modrm < 256; modrm++) {
              const bytes = new Uint8Array(16).fill(0x11);
              bytes.set([...prefix, ...map, opcode, modrm, (modrm * 7) & 255]);
              const difference = compare(bytes, mode);
              if (difference !== undefined) differences.push(difference);
            }
          }
        }
      }
    }
    expect(differences.slice(0, 40)).toEqual([]);
    expect(compared).toBeGreaterThan(250_000);
  });

  it('agrees on LOCK', () => {
    const differences: string[] = [];
    for (let opcode = 0; opcode < 512; opcode++) {
      for (const modrm of [
        0x03, 0x0b, 0x13, 0x1b, 0x23, 0x2b, 0x33, 0x3b, 0xc3, 0xcb, 0xd3, 0xdb, 0xe3, 0xeb, 0xf3, 0xfb,
      ]) {
        if (opcode === 0x0f) continue;
        const bytes = new Uint8Array(16).fill(0x11);
        bytes.set([0xf0, ...(opcode < 256 ? [opcode] : [0x0f, opcode - 256]), modrm]);
        const difference = compare(bytes, 1);
        if (difference !== undefined) differences.push(difference);
      }
    }
    expect(differences.slice(0, 40)).toEqual([]);
  });

  it('agrees on random bytes', () => {
    const differences: string[] = [];
    let seed = 12345;
    const random = (): number => {
      seed = (Math.imul(seed, 1664525) + 1013904223) | 0;
      return seed >>> 24;
    };
    for (let round = 0; round < 30000; round++) {
      const bytes = Uint8Array.from({ length: 16 }, random);
      const difference = compare(bytes, round & 1);
      if (difference !== undefined) differences.push(difference);
    }
    expect(differences.slice(0, 40)).toEqual([]);
  });

  it('takes no more bytes than there are', () => {
    const bytes = Uint8Array.from([0x81, 0x84, 0x91, 1, 2, 3, 4, 5, 6, 7, 8]);
    for (let stop = 0; stop < 11; stop++) expect(decoder.decode(bytes, 0, stop, 1)).toBeUndefined();
    expect(decoder.decode(bytes, 0, 11, 1)?.length).toBe(11);
  });
});
