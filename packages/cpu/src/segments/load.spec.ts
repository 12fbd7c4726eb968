/** Loading segment registers: checks and their error codes, the Accessed bit, real and unreal mode. */
import { CPL, CR0, DS, EAX, EBX, ECX, ESP, FS, SEG, SEG_ACCESS, SEG_BASE, SEG_LIMIT, SS, VEC_PF } from '@ringfence/sdk';
import { describe, expect, it } from 'vitest';
import { CODE, DATA, FREE, GDT, KCODE, KDATA, LDT, LDT_SEL, TestMachine, UDATA } from '../testing/machine.js';

const HLT = 0xf4;
const MOV_DS_AX = [0x8e, 0xd8];
const MOV_SS_AX = [0x8e, 0xd0];
const MOV_FS_AX = [0x8e, 0xe0];

function machine(cpl: 0 | 3, selector: number): TestMachine {
  const m = cpl === 3 ? new TestMachine().userMode() : new TestMachine().protectedMode();
  m.s[EAX] = selector;
  return m;
}

/** What loading `selector` does: the fault, or the access rights loaded. */
function load(m: TestMachine, code: readonly number[], seg: number): string {
  m.poke(CODE, ...code, 0x0f, 0x0b);
  m.cpu.run(100);
  const frame = m.frame();
  if (frame.vector === 6) return (m.s[SEG + seg * 4 + SEG_ACCESS] & 0x100ff).toString(16);
  expect(frame.eip).toBe(CODE);
  return `#${frame.vector}(${frame.errorCode?.toString(16)})`;
}

describe('a data segment register', () => {
  it.each([
    ['data', 0, KDATA, 0xc093, '93'],
    ['null', 0, 0, 0, '10000'],
    ['null with RPL', 3, 3, 0, '10000'],
    ['read-only data', 0, FREE, 0x4091, '91'],
    ['readable code', 0, FREE, 0x409b, '9b'],
    ['execute-only code', 0, FREE, 0x4099, '#13(38)'],
    ['a system descriptor', 0, FREE, 0x0089, '#13(38)'],
    ['not present', 0, FREE, 0x4013, '#11(38)'],
    ['ring 0 data from ring 3', 3, KDATA, 0xc093, '#13(10)'],
    ['ring 3 data from ring 0', 0, UDATA, 0xc0f3, 'f3'],
    ['RPL above DPL', 0, KDATA | 3, 0xc093, '#13(10)'],
    ['conforming code from ring 3', 3, FREE | 3, 0x409f, '9f'],
    ['non-conforming ring 0 code from ring 3', 3, FREE | 3, 0x409b, '#13(38)'],
    ['beyond the GDT', 0, 0x200, 0, '#13(200)'],
    ['beyond the GDT, not present checks come later', 3, 0x103, 0, '#13(100)'],
  ] as const)('%s', (_name, cpl, selector, access, expected) => {
    const m = machine(cpl, selector);
    if ((selector & ~3) === FREE) m.descriptor(GDT, FREE, 0, 0xfffff, access);
    expect(load(m, MOV_DS_AX, DS)).toBe(expected);
  });

  it('through the LDT, and #GP(selector) without one', () => {
    const m = machine(0, 0x0f);
    m.descriptor(LDT, 8, 0x1234, 0x10, 0x40f3);
    m.cpu.lldt(LDT_SEL);
    expect(load(m, MOV_DS_AX, DS)).toBe('f3');
    expect([m.s[SEG + DS * 4 + SEG_BASE], m.s[SEG + DS * 4 + SEG_LIMIT]]).toEqual([0x1234, 0x10]);
    expect(load(machine(0, 0x0f), MOV_DS_AX, DS)).toBe('#13(c)');
  });

  it('scales the limit by granularity and takes the base from its three places', () => {
    const m = machine(0, FREE);
    m.descriptor(GDT, FREE, 0x89abcdef | 0, 0xabcde, 0xc093);
    m.runToHalt(...MOV_FS_AX, HLT);
    expect(m.s[SEG + FS * 4 + SEG_BASE]).toBe(0x89abcdef | 0);
    expect(m.s[SEG + FS * 4 + SEG_LIMIT] >>> 0).toBe(0xabcdefff);
  });
});

describe('SS', () => {
  it.each([
    ['data', 0, KDATA, 0, '93'],
    ['null', 0, 0, 0, '#13(0)'],
    ['RPL not CPL', 0, KDATA | 3, 0, '#13(10)'],
    ['DPL not CPL', 3, KDATA | 3, 0, '#13(10)'],
    ['read-only', 0, FREE, 0x4091, '#13(38)'],
    ['code', 0, KCODE, 0, '#13(8)'],
    ['not present', 0, FREE, 0x4013, '#12(38)'],
    ['beyond the GDT', 0, 0x200, 0, '#13(200)'],
  ] as const)('%s', (_name, cpl, selector, access, expected) => {
    const m = machine(cpl, selector);
    if ((selector & ~3) === FREE) m.descriptor(GDT, FREE, 0, 0xfffff, access);
    expect(load(m, MOV_SS_AX, SS)).toBe(expected);
  });

  it('with B = 0 makes SP the stack pointer', () => {
    const m = machine(0, FREE);
    m.descriptor(GDT, FREE, DATA, 0xffff, 0x0093);
    m.runToHalt(...MOV_SS_AX, 0xbc, 0, 0, 0x77, 0x77, 0x6a, 0x55, HLT); // mov esp, 77770000h; push 55h
    expect(m.s[ESP]).toBe(0x7777fffc);
    expect(m.peek32(DATA + 0xfffc)).toBe(0x55);
  });
});

describe('the Accessed bit', () => {
  function clear(): TestMachine {
    const m = machine(0, FREE);
    m.descriptor(GDT, FREE, 0, 0xfffff, 0xc092);
    m.cpu.writeCr0(0x10011);
    return m;
  }

  it('is written when clear', () => {
    const m = clear();
    m.runToHalt(...MOV_DS_AX, HLT);
    expect(m.peek8(GDT + FREE + 5)).toBe(0x93);
  });

  it('of a read-only page faults as a supervisor write, with WP', () => {
    const m = clear();
    m.mmu.setReadOnly(GDT);
    expect(m.trap(...MOV_DS_AX)).toMatchObject({ vector: VEC_PF, errorCode: 3, eip: CODE });
    expect(m.cpu.saveState().data.cr2).toBe(GDT + FREE + 5);
    expect(m.selector(DS)).toBe(KDATA);
  });

  it('is not written when set: a read-only GDT is fine', () => {
    const m = clear();
    m.descriptor(GDT, FREE, 0, 0xfffff, 0xc093);
    m.mmu.setReadOnly(GDT);
    m.runToHalt(...MOV_DS_AX, HLT);
    expect(m.selector(DS)).toBe(FREE);
  });

  it('is a supervisor access at CPL 3 too', () => {
    const m = machine(3, FREE | 3);
    m.descriptor(GDT, FREE, 0, 0xfffff, 0xc0f2);
    m.mmu.setPage(GDT, { user: false });
    expect(load(m, MOV_DS_AX, DS)).toBe('f3');
  });
});

describe('MOV and PUSH', () => {
  it('#UD for CS as a target and for segment registers 6 and 7', () => {
    expect(machine(0, KCODE).trap(0x8e, 0xc8)).toMatchObject({ vector: 6 });
    expect(machine(0, 0).trap(0x8e, 0xf0)).toMatchObject({ vector: 6 });
    expect(machine(0, 0).trap(0x8c, 0xf8)).toMatchObject({ vector: 6 });
  });

  it('to a 32-bit register zero-extends, to memory is 16 bits', () => {
    const m = machine(0, -1);
    m.poke32(DATA, -1);
    m.s[ECX] = -1;
    m.runToHalt(0x8c, 0xd8, 0x66, 0x8c, 0xd9, 0x8c, 0x1d, 0, 0, 2, 0, HLT); // mov eax,ds; mov cx,ds; mov [DATA],ds
    expect([m.s[EAX], m.s[ECX] >>> 0, m.peek32(DATA)]).toEqual([KDATA, 0xffff0000 + KDATA, 0xffff0000 + KDATA]);
  });

  it('POP of a bad selector leaves ESP', () => {
    const m = machine(0, 0);
    m.s[ESP] -= 4;
    m.poke32(m.s[ESP], KDATA | 3);
    const esp = m.s[ESP];
    expect(m.trap(0x1f)).toMatchObject({ vector: 13, errorCode: KDATA });
    expect(m.s[ESP]).toBe(esp - 16);
  });

  it('LFS loads both or neither', () => {
    const m = machine(0, 0);
    m.poke32(DATA, 0x11223344);
    m.poke16(DATA + 4, KDATA);
    m.runToHalt(0x0f, 0xb4, 0x1d, 0, 0, 2, 0, HLT); // lfs ebx, [DATA]
    expect([m.s[EBX], m.selector(FS)]).toEqual([0x11223344, KDATA]);
    const bad = machine(0, 0);
    bad.poke32(DATA, 0x11223344);
    bad.poke16(DATA + 4, KDATA | 3);
    expect(bad.trap(0x0f, 0xb4, 0x1d, 0, 0, 2, 0)).toMatchObject({ vector: 13, errorCode: KDATA });
    expect(bad.s[EBX]).toBe(0);
  });
});

describe('real mode', () => {
  it('loads base = selector * 16 and keeps limit and rights: unreal mode works', () => {
    const m = new TestMachine().realMode();
    m.segment(DS, 0, 0, -1, 0xc093);
    m.cpu.stateChanged();
    m.poke(0x1000 * 16, 0xb8, 0x00, 0x10, 0x8e, 0xd8, 0x66, 0x67, 0x8b, 0x1d, 0x00, 0x80, 0x07, 0x00, HLT);
    m.poke32(0x10000 + 0x78000, 0xcafe);
    m.cpu.run(100); // mov ax,1000h; mov ds,ax; mov ebx,[78000h]
    expect(m.s[EBX]).toBe(0xcafe);
    expect(m.s[CR0] & 1).toBe(0);
  });

  it('the way into protected mode and back', () => {
    const m = new TestMachine().realMode();
    m.descriptor(GDT, KCODE, CODE, 0xffff, 0x009b);
    m.descriptor(GDT, KDATA, DATA, 0xffff, 0x0093);
    m.cpu.lgdt(GDT, 0xff);
    m.poke(
      CODE,
      ...[0x0f, 0x20, 0xc0, 0x66, 0x83, 0xc8, 0x01, 0x0f, 0x22, 0xc0], // mov eax,cr0; or eax,1; mov cr0,eax
      ...[0xea, 0x0f, 0x00, KCODE, 0x00], // jmp 8:000f
      ...[0xb8, KDATA, 0x00, 0x8e, 0xd8, 0x8c, 0xcb], // mov ax,10h; mov ds,ax; mov bx,cs
      ...[0x0f, 0x20, 0xc0, 0x66, 0x83, 0xe0, 0xfe, 0x0f, 0x22, 0xc0], // and eax,~1
      ...[0xea, 0x25, 0x00, 0x00, 0x10, 0x8c, 0xc9, HLT], // jmp 1000:0025; mov cx,cs; hlt
    );
    m.cpu.run(1000);
    expect([m.s[EBX], m.s[ECX], m.selector(DS), m.s[CPL]]).toEqual([KCODE, 0x1000, KDATA, 0]);
    expect(m.s[SEG + DS * 4 + SEG_BASE]).toBe(DATA);
  });
});
