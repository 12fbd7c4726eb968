/** The strategy switches the processor's assistance on through its control MSR, and does nothing else. */
import {
  ASSIST_TRAP_CPUID,
  ASSIST_TRAP_SENSITIVE,
  ASSIST_VIRTUAL_IF,
  ASSIST_VIRTUAL_RETURN,
  MSR_ASSIST_INDEX,
  type Processor,
} from '@ringfence/sdk';
import { expect, it, vi } from 'vitest';
import { SensitiveAssist } from './assist.js';

const TRAPS = ASSIST_TRAP_SENSITIVE | ASSIST_TRAP_CPUID;

it('asks for traps of the sensitive instructions and of CPUID', () => {
  for (const assist of ['trap', 'vif'] as const) {
    const wrmsr = vi.fn();
    new SensitiveAssist({ assist }).prepare({ wrmsr } as unknown as Processor);
    expect(wrmsr.mock.calls).toEqual([[MSR_ASSIST_INDEX, TRAPS, 0]]);
  }
});

it('switches the virtual interrupt flag where the processor has it', () => {
  const wrmsr = vi.fn();
  const hardware = { wrmsr } as unknown as Processor;
  const { virtualFlags } = new SensitiveAssist({ assist: 'vif' });
  for (const which of ['all', 'inner', 'none'] as const) virtualFlags!(hardware, which);
  expect(wrmsr.mock.calls).toEqual([
    [MSR_ASSIST_INDEX, TRAPS | ASSIST_VIRTUAL_IF | ASSIST_VIRTUAL_RETURN, 0],
    [MSR_ASSIST_INDEX, TRAPS | ASSIST_VIRTUAL_IF, 0],
    [MSR_ASSIST_INDEX, TRAPS, 0],
  ]);
  expect(new SensitiveAssist({ assist: 'trap' }).virtualFlags).toBeUndefined();
});
