/** Which guest states virtual-8086 mode can hold, and what comes back from it. The processors are state words and a stack. */
import {
  AR_DB,
  AR_G,
  AR_UNUSABLE,
  CR0,
  CR0_PE,
  CS,
  DS,
  EFLAGS,
  EIP,
  ES,
  FLAG_AC,
  FLAG_CF,
  FLAG_DF,
  FLAG_IF,
  FLAG_IOPL,
  FLAG_RF,
  FLAG_VM,
  FLAG_ZF,
  FS,
  GS,
  SEG,
  SEG_ACCESS,
  SEG_BASE,
  SEG_LIMIT,
  SEG_SELECTOR,
  SEG_WORDS,
  SS,
  STATE_WORDS,
  type Processor,
} from '@ringfence/sdk';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { V86_FRAME, Virtual8086 } from './virtual-8086.js';

const ALL = [ES, CS, SS, DS, FS, GS];

describe('Virtual8086', () => {
  let g: Int32Array;
  let h: Int32Array;
  let stack: Map<number, number>;
  let stateChanged: ReturnType<typeof vi.fn>;
  let v8086: Virtual8086;

  const word = (register: number, which: number) => SEG + register * SEG_WORDS + which;
  function enter(access: number): void {
    for (const register of ALL) g.set([0x1000 + register, (0x1000 + register) << 4, 0xffff, access], word(register, 0));
  }
  function realMode(): void {
    g[CR0] = 0;
    g[EFLAGS] = 2;
    enter(0x93);
  }
  function v8086Mode(): void {
    g[CR0] = CR0_PE;
    g[EFLAGS] = FLAG_VM | 2;
    enter(0xf3);
  }

  beforeEach(() => {
    g = new Int32Array(STATE_WORDS);
    h = new Int32Array(STATE_WORDS);
    stack = new Map();
    stateChanged = vi.fn();
    const setEflags = (flags: number) => (g[EFLAGS] = flags);
    const hardware = {
      state: h,
      readLinear: (at: number) => stack.get(at) ?? 0,
      writeLinear: (at: number, _size: number, value: number) => stack.set(at, value),
    };
    v8086 = new Virtual8086(
      hardware as unknown as Processor,
      { state: g, stateChanged, setEflags } as unknown as Processor,
    );
  });

  it.each([
    ['real mode', () => realMode()],
    ['virtual-8086 mode', () => v8086Mode()],
  ])('is for %s with segments that their selectors give', (_name, mode) => {
    mode();
    expect([v8086.wanted, v8086.holdsSegments(), v8086.holdsEip()]).toEqual([true, true, true]);
  });

  it('is not for protected mode', () => {
    g[CR0] = CR0_PE;
    expect(v8086.wanted).toBe(false);
  });

  it.each(ALL)('cannot hold another base, limit or rights in segment register %d', (register) => {
    const spoil = (which: number, value: number) => {
      realMode();
      g[word(register, which)] = value;
      return v8086.holdsSegments();
    };
    expect(spoil(SEG_BASE, 0)).toBe(false);
    expect(spoil(SEG_LIMIT, -1)).toBe(false);
    expect(spoil(SEG_LIMIT, 0xfffe)).toBe(false);
    expect(spoil(SEG_ACCESS, AR_UNUSABLE)).toBe(false);
    // As protected mode loaded it: a load in real mode would change it, and that would not be seen.
    expect(spoil(SEG_ACCESS, 0x9b)).toBe(false);
    expect(spoil(SEG_ACCESS, 0xf3)).toBe(false);
    expect(spoil(SEG_ACCESS, 0x93 | AR_G)).toBe(true);
    expect(spoil(SEG_ACCESS, 0x93 | AR_DB)).toBe(register !== CS && register !== SS);
    v8086Mode();
    g[word(register, SEG_ACCESS)] = 0x93;
    expect(v8086.holdsSegments()).toBe(false);
  });

  it('cannot hold an EIP beyond 64 KiB', () => {
    realMode();
    g[EIP] = 0x10000;
    expect(v8086.holdsEip()).toBe(false);
    g[EIP] = -1;
    expect(v8086.holdsEip()).toBe(false);
    g[EIP] = 0xffff;
    expect(v8086.holdsEip()).toBe(true);
  });

  it('keeps alignment checks from real mode only', () => {
    realMode();
    expect(v8086.flags(FLAG_AC | 2)).toBe(FLAG_VM | 2);
    v8086Mode();
    expect(v8086.flags(FLAG_AC | 2)).toBe(FLAG_VM | FLAG_AC | 2);
  });

  it('takes over arithmetic flags, DF and RF, and leaves the others as they are', () => {
    realMode();
    g[EFLAGS] = FLAG_AC | FLAG_IF | FLAG_CF | 2;
    v8086.takeFlags(FLAG_VM | FLAG_ZF | FLAG_DF | FLAG_RF | FLAG_IF | FLAG_IOPL | 2);
    expect(g[EFLAGS]).toBe(FLAG_AC | FLAG_IF | FLAG_ZF | FLAG_DF | FLAG_RF | 2);
  });

  it('takes over the segments that the guest loaded directly, and tells the emulator only then', () => {
    realMode();
    g[word(FS, SEG_ACCESS)] |= AR_DB;
    v8086.writeFrame(v8086.flags(2));
    v8086.takeFrame(V86_FRAME);
    expect(stateChanged).not.toHaveBeenCalled();
    // EIP CS EFLAGS ESP SS ES DS FS GS
    stack.set(V86_FRAME + 4, 0xf000);
    stack.set(V86_FRAME + 28, 0xffff);
    v8086.takeFrame(V86_FRAME);
    expect(stateChanged).toHaveBeenCalledTimes(1);
    expect([...g.subarray(word(CS, 0), word(CS, 4))]).toEqual([0xf000, 0xf0000, 0xffff, 0x93]);
    expect([...g.subarray(word(FS, 0), word(FS, 4))]).toEqual([0xffff, 0xffff0, 0xffff, 0x93 | AR_DB]);
    expect(g[word(DS, SEG_SELECTOR)]).toBe(0x1000 + DS);
    expect(v8086.holdsSegments()).toBe(true);
  });

  it('reads them from live registers as well', () => {
    v8086Mode();
    for (const register of ALL) h[word(register, SEG_SELECTOR)] = 0x2000 + register;
    v8086.takeLive();
    expect(ALL.map((register) => g[word(register, SEG_BASE)])).toEqual(ALL.map((register) => (0x2000 + register) << 4));
    expect(v8086.holdsSegments()).toBe(true);
  });
});
