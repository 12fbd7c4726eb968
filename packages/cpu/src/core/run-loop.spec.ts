/** The run loop: exact budgets, what counts, stops, HLT, interrupts between REP iterations. */
import {
  EAX,
  ECX,
  EDI,
  EFLAGS,
  EIP,
  FLAG_IF,
  FLAG_RF,
  HALTED,
  STEP_FAULTED,
  STEP_HALTED,
  STEP_RETIRED,
  STEP_SHUTDOWN,
  STOP_BUDGET,
  STOP_HALT,
  STOP_REQUESTED,
  STOP_SHUTDOWN,
} from '@ringfence/sdk';
import { describe, expect, it } from 'vitest';
import { CODE, DATA, HANDLERS, TestMachine } from '../testing/machine.js';

const NOP = 0x90;
const HLT = 0xf4;
const INC_EAX = 0x40;

function machine(): TestMachine {
  return new TestMachine().protectedMode();
}

describe('budget', () => {
  it('stops at the exact count, in the middle of a block', () => {
    const m = machine();
    m.poke(CODE, ...new Array<number>(50).fill(INC_EAX), HLT);
    for (const budget of [1, 2, 3, 10, 0, 7]) {
      const before = m.cpu.retired();
      expect(m.cpu.run(budget)).toBe(STOP_BUDGET);
      expect(m.cpu.retired() - before).toBe(budget);
      expect(m.s[EAX]).toBe(m.cpu.retired());
      expect(m.s[EIP]).toBe(CODE + m.cpu.retired());
    }
    expect(m.cpu.run(1000)).toBe(STOP_HALT);
    expect(m.cpu.retired()).toBe(51);
  });

  it('counts each REP iteration and stops between two of them', () => {
    const m = machine();
    m.s[ECX] = 100;
    m.s[EDI] = DATA;
    m.s[EAX] = 0x5a;
    m.poke(CODE, NOP, 0xf3, 0xaa, NOP, HLT); // rep stosb
    expect(m.cpu.run(31)).toBe(STOP_BUDGET);
    expect([m.s[ECX], m.s[EDI], m.s[EIP]]).toEqual([70, DATA + 30, CODE + 1]);
    expect(m.s[EFLAGS] & FLAG_RF).toBe(FLAG_RF);
    expect(m.cpu.run(70)).toBe(STOP_BUDGET);
    expect([m.s[ECX], m.s[EDI], m.s[EIP]]).toEqual([0, DATA + 100, CODE + 3]);
    expect(m.s[EFLAGS] & FLAG_RF).toBe(0);
    expect(m.cpu.retired()).toBe(101);
    expect(m.peek8(DATA + 99)).toBe(0x5a);
    expect(m.peek8(DATA + 100)).toBe(0);
  });

  it('gives every partition of a run the same course', () => {
    // A loop with a REP inside: any way of cutting the budget must pass through the same states.
    const program = [0xb9, 5, 0, 0, 0, 0x47, 0xf3, 0xab, 0x40, 0xeb, 0xf5]; // mov ecx,5; inc edi; rep stosd; inc eax; jmp
    const whole = machine();
    const parts = machine();
    for (const m of [whole, parts]) {
      m.s[EDI] = DATA;
      m.poke(CODE, ...program);
    }
    let seed = 1;
    for (let done = 0; done < 500;) {
      seed = (seed * 1103515245 + 12345) & 0x7fffffff;
      const cut = 1 + ((seed >> 16) % 13);
      parts.cpu.run(cut);
      done += cut;
      whole.cpu.run(cut === 1 ? 1 : cut - 1);
      if (cut > 1) whole.cpu.run(1);
      expect(parts.cpu.saveState()).toEqual(whole.cpu.saveState());
    }
  });

  it('tells the exact count to a device in the middle of a block', () => {
    const m = machine();
    const seen: number[] = [];
    m.bus.onRead(0x50, () => seen.push(m.cpu.retired()));
    m.runToHalt(NOP, NOP, 0xe4, 0x50, NOP, 0xe4, 0x50, HLT);
    expect(seen).toEqual([2, 4]);
  });

  it('takes no budget for uncounted rings', () => {
    const m = new TestMachine().userMode();
    m.cpu.setCountedRings(0b1110);
    // Ring 3 counts; its fault enters ring 0, whose handler (HLT) runs though the budget would be spent.
    m.poke(CODE, NOP, NOP, NOP, HLT);
    expect(m.cpu.run(4)).toBe(STOP_HALT);
    expect(m.cpu.retired()).toBe(3);
    expect(m.frame()).toMatchObject({ vector: 13, errorCode: 0, eip: CODE + 3 });
  });

  it('adds what the monitor completed', () => {
    const m = machine();
    m.poke(CODE, NOP, NOP);
    m.cpu.run(1);
    m.cpu.addRetired(41);
    expect(m.cpu.retired()).toBe(42);
    m.cpu.run(1);
    expect(m.cpu.retired()).toBe(43);
  });
});

describe('stops', () => {
  it('requestStop from a device stops after that instruction', () => {
    const m = machine();
    m.bus.onWrite(0x80, () => m.cpu.requestStop());
    m.poke(CODE, NOP, 0xe6, 0x80, INC_EAX, HLT);
    expect(m.cpu.run(1000)).toBe(STOP_REQUESTED);
    expect(m.s[EIP]).toBe(CODE + 3);
    expect(m.cpu.run(1000)).toBe(STOP_HALT);
    expect(m.s[EAX] & 0xff).toBe(1);
  });

  it('stays halted until something deliverable comes', () => {
    const m = machine();
    m.runToHalt(HLT, HLT);
    expect(m.cpu.retired()).toBe(1);
    m.cpu.setIntr(true); // IF is clear
    expect(m.cpu.run(10)).toBe(STOP_HALT);
    m.s[EFLAGS] |= FLAG_IF;
    m.cpu.stateChanged();
    m.bus.vectors.push(0x30);
    m.bus.onAcknowledge = () => m.cpu.setIntr(false);
    expect(m.cpu.interruptDeliverable()).toBe(true);
    expect(m.cpu.run(10)).toBe(STOP_HALT);
    expect(m.frame()).toMatchObject({ vector: 0x30, eip: CODE + 1 });
    expect(m.cpu.retired()).toBe(2); // the handler's HLT
  });

  it('shuts down on a triple fault and stays so until reset', () => {
    const m = machine();
    m.cpu.lidt(0, 0);
    m.poke(CODE, 0x0f, 0x0b);
    expect(m.cpu.run(10)).toBe(STOP_SHUTDOWN);
    expect(m.s[EIP]).toBe(CODE);
    expect(m.cpu.run(10)).toBe(STOP_SHUTDOWN);
    expect(m.cpu.step()).toBe(STEP_SHUTDOWN);
    m.cpu.reset();
    expect(m.cpu.saveState().data.shutdown).toBe(0);
  });
});

describe('interrupts', () => {
  it('are taken between two iterations of a REP, at the count the line rose', () => {
    const m = machine();
    m.s[EFLAGS] |= FLAG_IF;
    m.s[ECX] = 50;
    m.s[EDI] = DATA;
    m.cpu.stateChanged();
    m.poke(CODE, 0xf3, 0xab, HLT);
    expect(m.cpu.run(20)).toBe(STOP_BUDGET);
    m.bus.vectors.push(0x30);
    m.bus.onAcknowledge = () => m.cpu.setIntr(false);
    m.cpu.setIntr(true);
    expect(m.cpu.run(1000)).toBe(STOP_HALT);
    const frame = m.frame();
    expect(frame).toMatchObject({ vector: 0x30, eip: CODE });
    expect(frame.flags & FLAG_RF).toBe(FLAG_RF);
    expect(m.s[ECX]).toBe(30);
    // The handler's IRET resumes the string.
    m.s[HALTED] = 0;
    m.cpu.stateChanged();
    expect(m.cpu.run(1000)).toBe(STOP_HALT);
    expect([m.s[ECX], m.s[EIP]]).toEqual([0, CODE + 3]);
    expect(m.s[EFLAGS] & FLAG_RF).toBe(0);
  });

  it('raised by a device access are taken right after the instruction', () => {
    const m = machine();
    m.bus.onWrite(0x80, () => m.cpu.setIntr(true));
    m.bus.onAcknowledge = () => m.cpu.setIntr(false);
    m.bus.vectors.push(0x31);
    m.runToHalt(0xfb, NOP, 0xe6, 0x80, INC_EAX, HLT);
    expect(m.frame()).toMatchObject({ vector: 0x31, eip: CODE + 4 });
  });

  it('NMI is delivered once, and blocked until IRET', () => {
    const m = machine();
    m.poke(HANDLERS + 2 * 16, NOP, NOP, 0xcf); // NMI handler: nop; nop; iret
    m.poke(CODE, NOP, NOP, INC_EAX, HLT);
    m.cpu.raiseNmi();
    expect(m.cpu.run(1)).toBe(STOP_BUDGET);
    expect(m.s[EIP]).toBe(HANDLERS + 33);
    m.cpu.raiseNmi();
    expect(m.cpu.interruptDeliverable()).toBe(false);
    expect(m.cpu.run(2)).toBe(STOP_BUDGET); // nop, iret
    expect(m.s[EIP]).toBe(CODE);
    expect(m.cpu.interruptDeliverable()).toBe(true);
    expect(m.cpu.run(1)).toBe(STOP_BUDGET);
    expect(m.s[EIP]).toBe(HANDLERS + 33);
  });
});

describe('step', () => {
  it('executes one instruction or one REP iteration', () => {
    const m = machine();
    m.s[ECX] = 3;
    m.s[EDI] = DATA;
    m.poke(CODE, INC_EAX, 0xf3, 0xaa, HLT);
    expect(m.cpu.step()).toBe(STEP_RETIRED);
    expect(m.cpu.lastInstruction).toMatchObject({ mnemonic: 'inc', length: 1, system: false });
    expect(m.cpu.step()).toBe(STEP_RETIRED);
    expect([m.s[ECX], m.s[EIP]]).toEqual([2, CODE + 1]);
    m.cpu.step();
    m.cpu.step();
    expect([m.s[ECX], m.s[EIP]]).toEqual([0, CODE + 3]);
    expect(m.cpu.peek()).toMatchObject({ mnemonic: 'hlt', length: 1, system: true });
    expect(m.cpu.step()).toBe(STEP_HALTED);
    expect(m.cpu.retired()).toBe(5);
  });

  it('delivers the fault an instruction raises, which retires nothing', () => {
    const m = machine();
    m.poke(CODE, 0x0f, 0x0b);
    expect(m.cpu.step()).toBe(STEP_FAULTED);
    expect(m.s[EIP]).toBe(HANDLERS + 6 * 16);
    expect(m.cpu.retired()).toBe(0);
  });

  it('peeks without touching anything, undefined where nothing can be fetched', () => {
    const m = machine();
    m.poke(CODE, 0x81, 0x05, 1, 2, 3, 4, 5, 6, 7, 8);
    const before = m.cpu.saveState();
    expect(m.cpu.peek()).toMatchObject({ mnemonic: 'add', length: 10 });
    expect(m.cpu.saveState()).toEqual(before);
    m.mmu.unmap(CODE);
    expect(m.cpu.peek()).toBeUndefined();
  });
});
