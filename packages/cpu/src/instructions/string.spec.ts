/**
 * String instructions against a plain model that does one element after another on a byte array: every size, direction,
 * address size, overlap and repeat prefix; budgets, faults in the middle, and the counts.
 */
import { EAX, ECX, EDI, EFLAGS, ES, ESI, FLAG_DF, FLAG_ZF, PHYS_BASE } from '@ringfence/sdk';
import { describe, expect, it } from 'vitest';
import { BenchCpu } from '../testing/bench-cpu.js';

const MOVS = 0xa4;
const CMPS = 0xa6;
const STOS = 0xaa;
const LODS = 0xac;
const SCAS = 0xae;
/** Bytes of memory that the trials use. */
const USED = 0x12000;

let seed = 12345;
function random(below: number): number {
  seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff;
  return (seed >> 8) % below;
}

/** One whole repeated instruction on the model; answers what ECX, ESI, EDI, EAX and ZF become. */
function model(c: BenchCpu, code: number, size: number, rep: number, mask: number) {
  const memory = new Uint8Array(c.memory.u8.slice(PHYS_BASE, PHYS_BASE + USED));
  let [ecx, esi, edi, eax] = [c.s[ECX], c.s[ESI], c.s[EDI], c.s[EAX]];
  let equal = (c.s[EFLAGS] & FLAG_ZF) !== 0;
  const step = (c.s[EFLAGS] & FLAG_DF) !== 0 ? -size : size;
  const read = (at: number) => memory.subarray(at, at + size).reduce((sum, byte, i) => sum + byte * 2 ** (8 * i), 0);
  const write = (at: number, value: number) => {
    for (let i = 0; i < size; i++) memory[at + i] = Math.floor((value >>> 0) / 2 ** (8 * i));
  };
  const add = (register: number, n: number) => (register & ~mask) | ((register + n) & mask);
  const accumulator = () => (size === 4 ? eax >>> 0 : (eax >>> 0) % 2 ** (8 * size));
  let retired = 0;
  while (rep === 0 || (ecx & mask) !== 0) {
    const si = (esi & mask) >>> 0;
    const di = (edi & mask) >>> 0;
    if (code === MOVS) write(di, read(si));
    if (code === STOS) write(di, eax);
    if (code === LODS) eax = size === 4 ? read(si) | 0 : (eax & ~(2 ** (8 * size) - 1)) | read(si);
    if (code === SCAS) equal = accumulator() === read(di);
    if (code === CMPS) equal = read(si) === read(di);
    if (code === MOVS || code === LODS || code === CMPS) esi = add(esi, step);
    if (code !== LODS) edi = add(edi, step);
    retired++;
    if (rep === 0) break;
    ecx = add(ecx, -1);
    if ((code === SCAS || code === CMPS) && equal !== (rep === 0xf3)) break;
  }
  return { memory, ecx, esi, edi, eax, equal, retired: Math.max(retired, 1) };
}

/** Executes the instruction on the bench until it is through, at most `budget` iterations at a time. */
function finish(c: BenchCpu, bytes: number[], budget: number): number {
  const op = c.decode(bytes);
  let retired = 0;
  for (;;) {
    c.left = budget;
    c.s[9] = 0;
    const vector = c.execute(op);
    expect(vector).toBe(-1);
    retired += budget - c.left + 1;
    expect(retired).toBeGreaterThan(0);
    if (c.s[9] !== 0) return retired;
  }
}

function check(code: number, size: number, rep: number, wideAddress: boolean, trials: number): void {
  const c = new BenchCpu();
  for (let trial = 0; trial < trials; trial++) {
    c.mmu.flushAll();
    const range = wideAddress ? 0x8000 : 0x10000;
    // Few byte values, so that comparisons run a while; two runs of memory near each other or the same.
    for (let i = 0; i < USED; i++) c.memory.u8[PHYS_BASE + i] = random(40) === 0 ? random(256) : 0x61;
    const si = 0x800 + random(range - 0x800);
    const near = random(3) === 0 ? si + random(48) - 24 : 0x800 + random(range - 0x800);
    c.s[ESI] = wideAddress ? si : si | 0x55550000;
    c.s[EDI] = wideAddress ? near : near | 0x66660000;
    const count = random(4) === 0 ? random(6) : random(6000 / size);
    c.s[ECX] = wideAddress ? count : count | 0x77770000;
    c.s[EAX] = random(2) === 0 ? 0x61616161 : (random(0x10000) << 16) | random(0x10000);
    // Keep the model's run inside memory: down from high, up from low addresses.
    const down = wideAddress ? si > 0x2000 + 6000 && near > 0x2000 + 6000 && random(2) === 0 : random(2) === 0;
    c.setFlags((down ? FLAG_DF : 0) | (random(2) === 0 ? FLAG_ZF : 0));
    const expected = model(c, code, size, rep, wideAddress ? -1 : 0xffff);
    const opcode = size === 1 ? code : code + 1;
    const bytes = [...(wideAddress ? [] : [0x67]), ...(size === 2 ? [0x66] : []), ...(rep === 0 ? [] : [rep]), opcode];
    const retired = finish(c, bytes, [1000000, 7, 300][trial % 3]);
    const wrong = c.bytes(0, USED).findIndex((byte, i) => byte !== expected.memory[i]);
    const found = { ecx: c.s[ECX], esi: c.s[ESI], edi: c.s[EDI], eax: c.s[EAX], retired, wrong };
    const { ecx, esi, edi, eax } = expected;
    expect(found, `trial ${trial}, down ${down}, count ${count}`).toEqual({
      ecx,
      esi,
      edi,
      eax,
      retired: expected.retired,
      wrong: -1,
    });
    expect((c.flags & FLAG_ZF) !== 0).toBe(expected.equal);
  }
}

describe('string instructions', () => {
  for (const [name, code, prefixes] of [
    ['movs', MOVS, [0, 0xf3, 0xf2]],
    ['stos', STOS, [0, 0xf3]],
    ['lods', LODS, [0, 0xf3]],
    ['scas', SCAS, [0, 0xf3, 0xf2]],
    ['cmps', CMPS, [0, 0xf3, 0xf2]],
  ] as const) {
    for (const size of [1, 2, 4]) {
      it(`${name} of ${size * 8} bits`, () => {
        for (const rep of prefixes) {
          check(code, size, rep, true, rep === 0 ? 2 : 9);
          check(code, size, rep, false, rep === 0 ? 2 : 6);
        }
      });
    }
  }

  it('repeats a pattern where the target overlaps the source', () => {
    const c = new BenchCpu();
    c.poke(0x1000, 1, 2, 3);
    c.s[ESI] = 0x1000;
    c.s[EDI] = 0x1003;
    c.s[ECX] = 300;
    expect(c.one(0xf3, 0xa4)).toBe(-1);
    expect(c.bytes(0x1000, 303).every((byte, i) => byte === (i % 3) + 1)).toBe(true);
  });

  it('stops at a fault with the registers and the count of the iterations before it', () => {
    const c = new BenchCpu();
    c.mmu.unmap(0x5000);
    c.left = 1000;
    c.s[ESI] = 0x2000;
    c.s[EDI] = 0x5000 - 16;
    c.s[ECX] = 8;
    c.poke(0x2000, ...Array.from({ length: 32 }, (_, i) => i));
    expect(c.one(0xf3, 0xa5)).toBe(14);
    expect([c.s[ECX], c.s[ESI], c.s[EDI], c.left]).toEqual([4, 0x2010, 0x5000, 996]);
    expect(c.bytes(0x4ff0, 16)).toEqual(Array.from({ length: 16 }, (_, i) => i));
    expect(c.mmu.faultCode).toBe(2);
  });

  it('stops at the segment limit in the middle of an element', () => {
    const c = new BenchCpu();
    c.setSegment(ES, 0, 0x3002);
    c.s[EDI] = 0x2ff0;
    c.s[ECX] = 100;
    c.s[EAX] = -1;
    expect(c.one(0xf3, 0xab)).toBe(13);
    expect([c.s[ECX], c.s[EDI]]).toEqual([96, 0x3000]);
    expect(c.bytes(0x2fff, 2)).toEqual([0xff, 0]);
  });

  it('does nothing and touches nothing when the count is zero', () => {
    const c = new BenchCpu();
    c.mmu.unmap(0);
    c.s[ECX] = 0x10000;
    expect(c.one(0x67, 0xf3, 0xa4)).toBe(-1);
    expect(c.one(0x67, 0xf3, 0x6c)).toBe(-1);
    expect(c.bus.log).toEqual([]);
  });

  it('moves port data one element per execution, checking the destination first', () => {
    const c = new BenchCpu();
    c.bus.script(0x1f0, [0x1234, 0x5678]);
    c.s[2] = 0x1f0;
    c.s[EDI] = 0x6ffe;
    c.s[ECX] = 3;
    c.mmu.unmap(0x7000);
    const op = c.decode([0x66, 0xf3, 0x6d]);
    expect(c.execute(op)).toBe(-1);
    expect([c.s[ECX], c.s[EDI], c.end]).toEqual([2, 0x7000, -1]);
    expect(c.execute(op)).toBe(14);
    expect(c.bus.log).toEqual(['in 1f0/2 = 1234']);
    expect(c.bytes(0x6ffe, 2)).toEqual([0x34, 0x12]);
    c.s[ESI] = 0x6ffe;
    expect(c.one(0x66, 0x6f)).toBe(-1);
    expect(c.bus.log.at(-1)).toBe('out 1f0/2 = 1234');
    expect([c.s[ESI], c.end]).toEqual([0x7000, 0]);
  });
});
