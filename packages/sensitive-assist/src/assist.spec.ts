/** The strategy switches the processor's assistance on through its control MSR, and does nothing else. */
import { ASSIST_TRAP_CPUID, ASSIST_TRAP_SENSITIVE, MSR_ASSIST_INDEX, type Processor } from '@ringfence/sdk';
import { expect, it, vi } from 'vitest';
import { SensitiveAssist } from './assist.js';

it('asks for traps of the sensitive instructions and of CPUID', () => {
  const wrmsr = vi.fn();
  new SensitiveAssist().prepare({ wrmsr } as unknown as Processor);
  expect(wrmsr.mock.calls).toEqual([[MSR_ASSIST_INDEX, ASSIST_TRAP_SENSITIVE | ASSIST_TRAP_CPUID, 0]]);
});
