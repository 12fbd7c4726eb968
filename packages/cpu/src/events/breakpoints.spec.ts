/** Single stepping, RF, debug registers, and the shadows of MOV SS and STI. */
import {
  CR4,
  CR4_DE,
  DR,
  EAX,
  ECX,
  EDI,
  EFLAGS,
  EIP,
  ESP,
  FLAG_IF,
  FLAG_RF,
  FLAG_TF,
  HALTED,
  STOP_BUDGET,
  STOP_HALT,
} from '@ringfence/sdk';
import { describe, expect, it } from 'vitest';
import { CODE, DATA, HANDLERS, KDATA, TestMachine } from '../testing/machine.js';

const NOP = 0x90;
const HLT = 0xf4;
const INC_EAX = 0x40;

function machine(flags = 0): TestMachine {
  const m = new TestMachine().protectedMode();
  m.cpu.setEflags(flags);
  return m;
}

/** Runs with a #DB handler that only returns, and logs where each trap came from and what DR6 said. */
function traps(m: TestMachine, code: readonly number[], most = 100): string[] {
  m.poke(CODE, ...code);
  const log: string[] = [];
  for (let i = 0; i < most; i++) {
    const before = m.s[EIP];
    m.cpu.step();
    if (m.s[EIP] === HANDLERS + 16 && before !== m.s[EIP]) {
      log.push(`${(m.peek32(m.s[ESP]) - CODE).toString(16)} dr6=${(m.s[DR + 6] & 0xe00f).toString(16)}`);
      m.s[DR + 6] &= ~0xe00f;
      // return from the handler
      const flags = m.peek32(m.s[ESP] + 8);
      m.s[EIP] = m.peek32(m.s[ESP]);
      m.s[ESP] += 12;
      m.cpu.setEflags(flags);
      m.cpu.stateChanged();
    }
    if (m.s[HALTED] !== 0) break;
  }
  return log;
}

describe('TF', () => {
  it('traps after each instruction, with BS in DR6 and EIP at the next', () => {
    expect(traps(machine(FLAG_TF), [NOP, INC_EAX, NOP, HLT], 3)).toEqual(['1 dr6=4000', '2 dr6=4000', '3 dr6=4000']);
  });

  it('traps after each iteration of a REP, RF set until the last', () => {
    const m = machine(FLAG_TF);
    m.s[ECX] = 3;
    m.s[EDI] = DATA;
    m.poke(CODE, 0xf3, 0xaa, NOP);
    const rf: number[] = [];
    for (let i = 0; i < 3; i++) {
      m.cpu.run(1);
      expect(m.s[EIP]).toBe(HANDLERS + 16);
      rf.push(m.peek32(m.s[ESP] + 8) & FLAG_RF);
      m.cpu.run(0);
      m.poke(HANDLERS + 16, 0xcf);
      m.cpu.run(1);
    }
    expect(rf).toEqual([FLAG_RF, FLAG_RF, 0]);
    expect([m.s[ECX], m.cpu.retired()]).toEqual([0, 6]);
  });

  it('set by POPF takes effect after the next instruction, cleared by POPF traps once more', () => {
    // push 102h; popfd; nop; push 2; popfd; nop; hlt
    const code = [0x68, 2, 1, 0, 0, 0x9d, NOP, 0x6a, 2, 0x9d, NOP, HLT];
    expect(traps(machine(), code)).toEqual(['7 dr6=4000', '9 dr6=4000', 'a dr6=4000']);
  });

  it('is off in the handler, and an instruction that faults does not trap', () => {
    const m = machine(FLAG_TF);
    const frame = m.trap(0x0f, 0x0b);
    expect(frame).toMatchObject({ vector: 6, eip: CODE });
    expect(frame.flags & FLAG_TF).toBe(FLAG_TF);
    expect(m.s[EFLAGS] & FLAG_TF).toBe(0);
    expect(m.s[DR + 6] & 0x4000).toBe(0);
  });

  it('INT n does not trap itself; its handler runs unstepped', () => {
    const m = machine(FLAG_TF);
    m.poke(CODE, 0xcd, 0x20);
    m.cpu.step();
    expect(m.s[EIP]).toBe(HANDLERS + 0x20 * 16);
    expect(m.peek32(m.s[ESP] + 8) & FLAG_TF).toBe(FLAG_TF);
  });

  it('HLT with TF traps and does not wait', () => {
    const m = machine(FLAG_TF);
    m.poke(HANDLERS + 16, NOP, NOP, NOP);
    m.poke(CODE, HLT);
    expect(m.cpu.run(2)).toBe(STOP_BUDGET);
    expect([m.s[HALTED], m.s[EIP]]).toEqual([0, HANDLERS + 17]);
  });

  it('is inhibited after MOV SS: the trap comes after the next instruction', () => {
    const m = machine(FLAG_TF);
    m.s[EAX] = KDATA;
    expect(traps(m, [0x8e, 0xd0, NOP, NOP, HLT], 3)).toEqual(['3 dr6=4000', '4 dr6=4000']);
  });

  it('the second MOV SS in a row opens no new shadow', () => {
    const m = machine(FLAG_TF);
    m.s[EAX] = KDATA;
    expect(traps(m, [0x8e, 0xd0, 0x8e, 0xd0, NOP, HLT], 3)).toEqual(['4 dr6=4000', '5 dr6=4000']);
  });
});

describe('interrupt shadows', () => {
  function pending(m: TestMachine): TestMachine {
    m.bus.vectors.push(0x30);
    m.bus.onAcknowledge = () => m.cpu.setIntr(false);
    m.cpu.setIntr(true);
    return m;
  }

  it('STI holds interrupts off for one instruction', () => {
    const m = pending(machine());
    m.runToHalt(0xfb, INC_EAX, INC_EAX, HLT);
    expect(m.frame()).toMatchObject({ vector: 0x30, eip: CODE + 2 });
    expect(m.s[EAX]).toBe(1);
  });

  it('STI; HLT sleeps only until the interrupt that was pending', () => {
    const m = pending(machine());
    m.runToHalt(0xfb, HLT, NOP);
    expect(m.frame()).toMatchObject({ vector: 0x30, eip: CODE + 2 });
  });

  it('STI; CLI lets nothing in', () => {
    const m = pending(machine());
    m.runToHalt(0xfb, 0xfa, INC_EAX, HLT);
    expect(m.s[EAX]).toBe(1);
  });

  it('STI with interrupts already on opens no shadow', () => {
    const m = machine(FLAG_IF);
    m.poke(CODE, 0xfb, INC_EAX, HLT);
    m.cpu.run(1);
    pending(m);
    m.cpu.run(100);
    expect(m.frame()).toMatchObject({ eip: CODE + 1 });
  });

  it('MOV SS and POP SS hold interrupts off for one instruction', () => {
    for (const code of [
      [0x8e, 0xd0],
      [0x50, 0x17],
    ]) {
      const m = machine(FLAG_IF);
      m.s[EAX] = KDATA;
      m.poke(CODE, ...code, 0x43, 0x43, HLT);
      m.cpu.run(code[0] === 0x50 ? 2 : 1);
      pending(m);
      expect(m.cpu.interruptDeliverable()).toBe(false);
      m.cpu.run(100);
      expect(m.frame()).toMatchObject({ eip: CODE + 3 });
    }
  });

  it('the shadow is state: it survives a save and load', () => {
    const m = machine();
    m.poke(CODE, 0xfb, INC_EAX, INC_EAX, HLT);
    m.cpu.run(1);
    m.cpu.loadState(structuredClone(m.cpu.saveState()));
    pending(m);
    expect(m.cpu.interruptDeliverable()).toBe(false);
    m.cpu.run(100);
    expect(m.frame()).toMatchObject({ eip: CODE + 2 });
  });
});

describe('instruction breakpoints', () => {
  it('are faults before the instruction, push RF as it was, and resume with RF', () => {
    const m = machine();
    m.cpu.writeDr(0, CODE + 1);
    m.cpu.writeDr(7, 1);
    m.poke(HANDLERS + 16, 0x81, 0x4c, 0x24, 8, 0, 0, 1, 0, 0xcf); // or dword [esp+8], 10000h; iret
    m.poke(CODE, INC_EAX, INC_EAX, INC_EAX, HLT);
    expect(m.cpu.run(100)).toBe(STOP_HALT);
    expect([m.s[EAX], m.s[EIP]]).toEqual([3, CODE + 4]);
    expect(m.s[DR + 6] & 0xf).toBe(1);
    expect(m.cpu.retired()).toBe(6);
    expect(m.s[EFLAGS] & FLAG_RF).toBe(0);
  });

  it('hit before a fault of the same instruction and push RF = 0', () => {
    const m = machine();
    m.cpu.writeDr(1, CODE);
    m.cpu.writeDr(7, 4);
    const frame = m.trap(0x0f, 0x0b);
    expect(frame).toMatchObject({ vector: 1, eip: CODE });
    expect(frame.flags & FLAG_RF).toBe(0);
    expect(m.s[DR + 6] & 0xf).toBe(2);
  });

  it('do not hit again between iterations of a REP', () => {
    const m = machine();
    m.s[ECX] = 5;
    m.s[EDI] = DATA;
    m.cpu.writeDr(0, CODE);
    m.cpu.writeDr(7, 1);
    m.cpu.setEflags(FLAG_RF);
    m.poke(CODE, 0xf3, 0xaa, HLT);
    for (let i = 0; i < 5; i++) expect(m.cpu.run(1)).toBe(STOP_BUDGET);
    expect([m.s[ECX], m.s[DR + 6] & 15]).toEqual([0, 0]);
  });

  it('are held off by the shadow of MOV SS', () => {
    const m = machine();
    m.s[EAX] = KDATA;
    m.cpu.writeDr(0, CODE + 2);
    m.cpu.writeDr(7, 1);
    m.runToHalt(0x8e, 0xd0, NOP, HLT);
    expect(m.s[EIP]).toBe(CODE + 4);
  });
});

describe('data breakpoints', () => {
  const WRITE4 = 0xd0001;
  const READ_WRITE4 = 0xf0001;
  const WRITE1 = 0x10001;

  function watch(dr7: number, at = DATA): TestMachine {
    const m = machine();
    m.cpu.writeDr(0, at);
    m.cpu.writeDr(7, dr7);
    return m;
  }

  it('trap after the write', () => {
    const m = watch(WRITE4);
    expect(m.trap(0xa3, 0, 0, 2, 0, NOP)).toMatchObject({ vector: 1, eip: CODE + 5 });
    expect(m.s[DR + 6] & 15).toBe(1);
  });

  it('a write breakpoint ignores reads, a read/write one does not', () => {
    expect(watch(WRITE4).runToHalt(0xa1, 0, 0, 2, 0, HLT).s[EIP]).toBe(CODE + 6);
    expect(watch(READ_WRITE4).trap(0xa1, 0, 0, 2, 0, HLT)).toMatchObject({ vector: 1 });
  });

  it.each([
    [WRITE4, DATA, DATA + 3, 1, true],
    [WRITE4, DATA, DATA + 4, 1, false],
    [WRITE4, DATA + 2, DATA, 1, true], // the address is aligned to the length
    [WRITE1, DATA + 2, DATA + 2, 1, true],
    [WRITE1, DATA + 2, DATA + 3, 1, false],
    [WRITE1, DATA + 2, DATA, 4, true], // any overlap
    [WRITE4, DATA, DATA - 1, 4, true],
    [WRITE4, DATA, DATA - 4, 4, false],
  ])('dr7=%i at %i, access at %i of %i bytes: %s', (dr7, at, address, size, hit) => {
    const m = watch(dr7, at);
    const low = [address & 0xff, (address >> 8) & 0xff, (address >> 16) & 0xff, 0];
    m.runToHalt(...(size === 1 ? [0xa2, ...low] : [0xa3, ...low]), HLT);
    expect(m.s[EIP] === HANDLERS + 17).toBe(hit);
  });

  it('stop a REP after the iteration that hit', () => {
    const m = watch(WRITE1, DATA + 2);
    m.s[ECX] = 8;
    m.s[EDI] = DATA;
    expect(m.trap(0xf3, 0xaa, HLT)).toMatchObject({ vector: 1, eip: CODE });
    expect([m.s[ECX], m.s[EDI]]).toEqual([5, DATA + 3]);
  });

  it('hit by MOV SS wait for the next instruction', () => {
    const m = watch(READ_WRITE4);
    m.poke16(DATA, KDATA);
    expect(m.trap(0x8e, 0x15, 0, 0, 2, 0, INC_EAX, HLT)).toMatchObject({ vector: 1, eip: CODE + 7 });
    expect(m.s[EAX]).toBe(1);
  });

  it('and TF together are one trap with both bits', () => {
    const m = watch(WRITE4);
    m.cpu.setEflags(FLAG_TF);
    m.trap(0xa3, 0, 0, 2, 0, HLT);
    expect(m.s[DR + 6] & 0x400f).toBe(0x4001);
  });

  it('switched off, the page is fast again', () => {
    const m = watch(WRITE4);
    m.cpu.writeDr(7, 0);
    m.runToHalt(0xa3, 0, 0, 2, 0, HLT);
    expect(m.s[EIP]).toBe(CODE + 6);
  });
});

describe('the registers themselves', () => {
  it('GD makes MOV DR a fault with BD, and the handler finds GD clear', () => {
    const m = machine();
    m.cpu.writeDr(7, 0x2000);
    const frame = m.trap(0x0f, 0x21, 0xc0);
    expect(frame).toMatchObject({ vector: 1, eip: CODE });
    expect([m.s[DR + 6] & 0x2000, m.s[DR + 7] & 0x2000]).toEqual([0x2000, 0]);
  });

  it('DR4 and DR5 are DR6 and DR7 unless CR4.DE is set', () => {
    const m = machine();
    m.runToHalt(0x0f, 0x21, 0xe0, HLT); // mov eax, dr4
    expect(m.s[EAX]).toBe(m.s[DR + 6]);
    const de = machine();
    de.cpu.writeCr4(CR4_DE);
    expect(de.s[CR4]).toBe(CR4_DE);
    expect(de.trap(0x0f, 0x21, 0xe0)).toMatchObject({ vector: 6 });
  });

  it('I/O breakpoints need CR4.DE and trap after the access', () => {
    const m = machine();
    m.cpu.writeCr4(CR4_DE);
    m.cpu.writeDr(0, 0x60);
    m.cpu.writeDr(7, 0x20001);
    expect(m.trap(0xe4, 0x60, NOP, HLT)).toMatchObject({ vector: 1, eip: CODE + 2 });
    expect(m.bus.log).toEqual(['in 60/1 = ff']);
  });
});
