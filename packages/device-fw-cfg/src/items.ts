/**
 * What fw_cfg has to say, item by item (QEMU, docs/specs/fw_cfg; the keys as SeaBIOS, src/fw/paravirt.c, reads them):
 * signature and version, the kernel's parts by the keys that a boot ROM reads, and a directory of named files: memory
 * map, boot order, settings of SeaBIOS, option ROMs. Scalars are little-endian, the directory is big-endian.
 */
import { isPciRom, type BoardInfo, type FirmwareFile, type FirmwareInfo, type FirmwareKernel } from '@ringfence/sdk';
import { LINUX_BOOT_ROM } from './generated/linux-boot-rom.js';

const SIGNATURE = 0x00;
const ID = 0x01;
const RAM_SIZE = 0x03;
const NB_CPUS = 0x05;
const KERNEL_ADDR = 0x07;
const KERNEL_SIZE = 0x08;
const INITRD_ADDR = 0x0a;
const INITRD_SIZE = 0x0b;
const BOOT_MENU = 0x0e;
const MAX_CPUS = 0x0f;
const KERNEL_DATA = 0x11;
const INITRD_DATA = 0x12;
const CMDLINE_ADDR = 0x13;
const CMDLINE_SIZE = 0x14;
const CMDLINE_DATA = 0x15;
const SETUP_ADDR = 0x16;
const SETUP_SIZE = 0x17;
const SETUP_DATA = 0x18;
const FILE_DIR = 0x19;
const FIRST_FILE = 0x20;
const IRQ0_OVERRIDE = 0x8002;

const ID_TRADITIONAL = 0x01;
const ID_DMA = 0x02;
const NAME_BYTES = 56;
const ENTRY_BYTES = 64;

const E820_RAM = 1;
const COM1 = 0x3f8;
const VGA_BIOS = 'vgaroms/vgabios.bin';
const LINUX_BOOT = 'genroms/linuxboot.bin';

export function makeItems(board: BoardInfo, firmware: FirmwareInfo): ReadonlyMap<number, Uint8Array> {
  const items = new Map<number, Uint8Array>([
    [SIGNATURE, ascii('QEMU')],
    [ID, number(4, ID_TRADITIONAL | ID_DMA)],
    [RAM_SIZE, number(8, board.ramBytes)],
    [NB_CPUS, number(2, 1)],
    [MAX_CPUS, number(2, 1)],
    [BOOT_MENU, number(2, firmware.menuMilliseconds > 0 ? 1 : 0)],
    [IRQ0_OVERRIDE, number(1, 1)],
  ]);
  if (firmware.kernel !== undefined) addKernel(items, firmware.kernel);
  addFiles(items, files(board, firmware));
  return items;
}

function addKernel(items: Map<number, Uint8Array>, kernel: FirmwareKernel): void {
  const { setup, payload, commandLine, initrd } = kernel;
  for (const [part, address, size, data] of [
    [setup, SETUP_ADDR, SETUP_SIZE, SETUP_DATA],
    [payload, KERNEL_ADDR, KERNEL_SIZE, KERNEL_DATA],
    [commandLine, CMDLINE_ADDR, CMDLINE_SIZE, CMDLINE_DATA],
    [initrd, INITRD_ADDR, INITRD_SIZE, INITRD_DATA],
  ] as const) {
    items.set(address, number(4, part?.address ?? 0));
    items.set(size, number(4, part?.bytes.length ?? 0));
    if (part !== undefined) items.set(data, part.bytes);
  }
}

function files(board: BoardInfo, firmware: FirmwareInfo): FirmwareFile[] {
  const list: FirmwareFile[] = [
    { name: 'etc/e820', bytes: e820(board) },
    ...firmware.files(),
    // SeaBIOS would start the machine again after a minute, and so for ever.
    { name: 'etc/boot-fail-wait', bytes: number(4, 0xffffffff) },
  ];
  if (firmware.menuMilliseconds > 0) {
    list.push({ name: 'etc/boot-menu-wait', bytes: number(4, firmware.menuMilliseconds) });
  }
  if (firmware.serialConsole) list.push({ name: 'etc/sercon-port', bytes: number(2, COM1) });
  // That of a PCI function is found there, and would be started twice.
  if (firmware.vgaBios !== undefined && !isPciRom(firmware.vgaBios)) {
    list.push({ name: VGA_BIOS, bytes: firmware.vgaBios });
  }
  if (firmware.kernel !== undefined) {
    list.push(
      { name: LINUX_BOOT, bytes: LINUX_BOOT_ROM },
      { name: 'bootorder', bytes: ascii(`/rom@${LINUX_BOOT}\n\0`) },
    );
  }
  return list;
}

/** Only RAM is named: firmware adds what it takes for itself. */
function e820(board: BoardInfo): Uint8Array {
  const entry = new Uint8Array(20);
  entry.set(number(8, board.ramBytes), 8);
  entry.set(number(4, E820_RAM), 16);
  return entry;
}

/** Files in the order of their names, as the specification has it. */
function addFiles(items: Map<number, Uint8Array>, list: readonly FirmwareFile[]): void {
  const sorted = [...list].sort((a, b) => (a.name < b.name ? -1 : 1));
  const directory = new Uint8Array(4 + ENTRY_BYTES * sorted.length);
  const view = new DataView(directory.buffer);
  view.setUint32(0, sorted.length);
  for (const [i, { name, bytes }] of sorted.entries()) {
    const at = 4 + ENTRY_BYTES * i;
    view.setUint32(at, bytes.length);
    view.setUint16(at + 4, FIRST_FILE + i);
    directory.set(ascii(name).subarray(0, NAME_BYTES - 1), at + 8);
    items.set(FIRST_FILE + i, bytes);
  }
  items.set(FILE_DIR, directory);
}

const ascii = (text: string): Uint8Array => new TextEncoder().encode(text);

/** `value` in `bytes` bytes, little-endian. */
function number(bytes: number, value: number): Uint8Array {
  const out = new Uint8Array(8);
  new DataView(out.buffer).setBigUint64(0, BigInt(value), true);
  return out.subarray(0, bytes);
}
