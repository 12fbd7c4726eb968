/**
 * A program of many families through the real run loop: however the budget is sliced, and stepped one iteration at a time,
 * registers, flags, memory and the count of retired instructions come out the same.
 */
import { CS, EIP, ESP, PHYS_BASE } from '@ringfence/sdk';
import { describe, expect, it } from 'vitest';
import { BenchCpu } from '../testing/bench-cpu.js';

const CODE32 = 0xc09b;
const START = 0x1000;

// prettier-ignore
const PROGRAM = [
  0xbb, 0x05, 0x00, 0x00, 0x00,             // mov ebx, 5
  0xbf, 0xf0, 0x4f, 0x00, 0x00,             // again: mov edi, 4ff0
  0xb8, 0x61, 0x62, 0x63, 0x64,             // mov eax, 64636261
  0xb9, 0x40, 0x00, 0x00, 0x00,             // mov ecx, 64
  0xf3, 0xab,                               // rep stosd
  0xbe, 0xf0, 0x4f, 0x00, 0x00,             // mov esi, 4ff0
  0xb9, 0xfd, 0x00, 0x00, 0x00,             // mov ecx, 253
  0x56,                                     // push esi
  0xf3, 0xa4,                               // rep movsb
  0x5f,                                     // pop edi
  0xb0, 0x64,                               // mov al, 64
  0xb9, 0xff, 0x00, 0x00, 0x00,             // mov ecx, 255
  0xf2, 0xae,                               // repne scasb
  0x0f, 0x94, 0xc4,                         // sete ah
  0x11, 0xc8,                               // adc eax, ecx
  0x01, 0x05, 0x00, 0x60, 0x00, 0x00,       // add [6000], eax
  0xd1, 0xc0,                               // rol eax, 1
  0xe8, 0x05, 0x00, 0x00, 0x00,             // call f
  0x4b,                                     // dec ebx
  0x75, 0xc3,                               // jnz again
  0xeb, 0xfe,                               // jmp $
  0xf7, 0xe3,                               // f: mul ebx
  0x31, 0xc2,                               // xor edx, eax
  0xc3,                                     // ret
];

function bench(): BenchCpu {
  const c = new BenchCpu();
  c.setSegment(CS, 0, 0xffffffff, CODE32);
  c.poke(START, ...PROGRAM);
  c.s[EIP] = START;
  c.s[ESP] = 0x8000;
  return c;
}

function outcome(c: BenchCpu): unknown {
  const memory = Buffer.from(c.memory.u8.subarray(PHYS_BASE, PHYS_BASE + 0x9000)).toString('base64');
  // The resume flag of a REP that the budget interrupted is the only trace of it.
  return { registers: [...c.s.subarray(0, 10)], flags: c.getEflags() & ~0x10000, memory, retired: c.retired() };
}

/** Far enough to sit in the last jump, and not a multiple of any slice. */
const TOTAL = 3001;

describe('a program under the run loop', () => {
  const whole = bench();
  const before = whole.retired();
  whole.run(TOTAL);
  const expected = outcome(whole);

  it('retires exactly its budget and reaches its end', () => {
    expect(whole.retired() - before).toBe(TOTAL);
    expect(whole.s[EIP]).toBe(START + PROGRAM.indexOf(0xeb));
    expect(whole.s[3]).toBe(0);
    expect(whole.view.getInt32(PHYS_BASE + 0x6000, true)).not.toBe(0);
  });

  for (const slice of [1, 2, 7, 64, 1000]) {
    it(`is the same in slices of ${slice}`, () => {
      const c = bench();
      for (let done = 0; done < TOTAL; done += slice) c.run(Math.min(slice, TOTAL - done));
      expect(outcome(c)).toEqual(expected);
    });
  }

  it('is the same step by step', () => {
    const c = bench();
    for (let done = 0; done < TOTAL; done++) c.step();
    expect(outcome(c)).toEqual(expected);
  });
});
