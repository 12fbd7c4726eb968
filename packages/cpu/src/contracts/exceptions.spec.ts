/**
 * Every exception that a P6 raises: its class, its error code and the EIP it saves (SDM Vol. 3A, 6.5 "Exception
 * Classifications", table 6-1 "Protected-Mode Exceptions and Interrupts", 6.13 "Error Code", 6.15 "Exception and Interrupt Reference").
 * A fault saves the EIP of its instruction, a trap of the next one. Each is provoked at CPL 3 after a NOP that must have
 * retired, and the handler's frame is read back from the ring-0 stack.
 */
import { CR0, DR, DS, EAX, EIP, EBX, ECX, ESP, FLAG_RF, SS } from '@ringfence/sdk';
import { describe, expect, it } from 'vitest';
import {
  CODE,
  DATA,
  FREE,
  GDT,
  HANDLERS,
  IDT,
  KCODE,
  TestMachine,
  TSS,
  UCODE,
  UDATA,
  USER_STACK,
} from '../testing/machine.js';

const NOP = 0x90;

interface Case {
  readonly name: string;
  readonly vector: number;
  /** Undefined: none is pushed. */
  readonly errorCode?: number;
  readonly code: readonly number[];
  /** Where the saved EIP points, from the first byte of `code`. */
  readonly at: number;
  readonly prepare?: (m: TestMachine) => void;
  /** A trap, or an instruction breakpoint: RF is pushed clear (SDM Vol. 3B, 17.3.1.1 "Instruction-Breakpoint Exception Condition"). */
  readonly trap?: boolean;
}

const odd =
  (access: number, limit = 0xfffff) =>
  (m: TestMachine) =>
    m.descriptor(GDT, FREE, 0, limit, access);
const selectorIn = (access: number) => (m: TestMachine) => {
  odd(access)(m);
  m.s[EAX] = FREE | 3;
};
const MOV_DS_AX = [0x8e, 0xd8];
const MOV_SS_AX = [0x8e, 0xd0];

const cases: readonly Case[] = [
  { name: '#DE of DIV', vector: 0, code: [0x31, 0xc9, 0xf7, 0xf1], at: 2 },
  {
    name: '#DE of IDIV, quotient too large',
    vector: 0,
    code: [0x31, 0xc0, 0xb2, 0x80, 0xb1, 1, 0xb4, 1, 0xf6, 0xf9],
    at: 8,
  },
  { name: '#DE of AAM 0', vector: 0, code: [0xd4, 0], at: 0 },
  { name: '#DB single step', vector: 1, code: [0x68, 2, 1, 0, 0, 0x9d, NOP, NOP], at: 7, trap: true },
  {
    name: '#DB instruction breakpoint',
    vector: 1,
    trap: true,
    code: [NOP, NOP],
    at: 1,
    prepare: (m) => {
      m.cpu.writeDr(0, CODE + 2);
      m.cpu.writeDr(7, 1);
    },
  },
  {
    name: '#DB data breakpoint',
    vector: 1,
    code: [0x89, 0x03],
    at: 2,
    trap: true,
    prepare: (m) => {
      m.s[EBX] = DATA;
      m.cpu.writeDr(0, DATA);
      m.cpu.writeDr(7, 0xd0001);
    },
  },
  { name: '#DB of INT1', vector: 1, code: [0xf1], at: 1, trap: true },
  { name: '#BP of INT3', vector: 3, code: [0xcc], at: 1, trap: true },
  { name: '#OF of INTO', vector: 4, code: [0xb0, 0x7f, 0xfe, 0xc0, 0xce], at: 5, trap: true },
  { name: '#BR of BOUND', vector: 5, code: [0xbb, 0, 0, 2, 0, 0x31, 0xc0, 0x48, 0x62, 0x03], at: 8 },
  { name: '#UD of UD2', vector: 6, code: [0x0f, 0x0b], at: 0 },
  { name: '#UD of UD1', vector: 6, code: [0x0f, 0xb9, 0xc0], at: 0 },
  { name: '#UD of LOCK', vector: 6, code: [0xf0, 0x01, 0xc0], at: 0 },
  { name: '#UD of MOV CS', vector: 6, code: [0x8e, 0xc8], at: 0 },
  { name: '#NM with TS', vector: 7, code: [0xd9, 0xe8], at: 0, prepare: (m) => m.cpu.writeCr0(m.s[CR0] | 8) },
  { name: '#NM with EM', vector: 7, code: [0xd9, 0xe8], at: 0, prepare: (m) => m.cpu.writeCr0(m.s[CR0] | 4) },
  { name: '#NM of WAIT with MP and TS', vector: 7, code: [0x9b], at: 0, prepare: (m) => m.cpu.writeCr0(m.s[CR0] | 10) },
  { name: '#NP of a data segment', vector: 11, errorCode: FREE, code: MOV_DS_AX, at: 0, prepare: selectorIn(0xc073) },
  {
    name: '#NP of a far JMP',
    vector: 11,
    errorCode: FREE,
    code: [0xea, 0, 0, 0, 0, FREE | 3, 0],
    at: 0,
    prepare: odd(0xc07b),
  },
  {
    name: '#NP of a gate, with IDT',
    vector: 11,
    errorCode: 0x20 * 8 + 2,
    code: [0xcd, 0x20],
    at: 0,
    prepare: (m) => m.gate(IDT, 0x20, KCODE, HANDLERS, 0x6e),
  },
  { name: '#SS of a stack segment', vector: 12, errorCode: FREE, code: MOV_SS_AX, at: 0, prepare: selectorIn(0xc073) },
  {
    name: '#SS of PUSH beyond the limit',
    vector: 12,
    errorCode: 0,
    code: [0x50],
    at: 0,
    prepare: (m) => {
      m.segment(SS, UDATA, 0, 0xfff, 0x40f3);
      m.cpu.stateChanged();
    },
  },
  {
    name: '#SS of an operand over EBP',
    vector: 12,
    errorCode: 0,
    code: [0x8b, 0x45, 0],
    at: 0,
    prepare: (m) => {
      m.segment(SS, UDATA, 0, 0xfff, 0x40f3);
      m.s[5] = 0x1000;
      m.cpu.stateChanged();
    },
  },
  { name: '#GP of HLT', vector: 13, errorCode: 0, code: [0xf4], at: 0 },
  { name: '#GP of CLI', vector: 13, errorCode: 0, code: [0xfa], at: 0 },
  { name: '#GP of IN', vector: 13, errorCode: 0, code: [0xe4, 0x60], at: 0 },
  { name: '#GP of INT n through a DPL 0 gate', vector: 13, errorCode: 0x20 * 8 + 2, code: [0xcd, 0x20], at: 0 },
  {
    name: '#GP of a segment load',
    vector: 13,
    errorCode: KCODE,
    code: MOV_DS_AX,
    at: 0,
    prepare: (m) => (m.s[EAX] = KCODE),
  },
  {
    name: '#GP of an operand beyond the limit',
    vector: 13,
    errorCode: 0,
    code: [0x8b, 0x03],
    at: 0,
    prepare: (m) => {
      m.segment(DS, UDATA, 0, 0xfff, 0x40f3);
      m.s[EBX] = 0x1000;
      m.cpu.stateChanged();
    },
  },
  {
    name: '#GP of an instruction of 16 bytes',
    vector: 13,
    errorCode: 0,
    code: [...new Array<number>(15).fill(0x2e), NOP],
    at: 0,
  },
  {
    name: '#GP of fetching beyond the CS limit',
    vector: 13,
    errorCode: 0,
    code: [0xeb, 0x70],
    at: 0,
    prepare: (m) => {
      m.segment(1, UCODE, 0, CODE + 0x20, 0x40fb);
      m.cpu.stateChanged();
    },
  },
  {
    name: '#PF of a read',
    vector: 14,
    errorCode: 4,
    code: [0x8b, 0x03],
    at: 0,
    prepare: (m) => {
      m.s[EBX] = DATA;
      m.mmu.unmap(DATA);
    },
  },
  {
    name: '#PF of a fetch',
    vector: 14,
    errorCode: 4,
    code: [0xe9, ...[0xfb, 0xff, 0, 0]],
    at: 0x10000,
    prepare: (m) => m.mmu.unmap(CODE + 0x10000),
  },
  {
    name: '#MF at the next waiting instruction',
    vector: 16,
    // fninit; fldcw [ebx] (all unmasked); fld1; fldz; fdivp; nop; fwait
    code: [0xdb, 0xe3, 0xd9, 0x2b, 0xd9, 0xe8, 0xd9, 0xee, 0xde, 0xf9, NOP, 0x9b],
    at: 11,
    prepare: (m) => {
      m.s[EBX] = DATA;
      m.poke16(DATA, 0x340);
      m.cpu.writeCr0(m.s[CR0] | 0x20);
    },
  },
  {
    name: '#AC',
    vector: 17,
    errorCode: 0,
    code: [0x8b, 0x03],
    at: 0,
    prepare: (m) => {
      m.s[EBX] = DATA + 1;
      m.cpu.writeCr0(m.s[CR0] | 0x40000);
      m.cpu.setEflags(0x40002);
    },
  },
];

describe('error code and saved EIP', () => {
  it.each(cases)('$name', ({ vector, errorCode, code, at, prepare, trap }) => {
    const m = new TestMachine().userMode();
    for (const gate of [3, 4]) m.gate(IDT, gate, KCODE, HANDLERS + gate * 16, 0xee);
    m.s[ECX] = 1;
    prepare?.(m);
    m.runToHalt(NOP, ...code);
    const frame = m.frame();
    expect(frame).toMatchObject({ vector, eip: CODE + 1 + at, cs: UCODE });
    expect(frame.errorCode).toBe(errorCode);
    expect(frame.ss).toBeDefined();
    expect(frame.esp).toBeLessThanOrEqual(USER_STACK);
    expect((frame.flags & FLAG_RF) !== 0, 'RF').toBe(trap !== true);
  });

  it('#TS: the inner stack is null', () => {
    const m = new TestMachine().userMode();
    m.gate(IDT, 0x20, KCODE, HANDLERS, 0xee);
    m.poke32(TSS + 8, 0);
    // Its handler needs no inner stack: conforming code, which runs at CPL 3.
    m.descriptor(GDT, FREE, 0, 0xfffff, 0xc09f);
    m.gate(IDT, 10, FREE, HANDLERS + 10 * 16, 0x8e);
    m.poke(CODE, 0xcd, 0x20);
    m.cpu.step();
    expect([m.s[EIP], m.s[ESP]]).toEqual([HANDLERS + 160, USER_STACK - 16]);
    expect([0, 4, 8].map((at) => m.peek32(USER_STACK - 16 + at))).toEqual([0, CODE, UCODE]);
  });

  it('DR6 tells a single step, a breakpoint and INT1 apart', () => {
    const bits = cases
      .filter(({ vector }) => vector === 1)
      .map(({ code, prepare }) => {
        const m = new TestMachine().userMode();
        prepare?.(m);
        m.runToHalt(NOP, ...code);
        return m.s[DR + 6] & 0xf00f;
      });
    expect(bits).toEqual([0x4000, 1, 1, 0]);
  });
});
