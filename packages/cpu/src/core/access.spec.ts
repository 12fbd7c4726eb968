/** Memory access checks: limits, rights, wrap, alignment, page faults, device memory. */
import { CPL, CR0, DS, EAX, EBX, EFLAGS, ESP, FLAG_AC, SS, VEC_AC, VEC_GP, VEC_PF, VEC_SS } from '@ringfence/sdk';
import { describe, expect, it } from 'vitest';
import { CODE, DATA, FREE, TestMachine, UDATA } from '../testing/machine.js';

const HLT = 0xf4;
const MOV_EAX_EBX = [0x8b, 0x03]; // mov eax, [ebx]
const MOV_AX_EBX = [0x66, 0x8b, 0x03];
const MOV_AL_EBX = [0x8a, 0x03];
const MOV_EBX_EAX = [0x89, 0x03]; // mov [ebx], eax
const ADD_EBX_EAX = [0x01, 0x03]; // add [ebx], eax

/** A machine whose DS is a segment of the given limit and rights at DATA, with EBX set. */
function withDs(limit: number, access: number, ebx: number): TestMachine {
  const m = new TestMachine().protectedMode();
  m.segment(DS, FREE, DATA, limit, access);
  m.cpu.stateChanged();
  m.s[EBX] = ebx;
  return m;
}

function outcome(m: TestMachine, code: readonly number[]): string {
  m.runToHalt(...code, HLT);
  if (m.s[9] === CODE + code.length + 1) return 'ok';
  const frame = m.frame();
  expect(frame.eip).toBe(CODE);
  return `#${frame.vector}(${frame.errorCode})`;
}

describe('segment limits', () => {
  const DATA_RW = 0x4093;
  const DOWN = 0x4097;
  const DOWN16 = 0x0097;
  it.each([
    // limit, access, offset, code, outcome
    ['last dword', 0xff, DATA_RW, 0xfc, MOV_EAX_EBX, 'ok'],
    ['one byte beyond', 0xff, DATA_RW, 0xfd, MOV_EAX_EBX, '#13(0)'],
    ['last word', 0xff, DATA_RW, 0xfe, MOV_AX_EBX, 'ok'],
    ['word beyond', 0xff, DATA_RW, 0xff, MOV_AX_EBX, '#13(0)'],
    ['last byte', 0xff, DATA_RW, 0xff, MOV_AL_EBX, 'ok'],
    ['byte beyond', 0xff, DATA_RW, 0x100, MOV_AL_EBX, '#13(0)'],
    ['negative offset', 0xffff, DATA_RW, -4, MOV_EAX_EBX, '#13(0)'],
    ['limit 1: byte', 1, DATA_RW, 1, MOV_AL_EBX, 'ok'],
    ['limit 1: dword', 1, DATA_RW, 0, MOV_EAX_EBX, '#13(0)'],
    ['write beyond', 0xff, DATA_RW, 0xfd, MOV_EBX_EAX, '#13(0)'],
    ['read-modify-write beyond', 0xff, DATA_RW, 0xfd, ADD_EBX_EAX, '#13(0)'],
    ['expand-down: at the limit', 0xfff, DOWN, 0xfff, MOV_AL_EBX, '#13(0)'],
    ['expand-down: above the limit', 0xfff, DOWN, 0x1000, MOV_EAX_EBX, 'ok'],
    ['expand-down: below the limit', 0xfff, DOWN, 0x10, MOV_EAX_EBX, '#13(0)'],
    ['expand-down 16: at 64K', 0xfff, DOWN16, 0xfffc, MOV_EAX_EBX, 'ok'],
    ['expand-down 16: across 64K', 0xfff, DOWN16, 0xfffd, MOV_EAX_EBX, '#13(0)'],
    ['expand-down 16: beyond 64K', 0xfff, DOWN16, 0x10000, MOV_AL_EBX, '#13(0)'],
  ] as const)('%s', (_name, limit, access, offset, code, expected) => {
    expect(outcome(withDs(limit, access, offset), code)).toBe(expected);
  });

  it('through SS raise #SS(0)', () => {
    const m = new TestMachine().protectedMode();
    m.segment(SS, 0x10, 0, 0xfff, 0x4093);
    m.cpu.stateChanged();
    m.s[ESP] = 0x1002; // push writes at FFEh..1001h
    m.poke(CODE, 0x50);
    m.cpu.step();
    // #SS cannot be pushed on that stack either: the handler runs on no stack, so the machine shuts down.
    expect(m.cpu.saveState().data.shutdown).toBe(1);
    const user = new TestMachine().userMode();
    user.segment(SS, UDATA, 0, 0xfff, 0x40f3);
    user.cpu.stateChanged();
    user.s[ESP] = 0x1002;
    expect(user.trap(0x50)).toMatchObject({ vector: VEC_SS, errorCode: 0, eip: CODE, esp: 0x1002 });
  });
});

describe('segment rights', () => {
  it.each([
    ['write to read-only data', 0x4091, MOV_EBX_EAX, '#13(0)'],
    ['read of read-only data', 0x4091, MOV_EAX_EBX, 'ok'],
    ['read of execute-only code', 0x4099, MOV_EAX_EBX, '#13(0)'],
    ['read of readable code', 0x409b, MOV_EAX_EBX, 'ok'],
    ['write to readable code', 0x409b, MOV_EBX_EAX, '#13(0)'],
    ['read-modify-write of read-only data', 0x4091, ADD_EBX_EAX, '#13(0)'],
    ['use of a null segment', 0x10000, MOV_EAX_EBX, '#13(0)'],
  ] as const)('%s', (_name, access, code, expected) => {
    expect(outcome(withDs(0xffff, access, 0x10), code)).toBe(expected);
  });

  it('writing through CS faults in protected mode', () => {
    const m = new TestMachine().protectedMode();
    m.s[EBX] = DATA;
    expect(m.trap(0x2e, 0x89, 0x03)).toMatchObject({ vector: VEC_GP, errorCode: 0 });
  });
});

describe('16-bit addressing', () => {
  it('wraps the offset, not the access', () => {
    const m = new TestMachine().realMode();
    m.poke16(DATA + 0x0010, 0x1234);
    m.s[EBX] = 0xfff0;
    m.runToHalt(0x8b, 0x47, 0x20, HLT); // mov ax, [bx+20h] -> offset 10h
    expect(m.s[EAX]).toBe(0x1234);
    const over = new TestMachine().realMode();
    over.s[EBX] = 0xffff;
    over.runToHalt(0x8b, 0x07, HLT); // word at FFFFh
    expect(over.s[9]).toBe(0x4000 + 13 * 16 + 1);
  });
});

describe('paging', () => {
  it.each([
    ['user read of a missing page', 3, { present: false }, MOV_EAX_EBX, 4],
    ['user write to a missing page', 3, { present: false }, MOV_EBX_EAX, 6],
    ['user write to a read-only page', 3, { write: false }, MOV_EBX_EAX, 7],
    ['user read of a supervisor page', 3, { user: false }, MOV_EAX_EBX, 5],
    ['a read-modify-write says W=1', 3, { present: false }, ADD_EBX_EAX, 6],
    ['supervisor write to a read-only page, WP=1', 0, { write: false }, MOV_EBX_EAX, 3],
  ] as const)('%s', (_name, cpl, rights, code, errorCode) => {
    const m = cpl === 3 ? new TestMachine().userMode() : new TestMachine().protectedMode();
    m.cpu.writeCr0(0x10011);
    m.mmu.setPage(DATA, rights);
    m.s[EBX] = DATA + 0x123;
    expect(m.trap(...code)).toMatchObject({ vector: VEC_PF, errorCode, eip: CODE });
    expect(m.cpu.saveState().data.cr2).toBe(DATA + 0x123);
  });

  it('supervisor write to a read-only page passes with WP=0', () => {
    const m = new TestMachine().protectedMode();
    m.mmu.setReadOnly(DATA);
    m.s[EBX] = DATA;
    m.s[EAX] = 7;
    m.runToHalt(...MOV_EBX_EAX, HLT);
    expect(m.peek32(DATA)).toBe(7);
  });

  it('an access across two pages faults for the one that is missing and writes nothing', () => {
    const m = new TestMachine().userMode();
    m.mmu.unmap(DATA + 0x1000);
    m.s[EBX] = DATA + 0xffe;
    m.s[EAX] = -1;
    expect(m.trap(...MOV_EBX_EAX)).toMatchObject({ vector: VEC_PF, errorCode: 6 });
    expect(m.cpu.saveState().data.cr2).toBe(DATA + 0x1000);
    expect(m.peek16(DATA + 0xffe)).toBe(0);
  });

  it('an access across two pages works', () => {
    const m = new TestMachine().userMode();
    m.s[EBX] = DATA + 0xffd;
    m.s[EAX] = 0x12345678;
    m.runToHalt(...MOV_EBX_EAX, ...ADD_EBX_EAX, 0x0f, 0x0b);
    expect(m.peek32(DATA + 0xffd)).toBe(0x2468acf0);
  });
});

describe('alignment checks', () => {
  function aligned(cpl: 0 | 3, am: boolean, ac: boolean): TestMachine {
    const m = cpl === 3 ? new TestMachine().userMode() : new TestMachine().protectedMode();
    m.cpu.writeCr0(am ? 0x40011 : 0x11);
    m.cpu.setEflags(ac ? FLAG_AC : 0);
    m.s[EBX] = DATA + 2;
    return m;
  }

  it('need CPL 3, CR0.AM and EFLAGS.AC', () => {
    expect(aligned(3, true, true).trap(...MOV_EAX_EBX)).toMatchObject({ vector: VEC_AC, errorCode: 0, eip: CODE });
    for (const m of [aligned(0, true, true), aligned(3, false, true), aligned(3, true, false)]) {
      m.runToHalt(...MOV_EAX_EBX, 0x0f, 0x0b);
      expect(m.frame()).toMatchObject({ vector: 6 });
    }
  });

  it('let aligned accesses of each size pass', () => {
    const m = aligned(3, true, true);
    expect(m.trap(...MOV_AX_EBX, ...MOV_AL_EBX, 0x0f, 0x0b)).toMatchObject({ vector: 6 });
  });

  it('are switched by POPF at CPL 3', () => {
    const m = aligned(3, true, false);
    // push 40002h; popfd; mov eax,[ebx]
    expect(m.trap(0x68, 2, 0, 4, 0, 0x9d, ...MOV_EAX_EBX)).toMatchObject({ vector: VEC_AC, eip: CODE + 6 });
  });
});

describe('device memory', () => {
  it('is read and written with the access size, unaligned inside a page as it stands', () => {
    const m = new TestMachine().protectedMode();
    const log: string[] = [];
    m.cpu.space.mapMmio(0xa0000, 0x1000, {
      mmioRead: (offset, size) => (log.push(`r${offset}/${size}`), 0x11223344),
      mmioWrite: (offset, size, value) => log.push(`w${offset}/${size}=${value >>> 0}`),
    });
    m.s[EBX] = 0xa0000;
    m.runToHalt(...MOV_EAX_EBX, 0x66, 0x89, 0x43, 0x06, 0x88, 0x43, 0x09, HLT);
    expect(log).toEqual(['r0/4', `w6/2=${0x3344}`, `w9/1=${0x44}`]);
    expect(m.s[EAX]).toBe(0x11223344);
  });

  it('RAM mapped anew as device memory is seen at once', () => {
    const m = new TestMachine().protectedMode();
    m.s[EBX] = DATA;
    m.poke(CODE, ...MOV_EAX_EBX, 0xeb, 0xfc);
    m.cpu.run(10);
    m.cpu.space.mapNothing(DATA, 0x1000);
    m.cpu.run(2);
    expect(m.s[EAX]).toBe(-1);
  });
});

describe('supervisor access for the monitor', () => {
  it('obeys WP and reports its own faults as RF_MONITOR_FAULT', () => {
    const m = new TestMachine().userMode();
    m.mmu.setPage(DATA, { write: false, user: false });
    m.cpu.writeLinear(DATA, 4, 0x55);
    expect(m.cpu.readLinear(DATA, 4)).toBe(0x55);
    m.cpu.writeCr0(m.s[CR0] | 0x10000);
    expect(() => m.cpu.writeLinear(DATA, 4, 1)).toThrowError(/monitor/);
    expect(m.peek32(DATA)).toBe(0x55);
    expect(m.cpu.saveState().data.cr2).toBe(0);
    expect(m.s[CPL]).toBe(3);
    expect(m.s[EFLAGS] & 2).toBe(2);
  });
});
