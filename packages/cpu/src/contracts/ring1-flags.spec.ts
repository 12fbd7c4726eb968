/**
 * The assist `vif`: what CLI, STI, PUSHF, POPF and IRET do at CPL 1. The contract is ADR 0022's: a kernel in ring 1 sees and
 * changes through VIF what the same kernel in ring 0 sees and changes in IF, instruction by instruction, or #GP(0) leaves everything as it was.
 */
import {
  ASSIST_TRAP_SENSITIVE,
  ASSIST_VIRTUAL_IF,
  ASSIST_VIRTUAL_RETURN,
  CPL,
  CS,
  DS,
  EFLAGS,
  EIP,
  ES,
  ESP,
  FLAG_AC,
  FLAG_CF,
  FLAG_DF,
  FLAG_ID,
  FLAG_IF,
  FLAG_IOPL,
  FLAG_NT,
  FLAG_OF,
  FLAG_RF,
  FLAG_TF,
  FLAG_VIF,
  FLAG_VIP,
  FLAG_VM,
  FS,
  GS,
  HALTED,
  MSR_ASSIST_INDEX,
  SEG,
  SHADOW,
  SS,
  type CpuModel,
} from '@ringfence/sdk';
import { describe, expect, it } from 'vitest';
import { I486, P6 } from '../models.js';
import {
  CODE,
  DATA,
  FREE,
  GDT,
  KCODE,
  KDATA,
  KERNEL_STACK,
  TSS,
  TestMachine,
  UCODE,
  UDATA,
  USER_STACK,
} from '../testing/machine.js';

const STACK = 0x70000;
const CLI = 0xfa;
const STI = 0xfb;
const PUSHF = 0x9c;
const POPF = 0x9d;
const IRET = 0xcf;
const NOP = 0x90;

/** In ring 0 without an assist. `flags` as that kernel sees them. */
function ring0(flags: number, model: CpuModel = P6): TestMachine {
  const m = new TestMachine({ model }).protectedMode();
  m.s[ESP] = STACK;
  m.s[EFLAGS] = flags | 2;
  m.cpu.stateChanged();
  return m;
}

/** The same kernel in ring 1: its descriptors have DPL 1, IF is 1, and VIF is its IF. */
function ring1(flags: number, model: CpuModel = P6): TestMachine {
  const m = new TestMachine({ assist: 'vif', model }).protectedMode();
  const { s } = m;
  // Gates and the ring-0 stack need a code and a stack segment of ring 0: elsewhere.
  m.descriptor(GDT, 0x48, 0, 0xfffff, 0xc09b);
  m.descriptor(GDT, 0x50, 0, 0xfffff, 0xc093);
  for (let vector = 0; vector < 64; vector++) m.poke16(0x2000 + vector * 8 + 2, 0x48);
  m.poke32(TSS + 8, 0x50);
  m.descriptor(GDT, KCODE, 0, 0xfffff, 0xc0bb);
  m.descriptor(GDT, KDATA, 0, 0xfffff, 0xc0b3);
  s[CPL] = 1;
  m.segment(CS, KCODE | 1, 0, -1, 0xc0bb);
  m.segment(SS, KDATA | 1, 0, -1, 0xc0b3);
  for (const seg of [DS, ES, FS, GS]) m.segment(seg, KDATA, 0, -1, 0xc0b3);
  s[ESP] = STACK;
  s[EFLAGS] = (flags & ~FLAG_IF) | FLAG_IF | ((flags & FLAG_IF) !== 0 ? FLAG_VIF : 0) | 2;
  m.cpu.stateChanged();
  m.cpu.wrmsr(MSR_ASSIST_INDEX, ASSIST_TRAP_SENSITIVE | ASSIST_VIRTUAL_IF | ASSIST_VIRTUAL_RETURN, 0);
  return m;
}

/** What the kernel, or what it returned to, can tell of the state. */
function seen(m: TestMachine): unknown {
  const { s } = m;
  const virtual = m.cpu.assist === 'vif';
  const flags = m.cpu.getEflags();
  const level = s[CPL] === 1 ? 0 : s[CPL];
  const own = (seg: number): unknown => {
    const [selector, base, limit, access] = s.subarray(SEG + seg * 4, SEG + seg * 4 + 4);
    const inner = virtual && (access & 0x60) === 0x20;
    return [inner ? selector & ~1 : selector, base, limit, inner ? access & ~0x60 : access];
  };
  return {
    flags: virtual ? (flags & ~(FLAG_IF | FLAG_VIF | FLAG_VIP)) | ((flags & FLAG_VIF) !== 0 ? FLAG_IF : 0) : flags,
    eip: s[EIP],
    esp: s[ESP],
    level,
    segments: [ES, CS, SS, DS, FS, GS].map(own),
    shadow: s[SHADOW],
    retired: m.cpu.retired(),
    stack: Array.from({ length: 8 }, (_, i) => m.peek32(STACK - 16 + i * 4)),
  };
}

function both(flags: number, model?: CpuModel): TestMachine[] {
  return [ring0(flags, model), ring1(flags, model)];
}

function run(m: TestMachine, count: number, ...code: readonly number[]): TestMachine {
  m.poke(CODE, ...code);
  m.cpu.run(count);
  return m;
}

function words(m: TestMachine, size: 2 | 4, ...values: readonly number[]): void {
  values.forEach((value, i) => (size === 4 ? m.poke32(STACK + i * 4, value) : m.poke16(STACK + i * 2, value)));
}

const EVERYDAY = [0, FLAG_IF, FLAG_CF | FLAG_DF, FLAG_IF | FLAG_AC | FLAG_ID | FLAG_OF];

describe('the kernel sees in ring 1 what it sees in ring 0', () => {
  it.each(EVERYDAY)('with flags %i: CLI, STI, PUSHF and their 16-bit forms', (flags) => {
    for (const code of [[CLI], [STI], [PUSHF], [0x66, PUSHF]]) {
      const [bare, deprivileged] = both(flags).map((m) => seen(run(m, 1, ...code, NOP)));
      expect(deprivileged, code.join()).toEqual(bare);
    }
  });

  it.each(EVERYDAY)('POPF from flags %i', (flags) => {
    for (const image of [
      0,
      FLAG_IF,
      FLAG_CF,
      FLAG_IF | FLAG_DF | FLAG_AC | FLAG_ID,
      FLAG_RF | FLAG_VM | FLAG_VIF | FLAG_VIP,
    ]) {
      for (const size of [2, 4] as const) {
        const [bare, deprivileged] = both(flags).map((m) => {
          words(m, size, image);
          return seen(run(m, 1, ...(size === 2 ? [0x66, POPF] : [POPF]), NOP));
        });
        expect(deprivileged, `${image} ${size}`).toEqual(bare);
      }
    }
  });

  it.each(EVERYDAY)('IRET from flags %i, to itself and to ring 3', (flags) => {
    for (const image of [2, FLAG_IF | 2, FLAG_IF | FLAG_AC | FLAG_ID | FLAG_OF | 2]) {
      for (const frame of [
        [CODE + 0x40, KCODE, image],
        [CODE + 0x40, UCODE, image, USER_STACK, UDATA],
      ]) {
        for (const size of [2, 4] as const) {
          // A 16-bit frame holds 16 bits of each; nothing is executed there.
          const near = size === 2 ? frame.map((word, i) => (i === 0 ? 0x40 : i === 3 ? 0x8000 : word)) : frame;
          const [bare, deprivileged] = both(flags).map((m) => {
            words(m, size, ...near);
            return seen(run(m, 1, ...(size === 2 ? [0x66, IRET] : [IRET])));
          });
          expect(deprivileged, `${image} ${size}`).toEqual(bare);
        }
      }
    }
  });

  it('IRET to ring 3 takes away the data segments that ring 3 may not have, and no others', () => {
    const [bare, deprivileged] = both(0).map((m) => {
      m.segment(FS, UDATA, 0, -1, 0xc0f3);
      m.cpu.stateChanged();
      words(m, 4, CODE + 0x40, UCODE, 2, USER_STACK, UDATA);
      run(m, 1, IRET);
      return [ES, DS, FS, GS].map((seg) => m.selector(seg));
    });
    expect(deprivileged).toEqual([0, 0, UDATA, 0]);
    expect(bare).toEqual(deprivileged);
  });

  it('a model without VME has VIF for its monitor, and the guest sees none', () => {
    const [bare, deprivileged] = both(FLAG_IF, I486).map((m) => {
      words(m, 4, FLAG_VIF | FLAG_VIP);
      return seen(run(m, 3, POPF, STI, PUSHF));
    });
    expect(deprivileged).toEqual(bare);
  });

  it('an interrupt waits for the instruction behind STI', () => {
    for (const m of both(0)) {
      run(m, 1, STI, NOP, NOP, NOP);
      m.cpu.setIntr(true);
      m.bus.vectors.push(0x20);
      m.cpu.run(100);
      expect(m.frame()).toMatchObject({ vector: 0x20, eip: CODE + 2 });
    }
  });

  it('but not behind an STI that changes nothing, POPF or IRET', () => {
    for (const [flags, code] of [
      [FLAG_IF, [STI, NOP, NOP]],
      [0, [POPF, NOP, NOP]],
      [0, [IRET]],
    ] as const) {
      for (const m of both(flags)) {
        words(m, 4, ...(code[0] === IRET ? [CODE + 1, KCODE, FLAG_IF | 2] : [FLAG_IF]));
        run(m, 1, ...code);
        m.cpu.setIntr(true);
        m.bus.vectors.push(0x20);
        m.cpu.run(100);
        expect(m.frame()).toMatchObject({ vector: 0x20, eip: CODE + 1 });
      }
    }
  });
});

describe('#GP(0), and nothing changed', () => {
  function refuses(m: TestMachine, ...code: readonly number[]): void {
    const virtual = FLAG_IF | FLAG_VIF | FLAG_VIP;
    const flags = m.s[EFLAGS] & virtual;
    const retired = m.cpu.retired();
    const frame = m.trap(...code);
    expect(frame).toMatchObject({ vector: 13, errorCode: 0, eip: CODE, cs: KCODE | 1, esp: STACK });
    expect(frame.flags & virtual).toBe(flags);
    // The handler's HLT alone.
    expect(m.cpu.retired()).toBe(retired + 1);
  }

  it('STI, POPF and IRET that would let in an interrupt that waits', () => {
    for (const [code, ...frame] of [[STI], [POPF, FLAG_IF], [IRET, CODE, KCODE, FLAG_IF | 2]] as const) {
      const m = ring1(0);
      m.s[EFLAGS] |= FLAG_VIP;
      words(m, 4, ...frame);
      refuses(m, code);
    }
  });

  it('with VIP set, what leaves interrupts off runs', () => {
    for (const [code, ...frame] of [[CLI], [PUSHF], [POPF, FLAG_CF], [IRET, CODE + 8, KCODE, 2]] as const) {
      const m = ring1(0);
      m.s[EFLAGS] |= FLAG_VIP;
      words(m, 4, ...frame);
      m.poke(CODE, code);
      expect(m.cpu.step()).toBe(0);
      expect(m.s[EFLAGS] & (FLAG_VIF | FLAG_VIP | FLAG_IF)).toBe(FLAG_VIP | FLAG_IF);
    }
  });

  it.each([FLAG_TF, FLAG_NT, 0x1000, FLAG_IOPL])('POPF and IRET of an image with %i', (bit) => {
    let m = ring1(0);
    words(m, 4, bit);
    refuses(m, POPF);
    m = ring1(0);
    words(m, 4, CODE, KCODE, bit | 2);
    refuses(m, IRET);
  });

  it.each([FLAG_RF, FLAG_VM, FLAG_VIF, FLAG_VIP])('IRET of an image with %i', (bit) => {
    const m = ring1(0);
    words(m, 4, CODE, KCODE, bit | 2, STACK, KDATA, 0, 0, 0, 0);
    refuses(m, IRET);
  });

  it.each([FLAG_TF, FLAG_NT])('any of the five under %i', (bit) => {
    for (const code of [CLI, STI, PUSHF, POPF, IRET]) {
      const m = ring1(0);
      m.s[EFLAGS] |= bit;
      words(m, 4, CODE, KCODE, 2);
      m.cpu.stateChanged();
      refuses(m, code);
    }
  });

  it('IRET to ring 1 or 2, to conforming code, to a null selector', () => {
    for (const selector of [KCODE | 1, KCODE | 2, 0]) {
      const m = ring1(0);
      words(m, 4, CODE, selector, 2);
      refuses(m, IRET);
    }
    const m = ring1(0);
    m.descriptor(GDT, FREE, 0, 0xfffff, 0xc0bf);
    words(m, 4, CODE, FREE, 2);
    refuses(m, IRET);
  });

  it('IRET to ring 3 where that is not asked for; to ring 1 it runs', () => {
    const m = ring1(0);
    m.cpu.wrmsr(MSR_ASSIST_INDEX, ASSIST_TRAP_SENSITIVE | ASSIST_VIRTUAL_IF, 0);
    words(m, 4, CODE + 8, UCODE, 2, USER_STACK, UDATA);
    refuses(m, IRET);
    const inner = ring1(0);
    inner.cpu.wrmsr(MSR_ASSIST_INDEX, ASSIST_TRAP_SENSITIVE | ASSIST_VIRTUAL_IF, 0);
    words(inner, 4, CODE + 8, KCODE, 2);
    run(inner, 1, IRET);
    expect(inner.s[EIP]).toBe(CODE + 8);
  });

  it('everything, in rings 2 and 3, with the bit clear, and on a processor with `trap` alone', () => {
    for (const code of [PUSHF, POPF, IRET, CLI, STI]) {
      const plain = ring1(0);
      plain.cpu.wrmsr(MSR_ASSIST_INDEX, ASSIST_TRAP_SENSITIVE, 0);
      words(plain, 4, CODE, KCODE, 2);
      refuses(plain, code);
      const user = new TestMachine({ assist: 'vif' }).userMode();
      user.cpu.wrmsr(MSR_ASSIST_INDEX, ASSIST_TRAP_SENSITIVE | ASSIST_VIRTUAL_IF, 0);
      expect(user.trap(code)).toMatchObject({ vector: 13, errorCode: 0, eip: CODE, cs: UCODE });
    }
    const trap = new TestMachine({ assist: 'trap' }).protectedMode();
    expect(() => trap.cpu.wrmsr(MSR_ASSIST_INDEX, ASSIST_VIRTUAL_IF, 0)).toThrow(/vector 13/);
  });
});

describe('faults on the way', () => {
  it('a page fault on the frame leaves everything as it was', () => {
    for (const code of [PUSHF, POPF, IRET]) {
      const m = ring1(FLAG_IF);
      m.s[ESP] = DATA + 0x1000;
      m.mmu.unmap(code === PUSHF ? DATA : DATA + 0x1000);
      const frame = m.trap(code);
      expect(frame).toMatchObject({ vector: 14, eip: CODE, esp: DATA + 0x1000 });
      expect(frame.flags & FLAG_VIF).toBe(FLAG_VIF);
      expect(m.s[HALTED]).toBe(1);
      expect(m.s[ESP]).toBeLessThan(KERNEL_STACK);
    }
  });
});
