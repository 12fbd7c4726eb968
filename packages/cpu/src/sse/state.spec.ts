/**
 * What the silicon replay cannot see, because a user program cannot get there: who may use MMX and SSE at all (CR0.EM, CR0.TS,
 * CR4.OSFXSR, models), segment limits, FXSAVE without OSFXSR and outside protected mode, breakpoints, code that is written,
 * reset and saved state.
 */
import {
  CR0,
  CR0_EM,
  CR0_NE,
  CR0_PE,
  CR0_TS,
  CR4,
  CR4_OSFXSR,
  CS,
  DR,
  DS,
  EAX,
  EDI,
  EIP,
  ESI,
  FPU_TAGS,
  FPU_TOP,
  MXCSR,
  SEG,
  SS,
  VEC_DB,
  VEC_GP,
  VEC_MF,
  VEC_NM,
  VEC_PF,
  VEC_SS,
  VEC_UD,
  XMM,
  type CpuModel,
} from '@ringfence/sdk';
import { beforeEach, describe, expect, it } from 'vitest';
import { Cpu } from '../cpu.js';
import { packedRows } from '../generated/packed.js';
import { fxsaveRows } from '../instructions/fxsave.js';
import { mmxRows } from '../instructions/mmx.js';
import { prefetchRows, sseControlRows } from '../instructions/sse-control.js';
import { sseIntegerRows } from '../instructions/sse-integer.js';
import { sseMoveRows } from '../instructions/sse-move.js';
import { sseShuffleRows } from '../instructions/sse-shuffle.js';
import { I386, I486, MODELS, P6, PENTIUM, PENTIUM4 } from '../models.js';
import { BenchCpu } from '../testing/bench-cpu.js';
import { CODE, DATA, TestMachine } from '../testing/machine.js';
import type { OpcodeRow } from '../table/row.js';
import { mmxAt } from './state.js';

const AT = 0x2000;
const XMM_ROWS = [...packedRows, ...sseIntegerRows, ...sseMoveRows, ...sseShuffleRows].filter(usesXmm);
const MMX_ROWS = [...packedRows, ...mmxRows].filter((row) => !usesXmm(row));
const FREE_ROWS = [...prefetchRows, ...sseControlRows].filter((row) => !row.mnemonic.endsWith('mxcsr'));
/** MOVNTI stores a general register. */
const MOVNTI = sseMoveRows.find((row) => row.mnemonic === 'movnti')!;

function usesXmm(row: OpcodeRow): boolean {
  return row.operands.some((operand) => /^[VWU]/.test(operand));
}

/** Register 1 with register 2 or, for rows that have no register form, [ESI]. */
function encode(row: OpcodeRow): number[] {
  const prefix = row.prefix === 0 || row.prefix === undefined ? [] : [row.prefix];
  const modrm = (row.ext ?? 1) << 3;
  const operand = row.handlers.r32 === undefined ? modrm | 6 : 0xc0 | modrm | 2;
  const tail = row.operands.length === 0 && row.ext === undefined ? [] : [operand];
  return [...prefix, 0x0f, row.opcode, ...tail, ...(row.operands.includes('Ib') ? [1] : [])];
}

const MOVAPS_LOAD = [0x0f, 0x28, 0x0e];
const MOVAPS_STORE = [0x0f, 0x29, 0x0e];
const MOVUPS_LOAD = [0x0f, 0x10, 0x0e];
const MOVUPS_STORE = [0x0f, 0x11, 0x0e];
const MOVQ_LOAD = [0x0f, 0x6f, 0x0e];
const MOVQ_STORE = [0x0f, 0x7f, 0x0e];
const MASKMOVQ = [0x0f, 0xf7, 0xca];
const LDMXCSR = [0x0f, 0xae, 0x16];
const FXSAVE = [0x0f, 0xae, 0x06];
const FXRSTOR = [0x0f, 0xae, 0x0e];
const EMMS = [0x0f, 0x77];

let c: BenchCpu;
function bench(model: CpuModel = PENTIUM4): void {
  c = new BenchCpu(model);
  c.s[CR4] = CR4_OSFXSR;
  c.s[CR0] |= CR0_NE;
  c.s[ESI] = AT;
  c.s[EDI] = AT;
  c.one(0xdb, 0xe3); // FNINIT
}
const at = (bytes: number[], address: number) => {
  c.s[ESI] = address;
  return c.one(...bytes);
};
const dword = (address: number) => new DataView(Uint8Array.from(c.bytes(address, 4)).buffer).getInt32(0, true) >>> 0;
const outcomes = (rows: readonly OpcodeRow[]) => new Set(rows.map((row) => c.one(...encode(row))));

beforeEach(() => bench());

describe('availability', () => {
  it('of XMM registers: #UD with EM or without OSFXSR, else #NM with TS', () => {
    expect(XMM_ROWS.length).toBeGreaterThan(100);
    const rows = [...XMM_ROWS, ...sseControlRows.filter((row) => row.mnemonic.endsWith('mxcsr'))];
    expect(outcomes(rows)).toEqual(new Set([-1]));
    c.s[CR0] |= CR0_TS;
    expect(outcomes(rows)).toEqual(new Set([VEC_NM]));
    c.s[CR0] |= CR0_EM;
    expect(outcomes(rows)).toEqual(new Set([VEC_UD]));
    c.s[CR0] &= ~(CR0_EM | CR0_TS);
    c.s[CR4] = 0;
    expect(outcomes(rows)).toEqual(new Set([VEC_UD]));
    c.s[CR0] |= CR0_TS;
    expect(outcomes(rows)).toEqual(new Set([VEC_UD]));
  });

  it('of MMX registers: #UD with EM, else #NM with TS, else #MF; no OSFXSR is needed', () => {
    expect(MMX_ROWS.length).toBeGreaterThan(60);
    const plain = MMX_ROWS.filter((row) => row.mnemonic !== 'movdq2q' && row.mnemonic !== 'movq2dq');
    c.s[CR4] = 0;
    expect(outcomes(plain)).toEqual(new Set([-1]));
    c.s[CR4] = CR4_OSFXSR;
    c.fpu.setControl(0x37e);
    c.fpu.setStatus(1);
    expect(outcomes(MMX_ROWS)).toEqual(new Set([VEC_MF]));
    c.s[CR0] |= CR0_TS;
    expect(outcomes(MMX_ROWS)).toEqual(new Set([VEC_NM]));
    c.s[CR0] |= CR0_EM;
    expect(outcomes(MMX_ROWS)).toEqual(new Set([VEC_UD]));
  });

  it('of fences, hints, MOVNTI: always', () => {
    c.s[CR0] |= CR0_EM | CR0_TS;
    c.s[CR4] = 0;
    expect(outcomes([...FREE_ROWS, MOVNTI])).toEqual(new Set([-1]));
  });

  it('of FXSAVE and FXRSTOR: #NM with EM or TS, a pending x87 exception is none of theirs', () => {
    c.fpu.setControl(0x37e);
    c.fpu.setStatus(1);
    expect([at(FXSAVE, AT), at(FXRSTOR, AT)]).toEqual([-1, -1]);
    for (const bit of [CR0_EM, CR0_TS]) {
      c.s[CR0] = CR0_PE | bit;
      expect([at(FXSAVE, AT), at(FXRSTOR, AT)]).toEqual([VEC_NM, VEC_NM]);
    }
  });

  it('by model', () => {
    const rows = [...XMM_ROWS, ...MMX_ROWS, ...sseControlRows, ...fxsaveRows, MOVNTI];
    for (const model of [I386, I486, PENTIUM]) {
      bench(model);
      expect(outcomes(rows), model.name).toEqual(new Set([VEC_UD]));
    }
    bench(P6);
    const onlyP4 = rows.filter((row) => row.feature === 'sse2' || row.feature === 'clfsh');
    expect(onlyP4.length).toBeGreaterThan(60);
    // 0F AE /7 with a register is SFENCE; the memory form is CLFLUSH.
    expect(outcomes(onlyP4)).toEqual(new Set([VEC_UD]));
    expect(outcomes(rows.filter((row) => !onlyP4.includes(row)))).toEqual(new Set([-1]));
  });

  it('PAUSE is a NOP on every model', () => {
    for (const model of MODELS) {
      bench(model);
      c.s[EAX] = 0x1234;
      const from = c.s[EIP];
      expect([c.one(0xf3, 0x90), c.s[EAX], c.s[EIP] - from]).toEqual([-1, 0x1234, 2]);
    }
  });
});

describe('memory operands', () => {
  it('obey the segment limit as a whole', () => {
    c.setSegment(DS, 0, AT + 15, 0x4093);
    expect([at(MOVAPS_LOAD, AT), at(MOVAPS_STORE, AT), at(MOVUPS_LOAD, AT)]).toEqual([-1, -1, -1]);
    expect([at(MOVUPS_LOAD, AT + 1), at(MOVUPS_STORE, AT + 1)]).toEqual([VEC_GP, VEC_GP]);
    expect([at(MOVQ_LOAD, AT + 8), at(MOVQ_STORE, AT + 8)]).toEqual([-1, -1]);
    expect([at(MOVQ_LOAD, AT + 9), at(MOVQ_STORE, AT + 9)]).toEqual([VEC_GP, VEC_GP]);
    c.setSegment(SS, 0, AT + 14, 0x4093);
    expect([at([0x36, ...MOVAPS_LOAD], AT), at([0x36, ...MOVUPS_LOAD], AT + 1)]).toEqual([VEC_SS, VEC_SS]);
    // Alignment comes first.
    expect(at([0x36, ...MOVAPS_LOAD], AT + 1)).toBe(VEC_GP);
    // A mask without a bit set stores nothing, and is checked all the same.
    c.s[EDI] = AT + 9;
    expect(c.one(...MASKMOVQ)).toBe(VEC_GP);
  });

  it('are aligned or not by their linear address', () => {
    c.setSegment(DS, 4, 0xffffffff, 0xc093);
    expect([at(MOVAPS_LOAD, AT), at(FXSAVE, AT), at(FXRSTOR, AT)]).toEqual([VEC_GP, VEC_GP, VEC_GP]);
    expect([at(MOVAPS_LOAD, AT - 4), at(FXSAVE, AT - 4), at(FXRSTOR, AT - 4)]).toEqual([-1, -1, -1]);
  });

  it('that are read-only to their segment are not written', () => {
    c.setSegment(DS, 0, 0xffffffff, 0xc091);
    expect([at(MOVAPS_STORE, AT), at(MOVQ_STORE, AT), at(FXSAVE, AT)]).toEqual([VEC_GP, VEC_GP, VEC_GP]);
    expect([at(MOVAPS_LOAD, AT), at(MOVQ_LOAD, AT), at(FXRSTOR, AT)]).toEqual([-1, -1, -1]);
  });

  it('a fault leaves MMX state, tags and memory as they were', () => {
    c.mmu.unmap(AT + 0x1000);
    const before = [...c.sse.w.subarray(0, 84)];
    const memory = c.bytes(AT + 0xff0, 16);
    for (const bytes of [MOVQ_LOAD, MOVQ_STORE, MOVUPS_LOAD, MOVUPS_STORE]) {
      expect(at(bytes, AT + 0xffc)).toBe(VEC_PF);
    }
    c.s[EDI] = AT + 0xffc;
    expect(c.one(...MASKMOVQ)).toBe(VEC_PF);
    expect([at(FXSAVE, AT + 0xff0), at(FXRSTOR, AT + 0xff0)]).toEqual([VEC_PF, VEC_PF]);
    expect([...c.sse.w.subarray(0, 84)]).toEqual(before);
    expect(c.bytes(AT + 0xff0, 16)).toEqual(memory);
  });
});

describe('MXCSR', () => {
  it('takes DAZ where the model has it', () => {
    for (const [model, daz] of [
      [P6, VEC_GP],
      [PENTIUM4, -1],
    ] as const) {
      bench(model);
      c.poke(AT, 0xbf, 0xff, 0, 0);
      expect(at(LDMXCSR, AT)).toBe(-1);
      expect(c.sse.mxcsr).toBe(0xffbf);
      c.poke(AT, 0x40, 0, 0, 0);
      expect(at(LDMXCSR, AT)).toBe(daz);
      expect(c.sse.mxcsr).toBe(daz === -1 ? 0x40 : 0xffbf);
      expect(at(FXSAVE, AT)).toBe(-1);
      expect(dword(AT + 28)).toBe(model.features.sse2 ? 0xffff : 0xffbf);
      c.poke(AT + 24, 0x40);
      expect(at(FXRSTOR, AT)).toBe(daz);
    }
  });
});

describe('FXSAVE and FXRSTOR', () => {
  it('leave MXCSR and XMM registers alone without OSFXSR', () => {
    c.sse.mxcsr = 0x1234;
    c.sse.w[XMM] = 0x11111111;
    c.poke(AT, ...new Array<number>(512).fill(0x55));
    c.s[CR4] = 0;
    expect(at(FXSAVE, AT)).toBe(-1);
    expect(dword(AT) & 0xffff).toBe(0x37f);
    expect([dword(AT + 24), dword(AT + 28), dword(AT + 160)]).toEqual([0x55555555, 0x55555555, 0x55555555]);
    // Reserved bits of MXCSR in the image do not matter either.
    expect(at(FXRSTOR, AT)).toBe(-1);
    expect([c.sse.mxcsr, c.sse.w[XMM]]).toEqual([0x1234, 0x11111111]);
  });

  it('keep the last x87 instruction; selectors outside protected mode only', () => {
    c.s[SEG + CS * 4] = 0x1b;
    c.s[SEG + DS * 4] = 0x23;
    c.s[EIP] = 0x1234;
    at([0xd9, 0x06], AT + 0x400); // FLD m32
    at(FXSAVE, AT);
    expect([4, 8, 12, 16, 20].map((offset) => dword(AT + offset))).toEqual([0x01060080, 0x1234, 0, AT + 0x400, 0]);
    c.s[CR0] &= ~CR0_PE;
    c.s[EIP] = 0x4321;
    at([0xd9, 0x06], AT + 0x400);
    at(FXSAVE, AT);
    expect([8, 12, 16, 20].map((offset) => dword(AT + offset))).toEqual([0x4321, 0x1b, AT + 0x400, 0x23]);
    c.one(0xdb, 0xe3);
    at(FXRSTOR, AT);
    c.poke(AT, ...new Array<number>(512).fill(0));
    at(FXSAVE, AT);
    expect([8, 12, 16, 20].map((offset) => dword(AT + offset))).toEqual([0x4321, 0x1b, AT + 0x400, 0x23]);
  });

  it('EMMS empties what MMX filled', () => {
    at(MOVQ_LOAD, AT);
    expect([c.sse.w[FPU_TOP], c.sse.w[FPU_TAGS], c.sse.w[mmxAt(1) + 2]]).toEqual([0, 0xff, 0xffff]);
    c.one(...EMMS);
    expect([c.sse.w[FPU_TAGS], c.sse.w[mmxAt(1) + 2]]).toEqual([0, 0xffff]);
  });
});

describe('in a running core', () => {
  it('a store into code that follows is executed', () => {
    const m = new TestMachine({ model: PENTIUM4 }).protectedMode();
    m.s[CR4] = CR4_OSFXSR;
    m.s[ESI] = CODE + 0x40;
    // Bytes at DATA become the code at CODE + 40h: MOV EAX,12345678h; HLT
    m.poke(DATA, 0xb8, 0x78, 0x56, 0x34, 0x12, 0xf4, 0xf4, 0xf4);
    m.s[EDI] = DATA;
    m.poke(CODE + 0x40, 0xf4);
    m.runToHalt(0x0f, 0x6f, 0x0f, 0x0f, 0x7f, 0x0e, 0xeb, 0x38); // MOVQ MM1,[EDI]; MOVQ [ESI],MM1; JMP
    expect(m.s[EAX]).toBe(0x12345678);
  });

  it('data breakpoints see every byte of a 16-byte access', () => {
    for (const [offset, hit] of [
      [-1, 0],
      [0, 1],
      [15, 1],
      [16, 0],
    ]) {
      const m = new TestMachine({ model: PENTIUM4 }).protectedMode();
      m.s[CR4] = CR4_OSFXSR;
      m.s[ESI] = DATA;
      m.cpu.writeDr(0, DATA + offset);
      m.cpu.writeDr(7, 0x10002); // a byte, writes
      m.runToHalt(0x0f, 0x28, 0x0e, 0x0f, 0x29, 0x0e, 0xf4);
      expect(m.s[DR + 6] & 1, `at ${offset}`).toBe(hit);
      if (hit === 1) expect(m.frame()).toMatchObject({ vector: VEC_DB, eip: CODE + 6 });
    }
  });
});

describe('state', () => {
  it('after reset: MXCSR 1F80h, registers zero', () => {
    c.sse.w.fill(-1, XMM, MXCSR + 1);
    c.reset();
    expect(c.sse.mxcsr).toBe(0x1f80);
    expect([...c.sse.w.subarray(XMM, XMM + 32)]).toEqual(new Array(32).fill(0));
  });

  it('is one for both core slots, and part of the saved state by name', () => {
    c.sse.mxcsr = 0x9fc0;
    c.sse.w[XMM + 7 * 4 + 3] = 0x01020304;
    const saved = structuredClone(c.saveState());
    expect(saved.data['sse']).toMatchObject({ mxcsr: 0x9fc0, xmm7Word3: 0x01020304, xmm0Word0: 0 });
    const { memory, space, mmu, bus, model } = c;
    const other = new Cpu({ memory, space, mmu, bus, slot: 1, model, assist: 'none' });
    expect(other.sse.mxcsr).toBe(0x1f80);
    c.loadState(saved);
    expect([other.sse.mxcsr, other.sse.w[XMM + 31]]).toEqual([0x9fc0, 0x01020304]);
    expect(c.saveState()).toEqual(saved);
    const { sse: _sse, ...without } = saved.data;
    expect(() => c.loadState({ ...saved, data: without })).toThrow(/sse/);
    expect(() => c.loadState({ ...saved, version: saved.version - 1 })).toThrow();
  });
});
