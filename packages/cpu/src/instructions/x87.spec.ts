/** What recorded vectors cannot show: availability, pending exceptions, faults in mid-store, environments, saved state. */
import {
  CR0,
  CR0_EM,
  CR0_MP,
  CR0_NE,
  CR0_PE,
  CR0_TS,
  CS,
  EAX,
  EIP,
  ESI,
  HALTED,
  SEG,
  STEP_HALTED,
  STEP_RETIRED,
  STOP_HALT,
  VEC_GP,
  VEC_MF,
  VEC_NM,
  VEC_PF,
  VEC_UD,
} from '@ringfence/sdk';
import { beforeEach, describe, expect, it } from 'vitest';
import { Cpu } from '../cpu.js';
import { BenchCpu } from '../testing/bench-cpu.js';
import { I486 } from '../models.js';
import { HOLD } from '../core/fault.js';

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

  it('raises #UD for what no FPU has', () => {
    for (const bytes of [
      [0xd9, 0xd1],
      [0xd9, 0xe2],
      [0xd9, 0xef],
      [0xdd, 0xf0],
      [0xdf, 0xe1],
    ])
      expect(run(bytes)).toBe(VEC_UD);
  });

  it('lets escapes pass unheard on a processor without an FPU, or raises #NM when software asked for that', () => {
    c = new BenchCpu({ ...I486, features: { ...I486.features, fpu: false } });
    c.s[EAX] = 0x5a5a;
    c.poke(AT, 0x5a, 0x5a);
    expect([run(FNINIT), run([0xdf, 0xe0]), at([0xd9, 0x3e]), run([0xd9, 0xd1]), run([0x9b])]).toEqual([
      -1, -1, -1, -1, -1,
    ]);
    expect([c.s[EAX], ...c.bytes(AT, 2)]).toEqual([0x5a5a, 0x5a, 0x5a]);
    c.s[CR0] |= CR0_EM;
    expect([run(FNINIT), at([0xd9, 0x3e])]).toEqual([VEC_NM, VEC_NM]);
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

  describe('with NE = 0', () => {
    beforeEach(() => {
      c.s[CR0] &= ~CR0_NE;
      expect(run(FDIVP)).toBe(-1);
    });

    it('assert FERR# before the next waiting instruction, which holds', () => {
      expect(run([0xdf, 0xe0])).toBe(-1); // FNSTSW AX
      expect(c.bus.log).toEqual([]);
      const { status } = c.fpu;
      expect([run(FLD1), run([0x9b]), at([0xdd, 0x1e])]).toEqual([HOLD, HOLD, HOLD]);
      expect(c.bus.log).toEqual(['ferr', 'ferr still', 'ferr still']);
      expect(c.fpu.status).toBe(status);
    });

    it('hold nothing up while IGNNE# is asserted', () => {
      c.bus.ignoreFloatErrors = true;
      expect(run(FLD1)).toBe(-1);
      expect(c.fpu.status).toBe(0xa884);
    });

    it('are reported anew after FERR# went inactive, whatever cleared the exception', () => {
      c.poke(AT, 0x7f, 0x03, 0x7b, 0x03);
      const clearing = [
        () => run([0xdb, 0xe2]), // FNCLEX
        () => run([0xdb, 0xe3]), // FNINIT
        () => at([0xd9, 0x36], AT + 64), // FNSTENV masks
        () => at([0xdd, 0x36], AT + 64), // FNSAVE
      ];
      for (const clear of clearing) {
        expect([run(FLD1), clear()]).toEqual([HOLD, -1]);
        expect([run(FNINIT), at([0xd9, 0x2e], AT + 2), run(FLD1, FLDZ, FDIVP)]).toEqual([-1, -1, -1]);
        c.bus.log.length = 0;
        expect([run(FLD1), run(FLD1)]).toEqual([HOLD, HOLD]);
        expect(c.bus.log).toEqual(['ferr', 'ferr still']);
      }
    });

    it('wait for an interrupt between two instructions, and try again after it', () => {
      c.poke(0x100, 0x90, ...FLD1, 0x90);
      c.s[EIP] = 0x100;
      const before = c.retired();
      expect(c.run(100)).toBe(STOP_HALT);
      expect([c.s[EIP], c.s[HALTED], c.retired() - before]).toEqual([0x101, 1, 1]);
      expect(c.run(100)).toBe(STOP_HALT);
      expect(c.bus.log).toEqual(['ferr']);
      // An interrupt would be delivered with this EIP; here the wait just ends, with IGNNE# asserted.
      c.bus.ignoreFloatErrors = true;
      expect(c.step()).toBe(STEP_RETIRED);
      expect([c.s[EIP], c.retired() - before]).toEqual([0x103, 2]);
      expect(c.bus.log).toEqual(['ferr', 'ferr still']);
    });

    it('make one step a wait', () => {
      c.poke(0x100, ...FLD1);
      c.s[EIP] = 0x100;
      const before = c.retired();
      expect(c.step()).toBe(STEP_HALTED);
      expect([c.s[EIP], c.retired() - before]).toEqual([0x100, 0]);
    });
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
