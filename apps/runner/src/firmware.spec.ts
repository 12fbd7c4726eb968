/** Firmware on the command line and in a configuration: where the images come from, what is refused. No real BIOS is needed. */
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { main } from './cli.js';
import { applyFlags } from './flags.js';
import { type FakeIo, fakeIo } from './testing/fake-io.js';

/** 64 KiB whose reset vector jumps to OUT F4h,`value`. */
function rom(value: number): Uint8Array {
  const bytes = new Uint8Array(0x10000).fill(0xf4);
  bytes.set([0xb0, value, 0xe6, 0xf4]);
  bytes.set([0xea, 0x00, 0x00, 0x00, 0xf0], 0xfff0);
  return bytes;
}
const vgaBios = Uint8Array.from({ length: 512 }, (_, i) => [0x55, 0xaa, 1][i] ?? 0);

let folder: string;
let io: FakeIo;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ringfence-firmware-'));
  io = fakeIo({ cwd: folder, env: { RINGFENCE_CACHE: folder } });
  writeFileSync(join(folder, 'rom.bin'), rom(2));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** As a fetch would have left it, but for what is in it. */
function seabios(): void {
  const files = { 'bios-256k.bin': rom(3), 'vgabios-stdvga.bin': vgaBios };
  mkdirSync(join(folder, 'seabios'));
  const hashes: Record<string, string> = {};
  for (const [name, bytes] of Object.entries(files)) {
    writeFileSync(join(folder, 'seabios', name), bytes);
    hashes[name] = createHash('sha256').update(bytes).digest('hex');
  }
  const record = { format: 1, guest: 'seabios', packages: [], files: hashes };
  writeFileSync(join(folder, 'seabios', 'record.json'), JSON.stringify(record));
}

describe('firmware', () => {
  it('is an image file, and says in the report which', async () => {
    expect(await main(['run', '--bios', 'rom.bin', '--report', 'r.json'], io)).toBe(5);
    const report = JSON.parse(readFileSync(join(folder, 'r.json'), 'utf8')) as { machine: unknown };
    expect(report.machine).toMatchObject({ kernel: '', firmware: join(folder, 'rom.bin') });
  });

  it('is SeaBIOS from the cache, under its name or by default', async () => {
    seabios();
    expect(await main(['run', '--bios', 'seabios'], io)).toBe(7);
    expect(await main(['run', '--boot', 'cdrom,disk'], io)).toBe(7);
  });

  it('stands in a configuration file, with paths relative to it', async () => {
    mkdirSync(join(folder, 'inner'));
    writeFileSync(join(folder, 'inner', 'vga.bin'), vgaBios);
    writeFileSync(join(folder, 'inner', 'm.yaml'), 'firmware: { bios: ../rom.bin, vgaBios: vga.bin }\n');
    expect(await main(['run', 'inner/m.yaml'], io)).toBe(5);
  });

  it('is what traces run too', async () => {
    expect(await main(['trace', '--bios', 'rom.bin', '--to', '3'], io)).toBe(0);
    expect(io.out()).toMatch(/f000:0*fff0/);
    expect(io.out()).toMatch(/out .*F4/i);
  });

  it('has flags that lie over the file', () => {
    const file = { firmware: { bios: '/b', menuSeconds: 2 } };
    expect(applyFlags(file, { vgaBios: 'none', boot: 'cdrom, disk' }).firmware).toEqual({
      bios: '/b',
      menuSeconds: 2,
      vgaBios: 'none',
      boot: ['cdrom', 'disk'],
    });
    expect(applyFlags({}, { biosSerial: true }).firmware).toEqual({ serialConsole: true });
    expect(applyFlags(file, {}).firmware).toEqual(file.firmware);
  });

  it.each([
    [['--bios', 'nothere'], 'RF_FIRMWARE_NOT_FOUND'],
    [['--bios', '.'], 'RF_FIRMWARE_NOT_FOUND'],
    [['--bios', 'rom.bin', '--vga-bios', 'rom.bin'], 'RF_FIRMWARE_INVALID'],
    [['--bios', 'r.txt'], 'RF_FIRMWARE_INVALID'],
    [['--boot', 'disk,tape'], 'RF_BAD_USAGE'],
    [['--boot', 'disk,disk'], 'RF_BAD_USAGE'],
    [['--bios', 'rom.bin', '--initrd', 'r.txt'], 'RF_BAD_USAGE'],
    [['--bios', 'rom.bin', '--kernel', 'r.txt'], 'RF_KERNEL_NOT_BOOTABLE'],
    [['--bios', 'rom.bin', '--report', 'rom.bin'], 'RF_CONTRADICTION'],
    [['--guest', 'seabios'], 'RF_CONTRADICTION'],
    [[], 'RF_BAD_USAGE'],
  ])('%j is refused with %s', async (args, code) => {
    writeFileSync(join(folder, 'r.txt'), 'not a BIOS');
    expect(await main(['run', ...args], io)).toBe(2);
    expect(io.err()).toContain(code);
    expect(readFileSync(join(folder, 'rom.bin'))).toEqual(Buffer.from(rom(2)));
  });
});
