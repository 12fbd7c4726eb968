/**
 * Virtio devices on the whole machine: our guest with its disk moves in mid-run from monitor to monitor; Debian's own drivers
 * find disk, console, entropy and a shared folder, and from a snapshot in which they are all in use the guest goes on
 * monitored as it does bare. SeaBIOS's driver boots from the disk. About 7 thousand million instructions, nearly all of them the boot, which is bare.
 */
import { createHash } from 'node:crypto';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openDrives } from '@ringfence/disk-image';
import { SEABIOS } from '@ringfence/guest-catalogue';
import { createMachine, type Machine, type SavedMachine } from '@ringfence/machine';
import { createRegistry } from '@ringfence/preset-pc';
import { openShares } from '@ringfence/shared-folder';
import { type ByteChannel, type MachineConfigInput, parseMachineConfig } from '@ringfence/sdk';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ensureFiles, ensureGuest } from './fetched-guest.js';
import { guestImage, root } from './run-guest.js';

type Monitor = MachineConfigInput['monitor'];

let folder: string;
let image: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'rf-virtio-'));
  image = join(folder, 'disk.img');
  copyFileSync(guestImage('hello'), image);
});
afterAll(() => rmSync(folder, { recursive: true }));

function start(input: MachineConfigInput & { kernel: string }, channels?: Record<string, ByteChannel>): Machine {
  const config = parseMachineConfig({ serial: 'none', ...input });
  const file = (path: string) => ({ bytes: readFileSync(path), name: path });
  return createMachine({
    config,
    registry: createRegistry([]),
    kernel: file(input.kernel),
    initrd: config.initrd === undefined ? undefined : file(config.initrd),
    drives: openDrives(config.drives),
    shares: openShares(config.shares),
    channels,
  });
}

function finish(machine: Machine) {
  while (machine.runSlice(10_000_000) !== 'ended');
  return { retired: machine.retired, stateHash: machine.stateHash(), status: machine.end?.exitStatus };
}

describe('the virtio guest', () => {
  it.each<[string, readonly Monitor[]]>([
    ['bare to step-through', ['none', { policy: 'step-through' }]],
    ['step-through to data-swap to bare', [{ policy: 'step-through' }, { policy: 'data-swap' }, 'none']],
    ['data-swap to full-emulation', [{ policy: 'data-swap' }, { policy: 'full-emulation' }]],
  ])('moves in mid-run with its disk: %s', (_name, stations) => {
    const make = (monitor: Monitor) =>
      start({
        kernel: guestImage('virtio'),
        memory: '16M',
        monitor,
        drives: [{ file: image, interface: 'virtio' }],
      });
    const undisturbed = finish(make('none'));
    expect(undisturbed.status).toBe(33);
    let machine = make(stations[0]);
    for (const next of stations.slice(1)) {
      machine.runSlice(Math.floor(undisturbed.retired / stations.length));
      const snapshot = machine.saveState();
      machine = make(next);
      machine.loadState(snapshot);
    }
    expect(finish(machine)).toEqual(undisturbed);
    expect(readFileSync(image)).toEqual(readFileSync(guestImage('hello')));
  });
});

describe('SeaBIOS', () => {
  it('boots from a virtio disk, bare and monitored alike', { timeout: 5 * 60_000 }, async (context) => {
    const { guest: firmware, skip } = await ensureFiles(SEABIOS.guest);
    if (firmware === undefined) return context.skip(skip);
    const file = (path: string) => ({ bytes: readFileSync(path), name: path });
    const boot = (monitor: Monitor) => {
      const drives = [{ file: join(root, 'guests/images/bios.img'), interface: 'virtio' as const }];
      const config = parseMachineConfig({ firmware: {}, memory: '16M', monitor, drives });
      const machine = createMachine({
        config,
        registry: createRegistry([]),
        firmware: {
          bios: file(join(firmware.folder, SEABIOS.bios)),
          vgaBios: file(join(firmware.folder, SEABIOS.vgaBios)),
        },
        drives: openDrives(config.drives),
      });
      return { ...finish(machine), serial: machine.channelText('serial') };
    };
    const bare = boot('none');
    expect(bare.serial).toMatch(/^PASS bios\r?$/m);
    expect(bare.status).toBe(33);
    expect(boot({ policy: 'step-through' })).toEqual(bare);
  });
});

const SCRIPT = [
  'mount -t 9p -o trans=virtio,version=9p2000.L host /mnt',
  'cd /mnt/sub',
  'echo mounted',
  'sha256sum < /dev/vda',
  'cd ..; ls -1; sha256sum < big; cat sub/deep',
  'echo x 2>/dev/null > new || echo read-only',
  'echo to the console > /dev/hvc0',
  'dd if=/dev/hwrng bs=16 count=1 2>/dev/null | sha256sum',
  'dd if=/dev/zero of=/dev/vda bs=4k count=1 conv=fsync 2>/dev/null; echo 3 > /proc/sys/vm/drop_caches; sha256sum < /dev/vda',
].join('; ');

describe('Debian with virtio devices', () => {
  it('uses them all, bare and, from a snapshot, monitored', { timeout: 30 * 60_000 }, async (context) => {
    const { guest: fetched, skip } = await ensureGuest('debian-busybox');
    if (fetched === undefined) return context.skip(skip);
    const share = join(folder, 'share');
    mkdirSync(join(share, 'sub'), { recursive: true });
    const big = Buffer.alloc(300_000, 'shared with the guest ');
    writeFileSync(join(share, 'big'), big);
    writeFileSync(join(share, 'sub', 'deep'), 'deep\n');
    const disk = join(folder, 'debian.img');
    const content = Buffer.alloc(1 << 20, 'on the disk ');
    writeFileSync(disk, content);

    const make = (monitor: Monitor) => {
      const said: number[] = [];
      const hvc = { send: (byte: number) => void said.push(byte), receive: () => -1, onReceive: () => {} };
      const machine = start(
        {
          kernel: fetched.kernel,
          initrd: fetched.initrd,
          memory: fetched.guest.run.memory,
          append: `${fetched.guest.run.append} quiet -- "${SCRIPT.replaceAll('"', "'")}"`,
          monitor,
          drives: [{ file: disk, interface: 'virtio', format: 'raw' }],
          shares: [{ tag: 'host', path: share }],
          devices: { 'virtio-rng': { seed: 7 } },
        },
        { 'virtio-console': hvc },
      );
      return { machine, console: () => Buffer.from(said).toString() };
    };

    const bare = make('none');
    while (!bare.machine.channelText('serial').includes('mounted')) {
      expect(bare.machine.runSlice(20_000_000), bare.machine.channelText('serial').slice(-2000)).not.toBe('ended');
    }
    const snapshot: SavedMachine = bare.machine.saveState();
    const before = bare.machine.channelText('serial').length;
    const undisturbed = finish(bare.machine);
    const sha = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
    const text = bare.machine.channelText('serial').replaceAll('\r', '');
    const lines = text.slice(text.indexOf('mounted')).split('\n');
    expect(lines.slice(0, 7), text.slice(-2000)).toEqual([
      'mounted',
      `${sha(content)}  -`,
      'big',
      'sub',
      `${sha(big)}  -`,
      'deep',
      'read-only',
    ]);
    expect(lines[7]).toMatch(/^[0-9a-f]{64} {2}-$/);
    expect(lines[8]).toBe(`${sha(Buffer.concat([Buffer.alloc(4096), content.subarray(4096)]))}  -`);
    expect(bare.console()).toContain('to the console');
    expect(readFileSync(disk)).toEqual(content);

    const monitored = make({ policy: 'step-through' });
    monitored.machine.loadState(snapshot);
    expect(finish(monitored.machine)).toEqual(undisturbed);
    expect(monitored.machine.channelText('serial')).toBe(bare.machine.channelText('serial').slice(before));
    expect(monitored.console()).toBe(bare.console());
  });
});
