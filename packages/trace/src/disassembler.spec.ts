/** Text and memory operands of instructions. */
import { CS, DS, EAX, EBX, ECX, ES, ESP, SEG, SEG_ACCESS, SEG_BASE, SEG_WORDS, SS } from '@ringfence/sdk';
import { describe, expect, it } from 'vitest';
import { Disassembler } from './disassembler.js';
import { addressOf } from './operands.js';

const disassembler = new Disassembler();

interface Setup {
  readonly regs?: Readonly<Record<number, number>>;
  /** SS.B. */
  readonly wideStack?: boolean;
  readonly wide?: boolean;
}

/** `op segment address.size` of everything the instruction names. ES, SS, DS have bases of their own. */
function touches(bytes: string, { regs = {}, wideStack = true, wide = true }: Setup = {}): string[] {
  const words = new Int32Array(72);
  for (const [register, value] of Object.entries(regs)) words[Number(register)] = value;
  [ES, CS, SS, DS].forEach((segment) => (words[SEG + segment * SEG_WORDS + SEG_BASE] = (segment + 1) << 20));
  if (wideStack) words[SEG + SS * SEG_WORDS + SEG_ACCESS] = 0x4000;
  return disassembler.disassemble(bytes, 0x1000, wide).memory.map((recipe) => {
    const op = `${recipe.reads ? 'r' : ''}${recipe.writes ? 'w' : ''}`;
    return `${op} ${(addressOf(recipe, words) >>> 0).toString(16)}.${recipe.size}`;
  });
}

describe('text', () => {
  it.each([
    ['8b45fc', true, 'mov eax, [ebp-4]'],
    ['8b45fc', false, 'mov ax, [di-4]'],
    ['ebfe', true, 'jmp short 0x00001000'],
    ['0f0113', true, 'lgdt [ebx]'],
    ['ffff', true, '(bad)'],
  ])('%s (32-bit: %s) is %s', (bytes, wide, text) => {
    expect(disassembler.disassemble(bytes, 0x1000, wide).text).toBe(text);
  });

  it('tells the length, 0 for what it does not know', () => {
    expect(disassembler.disassemble('b80100000090', 0, true).length).toBe(5);
    expect(disassembler.disassemble('8b', 0, true).length).toBe(0);
  });
});

describe('memory', () => {
  it.each([
    ['mov eax, [ebx+ecx*4-8]', '8b448bf8', { regs: { [EBX]: 0x100, [ECX]: 4 } }, ['r 400108.4']],
    ['xlat: AL is the index', 'd7', { regs: { [EBX]: 0x100, [EAX]: 0xffffff02 | 0 } }, ['r 400102.1']],
    ['bts [ebx], eax reaches down the bit string', '0fab03', { regs: { [EBX]: 0x100, [EAX]: -1 } }, ['rw 4000fc.4']],
    ['bt word [bx], ax', '0fa307', { regs: { [EBX]: 0x100, [EAX]: 0x21 }, wide: false }, ['r 400104.2']],
    ['movsd', 'a5', { regs: { 6: 0x10, 7: 0x20 } }, ['w 100020.4', 'r 400010.4']],
    [
      'rep movsb has the size of one iteration',
      'f3a4',
      { regs: { [ECX]: 9, 6: 1, 7: 2 } },
      ['w 100002.1', 'r 400001.1'],
    ],
    [
      'pop dword [esp+4] writes above the popped slot',
      '8f442404',
      { regs: { [ESP]: 0x100 } },
      ['w 300108.4', 'r 300100.4'],
    ],
    ['lgdt reads six bytes', '0f0113', { regs: { [EBX]: 0x40 } }, ['r 400040.6']],
    ['fxsave', '0fae03', { regs: { [EBX]: 0x40 } }, ['w 400040.512']],
    ['lea and nop touch nothing', '8d4508', {}, []],
    ['nop [eax]', '0f1f00', {}, []],
  ])('%s', (_name, bytes, setup, expected) => {
    expect(touches(bytes, setup).sort()).toEqual([...expected].sort());
  });

  it('follows the stack segment, not the code segment, in how wide ESP is', () => {
    const regs = { [ESP]: 0x12340000 };
    expect(touches('50', { regs })).toEqual(['w 1263fffc.4']);
    expect(touches('50', { regs, wideStack: false })).toEqual(['w 30fffc.4']);
    expect(touches('50', { regs, wide: false })).toEqual(['w 1263fffe.2']);
    expect(touches('50', { regs, wide: false, wideStack: false })).toEqual(['w 30fffe.2']);
    expect(touches('8b0424', { regs, wideStack: false })).toEqual(['r 12640000.4']);
  });

  it('wraps 16-bit offsets', () => {
    expect(touches('8b4702', { regs: { [EBX]: 0x5ffff }, wide: false })).toEqual(['r 400001.2']);
  });

  it('knows the count register of REP', () => {
    expect(disassembler.disassemble('f3a4', 0, true).repMask).toBe(-1);
    expect(disassembler.disassemble('67f3a4', 0, true).repMask).toBe(0xffff);
    expect(disassembler.disassemble('f3a4', 0, false).repMask).toBe(0xffff);
    expect(disassembler.disassemble('f367a4', 0, false).repMask).toBe(-1);
    expect(disassembler.disassemble('a4', 0, true).repMask).toBe(0);
  });
});
