/**
 * Drives on the whole machine: what the guest wrote travels with a snapshot from monitor to monitor, the image stays as it
 * was, an image that shrinks under a run is the guest's error, and the monitor's window is shut whenever the guest runs,
 * however a bus master has come between.
 */
import { copyFileSync, mkdtempSync, readFileSync, rmSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openDrives } from '@ringfence/disk-image';
import { createMachine, type Machine } from '@ringfence/machine';
import { createRegistry } from '@ringfence/preset-pc';
import {
  CPL,
  CR0,
  CR0_WP,
  parseMachineConfig,
  type Drive,
  type MachineConfigInput,
  type MachineMemory,
} from '@ringfence/sdk';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { guestImage } from './run-guest.js';

/** What a machine is made of, which its public face does not show. */
interface Insides {
  readonly parts: { readonly memory: MachineMemory; readonly drives: readonly Drive[] };
}

type Monitor = MachineConfigInput['monitor'];

let folder: string;
let image: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'rf-disk-guest-'));
  image = join(folder, 'disk.img');
  copyFileSync(guestImage('hello'), image);
});
afterAll(() => rmSync(folder, { recursive: true }));

function start(monitor: Monitor, file = image): Machine {
  const kernel = guestImage('disk');
  const config = parseMachineConfig({
    kernel,
    memory: '16M',
    serial: 'none',
    monitor,
    drives: [{ file }, { file: image, media: 'cdrom' }],
  });
  return createMachine({
    config,
    registry: createRegistry([]),
    kernel: { bytes: readFileSync(kernel), name: kernel },
    drives: openDrives(config.drives),
  });
}

function finish(machine: Machine) {
  while (machine.runSlice(10_000_000) !== 'ended');
  return { retired: machine.retired, stateHash: machine.stateHash(), status: machine.end?.exitStatus };
}

describe('the disk guest', () => {
  it.each<[string, readonly Monitor[]]>([
    ['bare to step-through', ['none', { policy: 'step-through' }]],
    ['step-through to data-swap to bare', [{ policy: 'step-through' }, { policy: 'data-swap' }, 'none']],
    ['data-swap to full-emulation', [{ policy: 'data-swap' }, { policy: 'full-emulation' }]],
  ])('moves in mid-run with what it wrote: %s', (_name, stations) => {
    const undisturbed = finish(start('none'));
    expect(undisturbed.status).toBe(33);
    let machine = start(stations[0]);
    for (const next of stations.slice(1)) {
      machine.runSlice(Math.floor(undisturbed.retired / stations.length));
      const snapshot = machine.saveState();
      machine = start(next);
      machine.loadState(snapshot);
    }
    expect(finish(machine)).toEqual(undisturbed);
    expect(readFileSync(image)).toEqual(readFileSync(guestImage('hello')));
  });

  it('has its writes in the state hash', () => {
    const [one, two] = [start('none'), start('none')];
    const drive = (machine: Machine) => (machine as unknown as Insides).parts.drives[0].storage;
    expect(one.stateHash()).toBe(two.stateHash());
    drive(one).write(5120, new Uint8Array(512));
    expect(one.stateHash()).not.toBe(two.stateHash());
  });

  it.each<[string, Monitor]>([
    ['bare', 'none'],
    ['monitored', { policy: 'step-through' }],
  ])('is told of an image that shrinks in mid-run: %s', (_name, monitor) => {
    const shrinking = join(folder, 'shrinking.img');
    copyFileSync(image, shrinking);
    const machine = start(monitor, shrinking);
    truncateSync(shrinking, 100);
    // Its check of the status fails, which it says, and that is all.
    expect(finish(machine).status).toBe(35);
    expect(machine.channelText('serial')).toMatch(/^FAIL disk\.c:\d+ status_at_interrupt/m);
  });

  it('never runs with the window of the monitor open', () => {
    const machine = start({ policy: 'step-through', protection: 'wp-toggle' });
    const state = (machine as unknown as Insides).parts.memory.stateWords(0);
    let inGuest = 0;
    while (machine.runSlice(97) !== 'ended') {
      if (state[CPL] === 0) continue;
      inGuest++;
      expect(state[CR0] & CR0_WP).not.toBe(0);
    }
    expect(inGuest).toBeGreaterThan(100);
  });
});
