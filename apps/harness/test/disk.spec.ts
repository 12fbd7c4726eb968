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
  SHADOW,
  PAGE_SIZE,
  PAGE_WATCH,
  parseMachineConfig,
  type DmaMemory,
  type Drive,
  type MachineConfigInput,
  type MachineMemory,
  type PhysicalSpace,
} from '@ringfence/sdk';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { guestImage } from './run-guest.js';

/** What a machine is made of, which its public face does not show. */
interface Insides {
  readonly parts: { readonly memory: MachineMemory; readonly space: PhysicalSpace; readonly drives: readonly Drive[] };
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

function start(monitor: Monitor, file = image, guest = 'disk', assist?: 'vif'): Machine {
  const kernel = guestImage(guest);
  const config = parseMachineConfig({
    kernel,
    memory: '16M',
    serial: 'none',
    monitor,
    cpu: { assist },
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

/** What the IDE controller has of memory. */
function dmaOf(machine: Machine): DmaMemory {
  return (machine.device('ide') as unknown as { readonly masters: { readonly memory: DmaMemory }[] }).masters[0].memory;
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

  // What a bus master does to pages that the monitor watches, at moments that no disk would hit: on the first
  // instruction after a trap, in the midst of a policy's step. The same bytes again, so the guest may not notice.
  it.each(['step-through', 'data-swap'])(
    'is not disturbed by DMA to watched pages between any two instructions: %s',
    (policy) => {
      const undisturbed = finish(start('none'));
      const machine = start({ policy, protection: 'wp-toggle' });
      const { memory, space } = (machine as unknown as Insides).parts;
      const dma = dmaOf(machine);
      const state = memory.stateWords(0);
      const page = new Uint8Array(PAGE_SIZE);
      let [writes, turn] = [0, 0];
      while (machine.runSlice(turn++ % 7 === 0 ? 1 : 61) !== 'ended') {
        if (state[CPL] === 0) continue;
        for (let i = 0; i < memory.ramBytes / PAGE_SIZE; i++) {
          if ((space.kind[i] & PAGE_WATCH) === 0) continue;
          dma.read(i * PAGE_SIZE, page);
          dma.write(i * PAGE_SIZE, page);
          writes++;
          expect(state[CPL]).toBe(0);
        }
      }
      expect(writes).toBeGreaterThan(1000);
      expect(finish(machine)).toEqual(undisturbed);
    },
  );

  // A kernel's own MOV SS traps; the `interrupts` guest has one that the hardware executes.
  it('has DMA at once in the shadow of a MOV SS that the hardware executed', () => {
    const undisturbed = finish(start('none', image, 'interrupts'));
    // With `trap` it stands behind an instruction that exits, and the exit settles both.
    const machine = start({ policy: 'step-through' }, image, 'interrupts', 'vif');
    const { memory, space } = (machine as unknown as Insides).parts;
    const state = memory.stateWords(0);
    while (state[SHADOW] === 0 || state[CPL] === 0) if (machine.runSlice(1) === 'ended') throw new Error('it has none');
    const watched = space.kind.findIndex((kind) => (kind & PAGE_WATCH) !== 0) * PAGE_SIZE;
    const before = machine.retired;
    const page = new Uint8Array(PAGE_SIZE);
    dmaOf(machine).read(watched, page);
    dmaOf(machine).write(watched, page);
    expect([state[CPL], machine.retired]).toEqual([0, before]);
    expect(finish(machine)).toEqual(undisturbed);
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
