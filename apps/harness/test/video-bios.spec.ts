/**
 * SeaBIOS's video BIOS on our VGA, bare and monitored: INT 10h sets modes, draws characters and pixels, VBE sets linear modes,
 * moves the bank and the start of the picture. The golden was compared with QEMU's screen dumps of the same boot sectors,
 * pixel by pixel in the six bits of a colour. SeaBIOS is fetched (fetched-guest.ts says what happens without a network).
 */
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openDrives } from '@ringfence/disk-image';
import { SEABIOS } from '@ringfence/guest-catalogue';
import { createMachine, runMachine } from '@ringfence/machine';
import { createRegistry } from '@ringfence/preset-pc';
import { parseMachineConfig, type MachineConfigInput } from '@ringfence/sdk';
import { expectGolden } from '@ringfence/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ensureFiles } from './fetched-guest.js';

// xor ax, ax; mov ds, ax; mov ss, ax; mov sp, 7C00h; cld
const BEGIN = '31c08ed88ed0bc007cfc';
// mov al, 10h; out 0F4h, al; cli; hlt; jmp $-2
const END = 'b010e6f4faf4ebfc';
/** mov ax, MODE; int 10h; 64 characters by AH = 0Eh, then 150 pixels in a diagonal by AH = 0Ch. */
const standard = (mode: number): string =>
  `${BEGIN}b8${word(mode)}cd10b94000b8000e042000c8bb0e00cd10e2f2b9960089cab40c88c8247fb700cd10e2f2${END}`;
/**
 * VBE 02h: MODE with its linear framebuffer; six banks by 05h, the first 8 KiB of each filled with words that grow by 21h; 07h:
 * the picture begins at the fourth pixel of the second line.
 */
const linear = (mode: number): string =>
  `${BEGIN}b8024fbb${word(mode | 0x4000)}cd1083f84f753831d2b8054f31db52cd105ab800a08ec031ffb9001089d0c1e004ab83c021e2fa4283fa0675dc` +
  `b8074fbb0000b90400ba0200cd10${END}`;

const word = (value: number): string => Buffer.from([value & 0xff, value >>> 8]).toString('hex');
const SECTORS: readonly [name: string, code: string][] = [
  ['int 10h, 12h', standard(0x12)],
  ['int 10h, 13h', standard(0x13)],
  ['vbe 101h', linear(0x101)],
  ['vbe 111h', linear(0x111)],
  ['vbe 112h', linear(0x112)],
];

let folder: string;
beforeAll(() => (folder = mkdtempSync(join(tmpdir(), 'rf-video-bios-'))));
afterAll(() => rmSync(folder, { recursive: true }));

describe('the video BIOS', () => {
  it.for<[string, MachineConfigInput['monitor']]>([
    ['bare', 'none'],
    ['monitored', { policy: 'full-emulation' }],
  ])('sets standard and linear modes: %s', { timeout: 300_000 }, async ([, monitor], context) => {
    const { guest: firmware, skip } = await ensureFiles(SEABIOS.guest);
    if (firmware === undefined) return context.skip(skip);
    const lines: string[] = [];
    for (const [name, code] of SECTORS) {
      const image = join(folder, 'disk.img');
      const disk = Buffer.alloc(1 << 20);
      disk.write(`${code.padEnd(1020, '0')}55aa`, 'hex');
      writeFileSync(image, disk);
      const config = parseMachineConfig({ memory: '16M', firmware: {}, drives: [{ file: image }], monitor });
      const rom = (name: string) => ({ bytes: readFileSync(join(firmware.folder, name)), name });
      const machine = createMachine({
        config,
        registry: createRegistry(),
        firmware: { bios: rom(SEABIOS.bios), vgaBios: rom(SEABIOS.vgaBios) },
        drives: openDrives(config.drives),
      });
      const { exitStatus } = await runMachine(machine, { maxInstructions: 50_000_000 });
      expect(exitStatus, name).toBe(33);
      const { width, height, rgb } = machine.picture()!;
      lines.push(`${name}: ${width}x${height} ${createHash('sha256').update(rgb).digest('hex')}`);
    }
    expectGolden(import.meta.url, 'video-bios', lines);
  });
});
