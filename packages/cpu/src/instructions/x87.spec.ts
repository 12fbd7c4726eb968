/** What the golden replay cannot see: availability, pending exceptions, faults in mid-store, environments, saved state. */
import {
  CR0,
  CR0_EM,
  CR0_MP,
  CR0_NE,
  CR0_PE,
  CR0_TS,
  CS,
  EIP,
  ESI,
  SEG,
  VEC_GP,
  VEC_MF,
  VEC_NM,
  VEC_PF,
  VEC_UD,
} from '@ringfence/sdk';
import { beforeEach, describe, expect, it } from 'vitest';
import { Cpu } from '../cpu.js';
import { BenchCpu } from '../testing/bench-cpu.js';
import { MISSING } from './x87.js';

const AT = 0x2000;
const FNINIT = [0xdb, 0xe3];
const FLD1 = [0xd9, 0xe8];
const FLDZ = [0xd9, 0xee];
const FDIVP = [0xde, 0xf9];

let c: BenchCpu;
const run = (...instructions: number[][]) => instructions.map((bytes) => c.one(...bytes)).at(-1);
const at = (bytes: number[], address = AT) => {
  c.s[ESI] = address;
  return c.one(...bytes);
};
const dword = (address: number) => new DataView(Uint8Array.from(c.bytes(address, 4)).buffer).getInt32(0, true);

beforeEach(() => {
  c = new BenchCpu();
  c.s[CR0] |= CR0_NE;
  run(FNINIT);
});

describe('availability', () => {
  it('raises #NM with EM or TS, WAIT only with MP and TS', () => {
    for (const bits of [CR0_EM, CR0_TS]) {
      c.s[CR0] = CR0_PE | bits;
      expect([run(FLD1), run(FNINIT), at([0xd9, 0x3e]), run([0x9b])]).toEqual([VEC_NM, VEC_NM, VEC_NM, -1]);
    }
    c.s[CR0] = CR0_PE | CR0_TS | CR0_MP;
    expect(run([0x9b])).toBe(VEC_NM);
  });

  it('knows which instructions it lacks', () => {
    for (const [, ext, rm] of MISSING) expect(run([0xd9, 0xc0 | (ext << 3) | rm])).toBe(VEC_UD);
    expect(run([0xd9, 0xd1])).toBe(VEC_UD);
  });
});

describe('unmasked exceptions', () => {
  beforeEach(() => {
    c.poke(AT, 0x7b, 0x03);
    at([0xd9, 0x2e]); // FLDCW: zero divide unmasked
    run(FLD1, FLDZ);
  });

  it('wait for the next waiting instruction', () => {
    expect(run(FDIVP)).toBe(-1);
    expect(c.fpu.status).toBe(0xb084);
    const before = [...c.fpu.w];
    expect([run(FLD1), run([0x9b]), at([0xd9, 0x2e])]).toEqual([VEC_MF, VEC_MF, VEC_MF]);
    expect([...c.fpu.w]).toEqual(before);
    expect(run([0xdf, 0xe0])).toBe(-1); // FNSTSW AX
    expect(run([0xdb, 0xe2], FLD1)).toBe(-1); // FNCLEX
  });

  it('hold nothing up with NE = 0', () => {
    c.s[CR0] &= ~CR0_NE;
    expect(run(FDIVP, FLD1)).toBe(-1);
  });
});

describe('memory operands', () => {
  it('a store that faults in its second half writes nothing and does not pop', () => {
    run(FLD1);
    c.poke(AT, ...new Array<number>(4096).fill(0x55));
    c.mmu.unmap(AT + 0x1000);
    const before = [...c.fpu.w];
    for (const [bytes, size] of [
      [[0xdd, 0x1e], 8], // FSTP m64
      [[0xdb, 0x3e], 10], // FSTP m80
      [[0xdf, 0x3e], 8], // FISTP m64
      [[0xd9, 0x36], 28], // FNSTENV
      [[0xdd, 0x36], 108], // FNSAVE
    ] as const) {
      const start = AT + 0x1000 - size + 2;
      expect(at([...bytes], start), `${size} bytes`).toBe(VEC_PF);
      expect(c.bytes(start, size - 2)).toEqual(new Array<number>(size - 2).fill(0x55));
      expect([...c.fpu.w]).toEqual(before);
    }
  });

  it('obey the segment limit as a whole', () => {
    run(FLD1);
    c.setSegment(3, 0, AT + 8, 0x4093);
    expect(at([0xdd, 0x16], AT + 1)).toBe(-1);
    expect(at([0xdd, 0x16], AT + 2)).toBe(VEC_GP);
    expect(at([0xdd, 0x06], AT + 2)).toBe(VEC_GP);
    expect(at([0xdb, 0x2e], AT)).toBe(VEC_GP);
  });
});

describe('environments', () => {
  it('name the last instruction and its operand, but no selector in protected mode', () => {
    c.s[EIP] = 0x1234;
    c.s[SEG + CS * 4] = 0x1b;
    c.s[SEG + 3 * 4] = 0x23;
    at([0x66, 0xdf, 0x06], AT + 6); // FILD m16, with a prefix
    at([0xd9, 0x36]);
    expect([12, 16, 20, 24].map((offset) => dword(AT + offset))).toEqual([0x1234, 0x07060000, AT + 6, 0xffff0000 | 0]);
  });

  it('have a real-mode and a 16-bit shape', () => {
    c.s[CR0] &= ~CR0_PE;
    c.s[SEG + CS * 4] = 0xabcd;
    c.s[EIP] = 0x0123;
    run(FLD1);
    at([0xd9, 0x36]);
    expect([12, 16].map((offset) => dword(AT + offset) >>> 0)).toEqual([0xffffbdf3, 0xa1e8]);
    at([0x66, 0xd9, 0x36]);
    expect(c.bytes(AT + 6, 4)).toEqual([0xf3, 0xbd, 0xe8, 0xa1]);
  });

  it('survive FNSAVE and FRSTOR at both sizes', () => {
    for (const prefix of [[], [0x66]]) {
      run(FNINIT, FLD1, FLDZ);
      const before = [...c.fpu.w];
      at([...prefix, 0xdd, 0x36]);
      expect(c.fpu.control).toBe(0x37f);
      expect(c.fpu.isEmpty(0)).toBe(true);
      at([...prefix, 0xdd, 0x26]);
      expect(c.fpu.status).toBe(0x3000);
      expect([...c.fpu.w.subarray(16)]).toEqual(before.slice(16));
    }
  });
});

describe('state', () => {
  it('is one for both core slots, and part of the saved state', () => {
    run(FLD1);
    const saved = structuredClone(c.saveState());
    expect(saved.data['fpu']).toMatchObject({
      control: 0x37f,
      top: 7,
      tags: 0x80,
      r7High: 0x80000000 | 0,
      r7SignExponent: 0x3fff,
    });
    const { memory, space, mmu, bus, model } = c;
    const other = new Cpu({ memory, space, mmu, bus, slot: 1, model, assist: 'none' });
    expect(other.fpu.control).toBe(0x40);
    expect(c.fpu.control).toBe(0x40);
    c.loadState(saved);
    expect(other.fpu.control).toBe(0x37f);
    expect(() => c.loadState({ ...saved, data: { ...saved.data, fpu: 1 } })).toThrow(/fpu/);
  });
});
