/**
 * The debug registers: breakpoints on code, data and ports, general detect, what DR6 gathers. SDM Vol. 3B, 17.2 "Debug Registers",
 * 17.3.1.1 "Instruction-Breakpoint Exception Condition", 17.3.1.2 "Data Memory and I/O Breakpoint Exception Conditions", 17.3.1.3
 * "General-Detect Exception Condition", 17.3.1.5 "Task-Switch Exception Condition". Single steps are in debug.spec.ts.
 */
import { CR4_DE, DR, EAX, EBX, ECX, EDI, EDX, EIP, ESI, ESP, FLAG_RF, FLAG_TF } from '@ringfence/sdk';
import { describe, expect, it } from 'vitest';
import { CODE, DATA, GDT, HANDLERS, KCODE, KDATA, TestMachine, TSS } from '../testing/machine.js';
import {
  NOP,
  DB_HANDLER,
  B0,
  B1,
  B2,
  B3,
  BD,
  BS,
  BT,
  DR6_BITS,
  machine,
  arm,
  stop,
  steps,
} from '../testing/debug-stops.js';

describe('instruction breakpoints', () => {
  it('hit before the instruction, on its first byte only', () => {
    const m = arm(machine(), 2, CODE + 2, 0);
    m.poke(CODE, 0xb8, 1, 2, 3, 4, NOP, 0x0f, 0x0b);
    expect(stop(m)).toMatchObject({ vector: 6, at: 6 });
    const first = arm(machine(), 2, CODE, 0);
    first.poke(CODE, 0xb8, 1, 2, 3, 4);
    first.s[EAX] = 0;
    expect(stop(first)).toMatchObject({ vector: 1, at: 0, dr6: B2 });
    expect(first.s[EAX]).toBe(0);
  });

  it('RF holds them off for one instruction', () => {
    const m = arm(machine(FLAG_RF | 2), 0, CODE, 0);
    arm(m, 1, CODE + 1, 0);
    m.poke(CODE, NOP, NOP);
    expect(stop(m)).toMatchObject({ vector: 1, at: 1, dr6: B1 });
  });

  it('RF survives an instruction that faults, so that it can be restarted', () => {
    const m = arm(machine(FLAG_RF | 2), 0, CODE, 0);
    m.mmu.unmap(DATA);
    m.s[EBX] = DATA;
    m.poke(CODE, 0x8a, 0x03, 0x0f, 0x0b);
    expect(stop(m)).toMatchObject({ vector: 14, at: 0, rf: true });
    m.mmu.setPage(DATA, {});
    m.s[ESP] += 4;
    m.s[EIP] = HANDLERS + 14 * 16 + 1;
    m.cpu.stateChanged();
    m.cpu.step();
    expect(stop(m)).toMatchObject({ vector: 6, at: 2 });
  });

  it('none on the instruction after MOV SS', () => {
    const m = arm(machine(), 0, CODE + 2, 0);
    m.s[EAX] = KDATA;
    m.poke(CODE, 0x8e, 0xd0, NOP, 0x0f, 0x0b);
    expect(stop(m)).toMatchObject({ vector: 6, at: 3 });
  });

  it('several at one place are reported together', () => {
    const m = machine();
    for (const n of [0, 1, 3]) arm(m, n, CODE, 0);
    m.poke(CODE, NOP);
    expect(stop(m)).toMatchObject({ vector: 1, at: 0, dr6: B0 | B1 | B3 });
  });

  it('do not hit while disabled, and local ones are as good as global ones', () => {
    const m = machine();
    m.cpu.writeDr(0, CODE);
    m.poke(CODE, NOP, 0x0f, 0x0b);
    m.cpu.writeDr(7, 1);
    expect(stop(m)).toMatchObject({ vector: 1, at: 0 });
    const off = machine();
    off.cpu.writeDr(0, CODE);
    off.poke(CODE, NOP, 0x0f, 0x0b);
    expect(stop(off)).toMatchObject({ vector: 6 });
  });
});

describe('data breakpoints', () => {
  const WRITE = [0x88, 0x03]; // mov [ebx],al
  const READ = [0x8a, 0x03];
  const WRITE4 = [0x89, 0x03];

  /** Whether an access hits: type of the breakpoint, its address and length; the access. */
  it.each<[string, number, number, number, readonly number[], number, boolean]>([
    ['write: on a write', 1, 0, 1, WRITE, 0, true],
    ['write: not on a read', 1, 0, 1, READ, 0, false],
    ['read/write: on a read', 3, 0, 1, READ, 0, true],
    ['read/write: on a write', 3, 0, 1, WRITE, 0, true],
    ['the byte before', 3, 1, 1, WRITE, 0, false],
    ['the byte after', 3, 0, 1, WRITE, 1, false],
    ['2 bytes: the second', 3, 2, 2, WRITE, 3, true],
    ['2 bytes: beyond', 3, 2, 2, WRITE, 4, false],
    ['4 bytes: the last', 3, 4, 4, WRITE, 7, true],
    ['4 bytes: beyond', 3, 4, 4, WRITE, 8, false],
    ['4 bytes: the low address bits do not count', 3, 7, 4, WRITE, 4, true],
    ['2 bytes: the low address bit does not count', 3, 3, 2, WRITE, 2, true],
    ['a longer access that ends in it', 3, 3, 1, WRITE4, 0, true],
    ['a longer access that starts in it', 3, 3, 1, WRITE4, 3, true],
    ['a longer access that ends before it', 3, 4, 1, WRITE4, 0, false],
    ['an access over a page’s end', 3, 0x1000, 1, WRITE4, 0xffe, true],
  ])('%s', (_name, rw, address, length, code, access, hit) => {
    const m = arm(machine(), 3, DATA + address, rw, length);
    m.s[EBX] = DATA + access;
    m.poke(CODE, ...code, 0x0f, 0x0b);
    if (hit) expect(stop(m)).toEqual({ vector: 1, at: 2, dr6: B3, rf: false, tf: false });
    else expect(stop(m)).toMatchObject({ vector: 6, dr6: 0 });
  });

  it('are traps: the write is done', () => {
    const m = arm(machine(), 0, DATA, 1, 4);
    m.s[EBX] = DATA;
    m.s[EAX] = 0x12345678;
    m.poke(CODE, ...WRITE4);
    stop(m);
    expect(m.peek32(DATA)).toBe(0x12345678);
  });

  it('none for an access that faulted', () => {
    const m = arm(machine(), 0, 0x70000, 1, 2);
    m.mmu.unmap(0x6f000);
    m.s[EBX] = 0x6fffe;
    m.poke(CODE, ...WRITE4); // 6FFFEh to 70001h
    expect(stop(m)).toMatchObject({ vector: 14, dr6: 0 });
  });

  it('stack accesses count: PUSH, CALL, and the frame of an interrupt', () => {
    for (const code of [[0x50], [0xe8, 0, 0, 0, 0]]) {
      const m = arm(machine(), 0, 0x8fffc, 1, 4);
      m.poke(CODE, ...code, NOP);
      expect(stop(m)).toMatchObject({ vector: 1, at: code.length, dr6: B0 });
    }
  });

  it('the frame of a debug trap can hit one too: a second trap, before the handler begins', () => {
    const m = arm(machine(), 0, 0x8fff8, 1, 4);
    m.s[EBX] = 0x8fff8; // where the first frame will have CS
    m.poke(CODE, ...WRITE4);
    m.cpu.run(100);
    expect(m.s[ESP]).toBe(0x90000 - 24);
    expect([m.peek32(0x90000 - 12), m.peek32(0x90000 - 24)]).toEqual([CODE + 2, HANDLERS + 16]);
  });

  it('several in one instruction are reported together', () => {
    const m = machine();
    arm(m, 0, DATA, 3);
    arm(m, 1, DATA + 0x100, 1);
    m.s[ESI] = DATA;
    m.s[EDI] = DATA + 0x100;
    m.poke(CODE, 0xa4);
    expect(stop(m)).toMatchObject({ vector: 1, at: 1, dr6: B0 | B1 });
  });

  it('a hit and a single step are one exception', () => {
    const m = arm(machine(FLAG_TF | 2), 0, DATA, 1);
    m.s[EBX] = DATA;
    m.poke(CODE, ...WRITE);
    expect(stop(m)).toMatchObject({ vector: 1, at: 2, dr6: B0 | BS });
  });

  it('a hit by MOV SS waits for the next instruction', () => {
    const m = arm(machine(), 0, DATA, 3, 2);
    m.poke16(DATA, KDATA);
    m.s[EBX] = DATA;
    m.poke(CODE, 0x8e, 0x13, NOP, NOP);
    expect(stop(m)).toMatchObject({ vector: 1, at: 3, dr6: B0 });
  });

  it('and when that is INT n, the trap is taken at the handler’s first instruction', () => {
    const m = arm(machine(), 0, DATA, 3, 2);
    m.poke16(DATA, KDATA);
    m.s[EBX] = DATA;
    m.poke(CODE, 0x8e, 0x13, 0xcd, 0x20);
    m.cpu.run(2);
    expect(m.s[EIP]).toBe(DB_HANDLER);
    expect(m.peek32(m.s[ESP])).toBe(HANDLERS + 0x20 * 16);
  });
});

describe('I/O breakpoints', () => {
  const IN_DX = [0xec];
  const OUT4 = [0xef];

  it.each<[string, readonly number[], number, number, number, boolean]>([
    ['IN', IN_DX, 0x60, 0x60, 1, true],
    ['OUT', [0xee], 0x60, 0x60, 1, true],
    ['another port', IN_DX, 0x61, 0x60, 1, false],
    ['within its length', IN_DX, 0x63, 0x60, 4, true],
    ['beyond its length', IN_DX, 0x64, 0x60, 4, false],
    ['a wide access that reaches it', OUT4, 0x60, 0x63, 1, true],
    ['a wide access that does not', OUT4, 0x60, 0x64, 1, false],
  ])('%s', (_name, code, port, address, length, hit) => {
    const m = machine();
    m.cpu.writeCr4(CR4_DE);
    arm(m, 1, address, 2, length);
    m.s[EDX] = port;
    m.poke(CODE, ...code, 0x0f, 0x0b);
    if (hit) expect(stop(m)).toEqual({ vector: 1, at: 1, dr6: B1, rf: false, tf: false });
    else expect(stop(m)).toMatchObject({ vector: 6, dr6: 0 });
  });

  it('are not there without CR4.DE', () => {
    const m = arm(machine(), 1, 0x60, 2);
    m.s[EDX] = 0x60;
    m.poke(CODE, ...IN_DX, 0x0f, 0x0b);
    expect(stop(m)).toMatchObject({ vector: 6, dr6: 0 });
  });

  it.each([
    ['REP INSB', 0x6c],
    ['REP OUTSB', 0x6e],
  ])('%s: after each iteration, RF set while more remain', (_name, opcode) => {
    const m = machine();
    m.cpu.writeCr4(CR4_DE);
    arm(m, 0, 0x60, 2);
    m.s[EDX] = 0x60;
    m.s[ECX] = 2;
    m.s[ESI] = m.s[EDI] = DATA;
    const [first, second] = steps(m, [0xf3, opcode, NOP], 2);
    expect(first).toEqual({ vector: 1, at: 0, dr6: B0, rf: true, tf: false });
    expect(second).toEqual({ vector: 1, at: 2, dr6: B0, rf: false, tf: false });
    expect([m.s[ECX], m.bus.log.length]).toEqual([0, 2]);
  });

  it('the access is done before the trap; a refused access does not hit', () => {
    const m = machine();
    m.cpu.writeCr4(CR4_DE);
    m.bus.script(0x60, 0x5a);
    arm(m, 0, 0x60, 2);
    m.s[EDX] = 0x60;
    m.poke(CODE, ...IN_DX);
    stop(m);
    expect(m.s[EAX] & 0xff).toBe(0x5a);
    const user = new TestMachine().userMode();
    user.cpu.writeCr4(CR4_DE);
    arm(user, 0, 0x60, 2);
    user.s[EDX] = 0x60;
    expect(user.trap(...IN_DX).vector).toBe(13);
    expect(user.s[DR + 6] & DR6_BITS).toBe(0);
  });
});

describe('DR6 and DR7', () => {
  it('DR6 is never cleared by the processor', () => {
    const m = arm(machine(FLAG_TF | 2), 0, DATA, 1);
    m.cpu.writeDr(6, BT | B3);
    m.poke(CODE, NOP);
    expect(stop(m).dr6).toBe(BT | B3 | BS);
  });

  it('reserved bits: DR6 reads FFFF0FF0h, DR7 bit 10 reads 1, bits 11, 12, 14, 15 read 0', () => {
    const m = machine();
    m.cpu.writeDr(6, 0);
    expect(m.s[DR + 6] >>> 0).toBe(0xffff0ff0);
    m.cpu.writeDr(6, -1);
    expect(m.s[DR + 6] >>> 0).toBe(0xffffefff);
    m.cpu.writeDr(7, 0);
    expect(m.s[DR + 7]).toBe(0x400);
    m.cpu.writeDr(7, -1 & ~0x2000);
    expect(m.s[DR + 7] >>> 0).toBe(0xffff07ff);
  });

  it('DR4 and DR5 are DR6 and DR7 while CR4.DE is 0', () => {
    const m = machine();
    m.poke(CODE, 0x0f, 0x23, 0xe0, 0x0f, 0x21, 0xe9); // mov dr4,eax; mov ecx,dr5
    m.s[EAX] = 0xf;
    m.cpu.run(2);
    expect([m.s[DR + 6] & 0xf, m.s[ECX]]).toEqual([0xf, m.s[DR + 7]]);
  });

  it.each([
    ['MOV from DR0', [0x0f, 0x21, 0xc0]],
    ['MOV to DR3', [0x0f, 0x23, 0xd8]],
    ['MOV from DR6', [0x0f, 0x21, 0xf0]],
    ['MOV to DR7', [0x0f, 0x23, 0xf8]],
  ])('GD: %s at CPL 0 is #DB; at CPL 3 it is #GP(0) and GD stays', (_name, code) => {
    const m = machine();
    m.cpu.writeDr(7, 0x2000);
    m.poke(CODE, ...code);
    expect(stop(m)).toMatchObject({ vector: 1, at: 0, dr6: BD });
    const user = new TestMachine().userMode();
    user.cpu.writeDr(7, 0x2000);
    expect(user.trap(...code)).toMatchObject({ vector: 13, errorCode: 0 });
    expect([user.s[DR + 7] & 0x2000, user.s[DR + 6] & DR6_BITS]).toEqual([0x2000, 0]);
  });

  it('the T bit of a new task’s TSS: a trap before its first instruction', () => {
    const m = machine();
    const tss = 0x7000;
    m.descriptor(GDT, 0x40, tss, 0x67, 0x89);
    m.poke32(tss + 0x20, CODE + 0x40);
    m.poke32(tss + 0x24, 2);
    m.poke32(tss + 0x38, 0x88000);
    m.poke32(tss + 0x4c, KCODE);
    for (const at of [0x48, 0x50, 0x54, 0x58, 0x5c]) m.poke32(tss + at, KDATA);
    m.poke16(tss + 0x64, 1);
    m.poke(CODE, 0xea, 0, 0, 0, 0, 0x40, 0);
    m.poke(CODE + 0x40, 0x0f, 0x0b);
    expect(stop(m)).toMatchObject({ vector: 1, at: 0x40, dr6: BT });
    expect(m.peek32(TSS + 0x20)).toBe(CODE + 7);
  });
});
