/** Decoded code follows its bytes: self-modification, page crossings, limits of the code segment, device memory. */
import { CS, EAX, EBX, ECX, EDI, EIP, ESI, SEG, SEG_LIMIT, STOP_BUDGET, STOP_HALT } from '@ringfence/sdk';
import { describe, expect, it } from 'vitest';
import { CODE, DATA, TestMachine } from '../testing/machine.js';

const NOP = 0x90;
const HLT = 0xf4;

function machine(): TestMachine {
  return new TestMachine().protectedMode();
}

/** MOV dword/byte [address], value. */
function store8(address: number, value: number): number[] {
  return [0xc6, 0x05, address & 0xff, (address >> 8) & 0xff, (address >> 16) & 0xff, 0, value];
}

describe('self-modifying code', () => {
  it('the very next instruction is decoded from the new bytes', () => {
    const m = machine();
    // mov byte [next], 43h; inc eax -> inc ebx
    m.runToHalt(...store8(CODE + 7, 0x43), 0x40, HLT);
    expect([m.s[EAX], m.s[EBX]]).toEqual([0, 1]);
  });

  it('a loop that rewrites itself each round takes every change', () => {
    const m = machine();
    m.s[ECX] = 200;
    m.s[ESI] = CODE + 10;
    // xor byte [esi], 3 toggles inc eax (40) <-> inc ebx (43); inc edi; nop*6; the target; dec ecx; jnz; hlt
    m.runToHalt(0x80, 0x36, 3, 0x47, NOP, NOP, NOP, NOP, NOP, NOP, 0x40, 0x49, 0x75, 0xf2, HLT);
    expect([m.s[EAX], m.s[EBX], m.s[EDI]]).toEqual([100, 100, 200]);
  });

  it('REP STOS over the code that follows it', () => {
    const m = machine();
    m.s[EDI] = CODE + 2;
    m.s[ECX] = 3;
    m.s[EAX] = 0x43434343;
    m.runToHalt(0xf3, 0xaa, 0x40, 0x40, 0x40, HLT);
    expect(m.s[EBX]).toBe(3);
  });

  it('a write through another linear address or from outside counts too', () => {
    const m = machine();
    m.poke(CODE, 0x40, 0x40, 0xeb, 0xfc);
    m.cpu.run(30);
    m.poke(CODE + 1, 0x43);
    m.cpu.run(1);
    expect(m.s[EBX]).toBe(m.s[EIP] === CODE + 2 ? 1 : 0);
    m.cpu.run(30);
    expect(m.s[EBX]).toBeGreaterThan(5);
  });

  it('data beside code leaves the blocks alone, and writing stays right', () => {
    const m = machine();
    m.s[ECX] = 1000;
    // inc dword [CODE+800h]; dec ecx; jnz; hlt
    m.runToHalt(0xff, 0x05, 0x00, 0x08, 0x01, 0x00, 0x49, 0x75, 0xf7, HLT);
    expect(m.peek32(CODE + 0x800)).toBe(1000);
  });

  it('a page whose code is gone is plain memory again', () => {
    const m = machine();
    m.runToHalt(NOP, HLT);
    expect(m.cpu.memory.codePages[CODE >> 12]).toBe(1);
    m.poke(CODE, ...new Array<number>(16).fill(0));
    expect(m.cpu.memory.codePages[CODE >> 12]).toBe(0);
  });
});

describe('instructions that cross a page', () => {
  const START = CODE + 0xffe;

  function crossing(): TestMachine {
    const m = machine();
    m.poke(START, 0xb8, 0x11, 0x22, 0x33, 0x44, HLT); // mov eax, 44332211h
    m.s[EIP] = START;
    return m;
  }

  it('execute', () => {
    const m = crossing();
    expect(m.cpu.run(10)).toBe(STOP_HALT);
    expect(m.s[EAX]).toBe(0x44332211);
  });

  it('see writes to their second page', () => {
    const m = crossing();
    m.cpu.run(1);
    m.poke(CODE + 0x1000, 0x99);
    m.s[EIP] = START;
    m.cpu.run(1);
    expect(m.s[EAX]).toBe(0x44339911);
  });

  it('fault with CR2 at the second page when that is missing, each time they are entered', () => {
    const m = crossing();
    m.cpu.run(1);
    m.mmu.unmap(CODE + 0x1000);
    m.cpu.invlpg(CODE + 0x1000);
    m.s[EIP] = START;
    expect(m.cpu.run(10)).toBe(STOP_HALT);
    expect(m.frame()).toMatchObject({ vector: 14, errorCode: 0, eip: START });
    expect(m.cpu.saveState().data.cr2).toBe(CODE + 0x1000);
  });

  it('a block that ends before such an instruction faults only when it gets there', () => {
    const m = crossing();
    m.mmu.unmap(CODE + 0x1000);
    m.poke(START - 3, 0x43, 0x43, 0x43);
    m.s[EIP] = START - 3;
    expect(m.cpu.run(10)).toBe(STOP_HALT);
    expect(m.frame()).toMatchObject({ vector: 14, eip: START });
    expect(m.s[EBX]).toBe(3);
  });
});

describe('the limit of the code segment', () => {
  it('is checked for the whole instruction, whose start alone is inside', () => {
    const m = machine();
    m.s[SEG + CS * 4 + SEG_LIMIT] = CODE + 5;
    m.cpu.stateChanged();
    m.poke(CODE, 0x40, 0x40, 0xb8, 1, 0, 0, 0, HLT);
    m.cpu.run(100);
    expect(m.frame()).toMatchObject({ vector: 13, errorCode: 0, eip: CODE + 2 });
    expect(m.s[EAX]).toBe(2);
  });

  it('lets code run up to its last byte, and faults on what follows', () => {
    const m = machine();
    m.s[SEG + CS * 4 + SEG_LIMIT] = CODE + 2;
    m.cpu.stateChanged();
    m.poke(CODE, 0x40, 0x40, 0x40, 0x40);
    m.cpu.run(100);
    expect(m.frame()).toMatchObject({ vector: 13, errorCode: 0, eip: CODE + 3 });
    expect(m.s[EAX]).toBe(3);
  });

  it('IP does not wrap at 64K', () => {
    const m = new TestMachine().realMode();
    m.s[EIP] = 0xffff;
    m.poke(CODE + 0xffff, NOP);
    m.cpu.run(100);
    expect(m.s[EIP]).toBe(0x4000 + 13 * 16 + 1);
    expect(m.peek16(DATA + 0x8000 - 6)).toBe(0); // pushed IP: 10000h, 16 bits of it
  });
});

describe('strange places', () => {
  it('unclaimed memory reads FFh: an undefined opcode, never a crash', () => {
    const m = machine();
    m.s[EIP] = 0xe0000000 | 0;
    m.cpu.run(10);
    expect(m.frame()).toMatchObject({ vector: 6, eip: 0xe0000000 });
  });

  it('an instruction of more than 15 bytes raises #GP(0)', () => {
    const m = machine();
    const frame = m.trap(...new Array<number>(15).fill(0x66), NOP);
    expect(frame).toMatchObject({ vector: 13, errorCode: 0, eip: CODE });
    const ok = machine();
    ok.runToHalt(...new Array<number>(14).fill(0x66), NOP, HLT);
    expect(ok.cpu.retired()).toBe(2);
  });

  it('code decoded while stepping runs as whole blocks later', () => {
    const m = machine();
    m.poke(CODE, 0x40, 0x40, 0x40, 0xeb, 0xfb);
    for (let i = 0; i < 8; i++) m.cpu.step();
    expect(m.cpu.run(80)).toBe(STOP_BUDGET);
    expect(m.s[EAX]).toBe(66);
  });
});
