/**
 * SeaBIOS on the whole machine, bare and monitored: its own start in lockstep, a boot sector of ours that lives on BIOS
 * services in real and big real mode, a kernel by its 16-bit entry, and Debian from a disk with GRUB and from a CD-ROM with
 * isolinux to its shell. SeaBIOS and the drives are fetched (fetched-guest.ts says what happens without a network).
 */
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { SEABIOS } from '@ringfence/guest-catalogue';
import { openDrives } from '@ringfence/disk-image';
import { createMachine, type Machine, runMachine } from '@ringfence/machine';
import { createRegistry } from '@ringfence/preset-pc';
import { type MachineConfigInput, parseMachineConfig, type SystemControl } from '@ringfence/sdk';
import { describe, expect, it, type TestContext } from 'vitest';
import { ensureFiles, ensureGuest } from './fetched-guest.js';
import { root } from './run-guest.js';

type Monitor = MachineConfigInput['monitor'];

/** What a machine is made of, which its public face does not show. */
interface Insides {
  readonly parts: { readonly board: { readonly control: SystemControl } };
}

const BOOT_SECTOR = resolve(root, 'guests/images/bios.img');
const MINUTES = 60_000;

const file = (path: string) => ({ bytes: readFileSync(path), name: path });

/** A machine that SeaBIOS starts; skips the test when there is none to be had. */
async function start(context: TestContext, input: MachineConfigInput): Promise<Machine> {
  const { guest: firmware, skip } = await ensureFiles(SEABIOS.guest);
  if (firmware === undefined) return context.skip(skip);
  const config = parseMachineConfig({ firmware: {}, ...input });
  return createMachine({
    config,
    registry: createRegistry(),
    kernel: config.kernel === undefined ? undefined : file(config.kernel),
    firmware: {
      bios: file(join(firmware.folder, SEABIOS.bios)),
      vgaBios: file(join(firmware.folder, SEABIOS.vgaBios)),
    },
    drives: openDrives(config.drives),
  });
}

async function run(context: TestContext, input: MachineConfigInput) {
  const machine = await start(context, input);
  const { exitStatus, report, dump } = await runMachine(machine, machine.config.limits);
  const serial = machine.channelText('serial').replaceAll('\r', '');
  const { retired, serialSha256, stateHash } = report;
  return { status: exitStatus, outcome: report.outcome, serial, dump, same: { retired, serialSha256, stateHash } };
}

describe('SeaBIOS', () => {
  it('says on the serial line that there is nothing to boot', async (context) => {
    const { status, serial } = await run(context, {
      memory: '16M',
      firmware: { serialConsole: true },
      limits: { untilSerial: 'No bootable device', maxInstructions: 1e8 },
    });
    expect(status, serial).toBe(0);
    expect(serial).toMatch(/SeaBIOS \(version \d/);
    expect(serial).toMatch(/Booting from Hard Disk/);
  });

  it.for<[string, Monitor]>([
    ['full-emulation', { policy: 'full-emulation' }],
    ['step-through', { policy: 'step-through', protection: 'pdbr-reload' }],
  ])('is in the same state under %s at every stop', { timeout: 5 * MINUTES }, async ([, monitor], context) => {
    const machines = [await start(context, booting('none')), await start(context, booting(monitor))];
    for (let stop = 1; stop <= 13; stop++) {
      for (const machine of machines) advance(machine, stop * 500_000);
      const [bare, monitored] = machines.map((machine) => ({ retired: machine.retired, hash: machine.stateHash() }));
      expect(monitored).toEqual(bare);
      expect(bare.retired).toBe(stop * 500_000);
    }
  });

  it('moves between bare and monitored in the midst of it', { timeout: 5 * MINUTES }, async (context) => {
    const undisturbed = await run(context, booting('none'));
    let machine = await start(context, booting('none'));
    for (const [at, monitor] of [
      [1_700_000, { policy: 'data-swap' }],
      [5_900_000, 'none'],
      [6_200_000, { policy: 'step-through' }],
    ] as const) {
      advance(machine, at);
      const saved = machine.saveState();
      machine = await start(context, booting(monitor));
      machine.loadState(saved);
    }
    const { report } = await runMachine(machine);
    expect([report.retired, report.stateHash]).toEqual([undisturbed.same.retired, undisturbed.same.stateHash]);
  });
});

describe('a boot sector in real mode', () => {
  it.for<['ide' | 'floppy' | 'virtio', string[]]>([
    ['ide', ['rebuild', 'tracked-lru']],
    ['floppy', ['tracked-lru']],
    ['virtio', ['tracked-lru']],
  ])(
    'passes its checks from %s, bare and under every policy in the same state',
    { timeout: 10 * MINUTES },
    async ([on, caches], context) => {
      const bare = await run(context, booting('none', on));
      expect(bare.serial, bare.dump).toMatch(/^PASS bios$/m);
      expect(bare.serial).toMatch(on === 'floppy' ? /^diskette$/m : /^disk$/m);
      expect(bare.status).toBe(33);
      for (const policy of ['step-through', 'data-swap', 'full-emulation']) {
        for (const shadowCache of caches) {
          const monitored = await run(context, booting({ policy, shadowCache }, on));
          expect(monitored, `${policy} ${shadowCache}`).toEqual(bare);
        }
      }
    },
  );

  it('starts from the ROM again after a reset, whose boot sector passes again', async (context) => {
    const machine = await start(context, { ...booting('none'), onReset: 'restart' });
    advance(machine, 5_000_000);
    (machine as unknown as Insides).parts.board.control.reset('a spec');
    const { exitStatus, report } = await runMachine(machine, { maxInstructions: 1e8 });
    expect([exitStatus, report.outcome, report.resets]).toEqual([33, 'debug-exit', 1]);
    expect(machine.channelText('serial')).toMatch(/PASS bios/);
  });
});

describe('kernels and boot loaders', () => {
  it(
    'starts memtest86+ by its 16-bit entry, which asks the BIOS for its screen and memory',
    { timeout: 5 * MINUTES },
    async (context) => {
      const { guest, skip } = await ensureGuest('memtest86');
      if (guest === undefined) return context.skip(skip);
      const { append, memory } = guest.guest.run;
      const { status, serial } = await run(context, {
        ...{ kernel: guest.kernel, append, memory },
        limits: { untilSerial: 'Memtest86\\+', maxInstructions: 1e9 },
      });
      expect(status, serial).toBe(0);
    },
  );

  it.for<[string, RegExp]>([
    ['debian-disk', /GRUB: loading the kernel/],
    ['debian-cd', /isolinux: loading the kernel/],
  ])('boots %s to its shell', { timeout: 20 * MINUTES }, async ([name, loader], context) => {
    const { guest, skip } = await ensureFiles(name);
    if (guest === undefined) return context.skip(skip);
    const { memory, drives = [] } = guest.guest.run!;
    const { status, serial, dump } = await run(context, {
      memory,
      firmware: { serialConsole: true },
      drives: drives.map(({ file, media }) => ({ file: join(guest.folder, file), media })),
      limits: { untilSerial: 'debian-busybox: a shell on the console', timeoutSeconds: 1100 },
    });
    expect(status, `${dump}\n${serial.slice(-2000)}`).toBe(0);
    expect(serial).toMatch(loader);
    expect(serial).toMatch(/\[ *[\d.]+\] Linux version \d/);
  });
});

function booting(monitor: Monitor, on: 'ide' | 'floppy' | 'virtio' = 'ide'): MachineConfigInput {
  return {
    memory: '16M',
    monitor,
    firmware: { boot: [on === 'floppy' ? 'floppy' : 'disk'] },
    drives: [{ file: BOOT_SECTOR, interface: on }],
    limits: { maxInstructions: 1e8 },
  };
}

/** Runs up to an exact count. */
function advance(machine: Machine, count: number): void {
  while (machine.retired < count && machine.runSlice(count - machine.retired) !== 'ended');
}
