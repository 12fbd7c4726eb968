/**
 * Bare and monitored runs compared not only at their end: stopped every few thousand instructions, wherever that falls (in
 * the middle of a REP, behind an STI, between the two exits of a step), both must be in the same state. Looking must not
 * disturb: both go on to the end and end alike.
 */
import { readFileSync } from 'node:fs';
import { createMachine, type Machine } from '@ringfence/machine';
import { createRegistry } from '@ringfence/preset-pc';
import { parseMachineConfig, type Assist, type MachineConfigInput } from '@ringfence/sdk';
import { describe, expect, it } from 'vitest';
import { guestImage } from './run-guest.js';

const STOPS = 60;
const TIMEOUT = 5 * 60_000;

function start(guest: string, monitor: MachineConfigInput['monitor'], assist?: Assist): Machine {
  const kernel = guestImage(guest);
  return createMachine({
    config: parseMachineConfig({ kernel, memory: '16M', serial: 'none', monitor, cpu: { assist } }),
    registry: createRegistry([]),
    kernel: { bytes: readFileSync(kernel), name: kernel },
  });
}

/** Instructions the guest retires from start to end. */
function lengthOf(guest: string): number {
  const machine = start(guest, 'none');
  while (machine.runSlice(10_000_000) !== 'ended');
  return machine.retired;
}

const RUNS = [
  ['step-through', 'trap'],
  ['step-through', 'vif'],
  ['data-swap', 'trap'],
  ['full-emulation', 'vif'],
] as const;
const GUESTS = ['rotate', 'interrupts', 'selfstep', 'descriptors', 'simd', 'pae'];

describe.each(GUESTS)('%s, bare and monitored side by side', (guest) => {
  it.each(RUNS)('under %s with %s is in the same state at every stop', { timeout: TIMEOUT }, (policy, assist) => {
    const slice = Math.ceil(lengthOf(guest) / STOPS);
    const bare = start(guest, 'none');
    const monitored = start(guest, { policy }, assist);
    for (let stop = 1; ; stop++) {
      const ended = bare.runSlice(slice);
      expect(monitored.runSlice(slice), `stop ${stop}`).toBe(ended);
      expect(monitored.retired, `stop ${stop}`).toBe(bare.retired);
      expect(monitored.stateHash(), `first difference before instruction ${bare.retired}`).toBe(bare.stateHash());
      if (ended === 'ended') break;
      expect(stop).toBeLessThanOrEqual(STOPS);
    }
    expect(bare.end?.exitStatus).toBe(33);
  });
});
