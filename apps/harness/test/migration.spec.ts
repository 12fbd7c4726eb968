/**
 * A snapshot is the guest's, whoever executes it: taken under one monitor in mid-run and loaded into a machine that is bare
 * or runs another policy, the guest goes on and ends as if nothing had happened.
 */
import { readFileSync } from 'node:fs';
import { createMachine, type Machine } from '@ringfence/machine';
import { createRegistry } from '@ringfence/preset-pc';
import { parseMachineConfig, type MachineConfigInput } from '@ringfence/sdk';
import { describe, expect, it } from 'vitest';
import { guestImage } from './run-guest.js';

type Monitor = MachineConfigInput['monitor'];

function start(guest: string, monitor: Monitor): Machine {
  const kernel = guestImage(guest);
  return createMachine({
    config: parseMachineConfig({ kernel, memory: '16M', serial: 'none', monitor }),
    registry: createRegistry([]),
    kernel: { bytes: readFileSync(kernel), name: kernel },
  });
}

function finish(machine: Machine): { retired: number; stateHash: string; status: number | undefined } {
  while (machine.runSlice(10_000_000) !== 'ended');
  return { retired: machine.retired, stateHash: machine.stateHash(), status: machine.end?.exitStatus };
}

const JOURNEYS: readonly (readonly Monitor[])[] = [
  ['none', { policy: 'step-through' }],
  [{ policy: 'step-through' }, { policy: 'data-swap', shadowCache: 'rebuild' }, 'none'],
  [{ policy: 'data-swap' }, { policy: 'full-emulation', protection: 'pdbr-reload' }, { policy: 'step-through' }],
];

describe.each(['rotate', 'interrupts', 'descriptors', 'simd', 'pae', 'v86', 'apic'])('%s moves in mid-run', (guest) => {
  const undisturbed = finish(start(guest, 'none'));

  it.each(
    JOURNEYS.map(
      (stations) =>
        [stations.map((m) => (m === 'none' ? m : (m as { policy: string }).policy)).join(' -> '), stations] as const,
    ),
  )('%s', (_name, stations) => {
    let machine = start(guest, stations[0]);
    for (const next of stations.slice(1)) {
      machine.runSlice(Math.floor(undisturbed.retired / stations.length));
      const snapshot = machine.saveState();
      machine = start(guest, next);
      machine.loadState(snapshot);
    }
    expect(finish(machine)).toEqual(undisturbed);
    expect(undisturbed.status).toBe(33);
  });
});
