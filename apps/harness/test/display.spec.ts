/**
 * The display on the whole machine: the picture of each mode of the guest `vga`, bare and monitored. The golden was compared
 * with QEMU's screen dumps of the same guest, pixel by pixel: equal but for the ninth dot of characters B0h-BFh, which QEMU
 * repeats, and for how six bits of a colour become eight (docs/how-to/use-the-display.md).
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createMachine, type Machine } from '@ringfence/machine';
import { createRegistry } from '@ringfence/preset-pc';
import { parseMachineConfig, type MachineConfigInput, type MmioHandler } from '@ringfence/sdk';
import { expectGolden } from '@ringfence/testkit';
import { describe, expect, it } from 'vitest';
import { guestImage } from './run-guest.js';

const MODES = [3, 4, 13, 18, 19, 20, 8, 16, 24, 32];

function start(
  mode: number,
  monitor: MachineConfigInput['monitor'],
  devices: MachineConfigInput['devices'] = {},
): Machine {
  const kernel = guestImage('vga');
  const config = parseMachineConfig({
    kernel,
    memory: '16M',
    append: `mode=${mode}`,
    monitor,
    devices,
    serial: 'none',
  });
  return createMachine({
    config,
    registry: createRegistry([]),
    kernel: { bytes: readFileSync(kernel), name: kernel },
  });
}

function finish(machine: Machine): Machine {
  while (machine.runSlice(10_000_000) !== 'ended');
  return machine;
}

function picture(machine: Machine): string {
  const { width, height, rgb } = machine.picture()!;
  return `${width}x${height} ${createHash('sha256').update(rgb).digest('hex')}`;
}

describe('the display', () => {
  it.each<[string, MachineConfigInput['monitor']]>([
    ['bare', 'none'],
    ['monitored', { policy: 'data-swap' }],
  ])('shows every mode: %s', (_name, monitor) => {
    const lines = MODES.map((mode) => {
      const machine = finish(start(mode, monitor));
      expect(machine.end?.exitStatus, machine.channelText('serial')).toBe(33);
      return `${mode}: ${picture(machine)}`;
    });
    expectGolden(import.meta.url, 'display', lines);
  });

  it('moves into a monitor in mid-picture, and out', () => {
    const undisturbed = finish(start(32, 'none'));
    let machine = start(32, 'none');
    for (const monitor of [{ policy: 'step-through' }, 'none'] as const) {
      machine.runSlice(Math.floor(undisturbed.retired / 3));
      const saved = machine.saveState();
      machine = start(32, monitor);
      machine.loadState(saved);
    }
    finish(machine);
    expect([machine.retired, machine.stateHash()]).toEqual([undisturbed.retired, undisturbed.stateHash()]);
    expect(picture(machine)).toBe(picture(undisturbed));
  });

  it('has its memory in the state hash', () => {
    const [one, two] = [start(3, 'none'), start(3, 'none')];
    expect(one.stateHash()).toBe(two.stateHash());
    (one.device('vga') as unknown as MmioHandler).mmioWrite(0x18000, 1, 0x41);
    expect(one.stateHash()).not.toBe(two.stateHash());
  });

  it('works without a PCI bus', () => {
    const isa = ['vga', 'pic8259', 'pit8254', 'uart16550', 'debug-exit'];
    const names = createRegistry([]).names('device');
    const devices = Object.fromEntries(names.map((name) => [name, isa.includes(name) ? {} : false]));
    const machine = start(18, 'none', devices);
    expect(finish(machine).end?.exitStatus).toBe(33);
    expect(machine.picture()).toMatchObject({ width: 640, height: 480 });
  });
});
