// Builds the guest programs of guests/src into guests/images, and the broken images of guests/bad from them.
//
//   node tools/guests/build.mjs           builds and records sizes, hashes and the toolchain in guests/images/manifest.json
//   node tools/guests/build.mjs --check   builds into a temporary folder and compares; status 1 when a byte differs
//
// Needs `gcc` for x86 with 32-bit code generation, GNU as, ld and strip; no headers and no libraries. The output does
// not depend on paths or time, so the same toolchain gives the same bytes anywhere. It does not run the guests.

import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..', '..');
const guests = join(root, 'guests');
const manifestPath = join(guests, 'images', 'manifest.json');

export const guestNames = [
  'hello',
  'paging',
  'rotate',
  'interrupts',
  'selfstep',
  'descriptors',
  'hostile',
  'pae',
  'fpu',
  'v86',
  'simd',
  'disk',
  'vga',
  'virtio',
  'net',
  'bars',
  'apic',
  'acpi',
  'hpet',
];

/** Disk images that a BIOS boots: one assembly source each, linked where a BIOS puts a boot sector. */
export const diskNames = ['bios'];

const COMPILE = [
  ...['-m32', '-march=i686', '-mtune=generic', '-mno-sse', '-mno-mmx', '-mno-80387', '-O1', '-std=gnu11'],
  ...['-ffreestanding', '-nostdlib', '-fno-pic', '-fno-pie', '-fno-stack-protector', '-fomit-frame-pointer'],
  ...['-fno-asynchronous-unwind-tables', '-fcf-protection=none', '-fno-strict-aliasing'],
  ...['-Wall', '-Wextra', '-Werror', '-Ilib'],
];
const LINK = [
  ...['-m', 'elf_i386', '-T', 'lib/link.ld', '--build-id=none', '-z', 'max-page-size=0x1000', '-n'],
  '--no-warn-rwx-segments',
];

/** The versions that decide the bytes, or undefined when a tool is missing. */
export function toolchain() {
  const first = (command) => execFileSync(command, ['--version'], { encoding: 'utf8' }).split('\n')[0].trim();
  try {
    return { compiler: first('gcc'), assembler: first('as'), linker: first('ld') };
  } catch {
    return undefined;
  }
}

export const readManifest = () => JSON.parse(readFileSync(manifestPath, 'utf8'));

/** Why images cannot be compared byte for byte here, or undefined when they can. */
export function reasonNotToCompare() {
  const here = toolchain();
  if (!here) return 'no gcc, as and ld on this system';
  const { toolchain: recorded } = readManifest();
  for (const [tool, version] of Object.entries(recorded)) {
    if (here[tool] !== version) return `the ${tool} here is "${here[tool]}", the images were built with "${version}"`;
  }
  return undefined;
}

/** Builds every guest; the answer is a map from file name, relative to guests/, to bytes. */
export function buildAll() {
  const work = mkdtempSync(join(tmpdir(), 'ringfence-guests-'));
  const files = new Map();
  const run = (command, args) => execFileSync(command, args, { cwd: guests, stdio: ['ignore', 'inherit', 'inherit'] });
  try {
    for (const name of guestNames) {
      const sources = ['lib/boot.S', 'lib/guest.c', `src/${name}.c`];
      if (existsSync(join(guests, 'src', `${name}.S`))) sources.push(`src/${name}.S`);
      const objects = sources.map((source, i) => {
        const object = join(work, `${i}.o`);
        run('gcc', [...COMPILE, `-DGUEST_NAME="${name}"`, '-c', source, '-o', object]);
        return object;
      });
      const linked = join(work, `${name}.elf`);
      run('ld', [...LINK, '-o', linked, ...objects]);
      run('strip', ['-s', linked]);
      files.set(`images/${name}.elf`, readFileSync(linked));
    }
    for (const name of diskNames) {
      const object = join(work, 'disk.o');
      const linked = join(work, `${name}.img`);
      run('as', ['--32', '-o', object, `src/${name}.S`]);
      run('ld', ['-m', 'elf_i386', '-Ttext=0x7c00', '-e', '0x7c00', '--oformat', 'binary', '-o', linked, object]);
      files.set(`images/${name}.img`, readFileSync(linked));
    }
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  for (const [name, bytes] of badImages(files.get('images/hello.elf'))) files.set(`bad/${name}`, bytes);
  return files;
}

/** Images that a loader must refuse, with one clear error each. */
function badImages(good) {
  const changed = (change) => {
    const copy = Buffer.from(good);
    change(copy);
    return copy;
  };
  const header = good.readUInt32LE(28); // the program header; its segment starts at the multiboot header
  const multiboot = good.readUInt32LE(header + 4);
  const linux = Buffer.alloc(1024);
  linux[0x1f1] = 30; // setup sectors, of which there is one
  linux.writeUInt16LE(0xaa55, 0x1fe);
  linux.write('HdrS', 0x202, 'latin1');
  linux.writeUInt16LE(0x020c, 0x206);
  linux[0x211] = 1;
  linux.writeUInt32LE(0x100000, 0x214);
  return [
    ['empty.bin', Buffer.alloc(0)],
    ['tiny.bin', Buffer.from([0xeb, 0xfe, 0x90])],
    ['not-a-kernel.txt', Buffer.from('This is a text file. It holds no multiboot header and no Linux header.\n')],
    ['truncated.elf', good.subarray(0, multiboot + 1000)],
    ['truncated-header.elf', good.subarray(0, 40)],
    ['no-multiboot.elf', changed((bytes) => bytes.writeUInt32LE(0, multiboot))],
    ['bad-checksum.elf', changed((bytes) => bytes.writeUInt32LE(0x12345678, multiboot + 8))],
    ['elf64.elf', changed((bytes) => (bytes[4] = 2))],
    ['beyond-memory.elf', changed((bytes) => bytes.writeUInt32LE(0x70000000, header + 20))],
    ['high-segment.elf', changed((bytes) => bytes.writeUInt32LE(0xfff00000, header + 12))],
    ['far-program-headers.elf', changed((bytes) => bytes.writeUInt32LE(0xfffffff0, 28))],
    ['linux-truncated.bin', linux],
  ];
}

function manifestOf(files) {
  const images = {};
  for (const [name, bytes] of files) {
    images[name] = { bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') };
  }
  return `${JSON.stringify({ toolchain: toolchain(), images }, null, 2)}\n`;
}

/** The files, among those built, that are not in the checkout as they are. */
export function differences(files) {
  const different = [];
  for (const [name, bytes] of files) {
    const path = join(guests, name);
    if (!existsSync(path) || !readFileSync(path).equals(bytes)) different.push(name);
  }
  for (const folder of ['images', 'bad']) {
    for (const entry of readdirSync(join(guests, folder))) {
      if (entry !== 'manifest.json' && !files.has(`${folder}/${entry}`)) different.push(`${folder}/${entry}`);
    }
  }
  return different;
}

function main(args) {
  if (!toolchain()) {
    console.error('building guests needs gcc (with -m32), as, ld and strip: install gcc and binutils');
    return 1;
  }
  const files = buildAll();
  if (args.includes('--check')) {
    const reason = reasonNotToCompare();
    if (reason) console.log(`not compared: ${reason}`);
    const different = reason ? [] : differences(files);
    for (const name of different) console.error(`guests/${name} is not what its sources give`);
    if (!reason && different.length === 0) console.log(`${files.size} images are what their sources give`);
    return different.length === 0 ? 0 : 1;
  }
  for (const folder of ['images', 'bad']) mkdirSync(join(guests, folder), { recursive: true });
  for (const [name, bytes] of files) writeFileSync(join(guests, name), bytes);
  writeFileSync(manifestPath, manifestOf(files));
  for (const [name, bytes] of files) console.log(`guests/${name}  ${bytes.length} bytes`);
  return 0;
}

if (process.argv[1] && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  process.exitCode = main(process.argv.slice(2));
}
