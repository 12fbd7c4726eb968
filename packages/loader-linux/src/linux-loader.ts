/**
 * The 32-bit entry of the Linux boot protocol (Linux, Documentation/arch/x86/boot.rst "32-bit Boot Protocol"): copies
 * the protected-mode kernel to code32_start, builds a zero page with setup header, E820 map and text-screen facts, puts
 * the command line and the initrd where the kernel allows. ESI points to the zero page; flat segments CS = 10h,
 * DS = ES = SS = 18h; interrupts off. The 16-bit setup code is not run, so there are no BIOS answers in the zero page
 * beyond those (no EDD, no APM, no video modes but text 80x25). With firmware it is run: real-mode-entry.ts.
 *
 * Low memory: 90000 zero page, 91000 GDT, 92000 command line. E820: 0-9FC00 and 1M up are RAM, the rest reserved.
 */
import {
  EBDA_BASE,
  EBDA_END,
  ESI,
  RingfenceError,
  flatStart,
  injectable,
  type FirmwareKernel,
  type LoadRequest,
  type LoadSegment,
  type LoadedImage,
  type Loader,
} from '@ringfence/sdk';
import {
  HDR_CMD_LINE_PTR,
  HDR_RAMDISK_IMAGE,
  HDR_RAMDISK_SIZE,
  HDR_SETUP_SECTS,
  HDR_TYPE_OF_LOADER,
  HDR_VID_MODE,
  looksLikeLinux,
  readSetupHeader,
  type SetupHeader,
} from './setup-header.js';
import { FIRMWARE_TOP, realModeEntry } from './real-mode-entry.js';

const ZERO_PAGE = 0x90000;
const GDT = 0x91000;
const COMMAND_LINE = 0x92000;
const LOW_END = EBDA_BASE;
const PAGE = 4096;
const CODE_SELECTOR = 0x10;
const DATA_SELECTOR = 0x18;

// Zero page fields outside the setup header (Linux, Documentation/arch/x86/zero-page.rst).
const ZP_EXT_MEM_K = 0x002;
const ZP_VIDEO_MODE = 0x006;
const ZP_VIDEO_COLS = 0x007;
const ZP_VIDEO_LINES = 0x00e;
const ZP_VIDEO_IS_VGA = 0x00f;
const ZP_VIDEO_POINTS = 0x010;
const ZP_ALT_MEM_K = 0x1e0;
const ZP_E820_ENTRIES = 0x1e8;
const ZP_E820_TABLE = 0x2d0;
const E820_RAM = 1;
const E820_RESERVED = 2;
const VID_MODE_NORMAL = 0xffff;
const LOADER_UNDEFINED = 0xff;

@injectable()
export class LinuxLoader implements Loader {
  recognises(kernel: Uint8Array): boolean {
    return looksLikeLinux(kernel);
  }

  load(request: LoadRequest): LoadedImage {
    const header = readSetupHeader(request.kernel, request.kernelName);
    const kernelEnd = checkKernel(header, request);
    const commandLine = checkCommandLine(header, request.commandLine);
    const initrdAt = placeInitrd(header, request, kernelEnd);
    const start = flatStart(CODE_SELECTOR, DATA_SELECTOR, GDT);
    const segments: LoadSegment[] = [
      { address: header.code32Start, bytes: header.payload },
      { address: ZERO_PAGE, bytes: zeroPage(header, request, initrdAt) },
      { address: COMMAND_LINE, bytes: commandLine },
      start.table,
    ];
    if (request.initrd !== undefined) segments.push({ address: initrdAt, bytes: request.initrd });
    const { cr0, eflags, gdt } = start;
    return {
      segments,
      entry: { registers: { [ESI]: ZERO_PAGE }, eip: header.code32Start, eflags, cr0, segments: start.segments, gdt },
    };
  }

  forFirmware(request: LoadRequest): FirmwareKernel {
    const header = readSetupHeader(request.kernel, request.kernelName);
    const kernelEnd = checkKernel(header, request, FIRMWARE_TOP);
    const commandLine = checkCommandLine(header, request.commandLine);
    return realModeEntry(header, request, commandLine, placeInitrd(header, request, kernelEnd, FIRMWARE_TOP));
  }
}

/** The first address behind everything the kernel needs before it allocates memory itself; `reserved`: bytes at the top. */
function checkKernel(header: SetupHeader, { kernelName, ramBytes }: LoadRequest, reserved = 0): number {
  const end = Math.max(header.code32Start + header.payload.length, header.prefAddress + header.initSize);
  if (header.code32Start < 0x100000) {
    throw new RingfenceError('RF_KERNEL_NOT_BOOTABLE', {
      message: `${kernelName} wants to be loaded at 0x${header.code32Start.toString(16)}, below 1M`,
      value: header.code32Start,
      fix: 'use a bzImage as its build left it',
    });
  }
  if (end + reserved > ramBytes) {
    throw new RingfenceError('RF_KERNEL_TOO_LARGE', {
      message: `${kernelName} needs memory up to 0x${(end + reserved).toString(16)}, the guest has 0x${ramBytes.toString(16)}`,
      value: end,
      fix: `give the guest at least ${Math.ceil((end + reserved) / 1024 ** 2)}M with -m`,
    });
  }
  return end;
}

function checkCommandLine(header: SetupHeader, text: string): Uint8Array {
  const bytes = new TextEncoder().encode(`${text}\0`);
  const limit = Math.min(header.cmdlineSize, LOW_END - COMMAND_LINE - 1);
  if (bytes.length - 1 > limit) {
    throw new RingfenceError('RF_BAD_USAGE', {
      message: `the command line has ${bytes.length - 1} bytes, this kernel takes ${limit}`,
      value: text,
      fix: 'shorten --append',
    });
  }
  return bytes;
}

/** As high as the kernel and memory allow, as boot loaders do: the kernel may decompress over what is low. */
function placeInitrd(
  header: SetupHeader,
  { initrd, initrdName, ramBytes }: LoadRequest,
  kernelEnd: number,
  reserved = 0,
): number {
  if (initrd === undefined) return 0;
  const free = ramBytes - reserved;
  const top = Math.min(free, header.initrdAddrMax + 1);
  const address = Math.floor((top - initrd.length) / PAGE) * PAGE;
  if (address < Math.ceil(kernelEnd / PAGE) * PAGE) {
    throw new RingfenceError('RF_INITRD_TOO_LARGE', {
      message: `${initrdName ?? 'the initrd'} (${initrd.length} bytes) does not fit between the kernel and 0x${top.toString(16)}`,
      value: initrd.length,
      fix:
        top < free
          ? `this kernel takes an initrd only below 0x${top.toString(16)}: use a smaller one`
          : `give the guest at least ${Math.ceil((kernelEnd + initrd.length + PAGE + reserved) / 1024 ** 2)}M with -m`,
    });
  }
  return address;
}

function zeroPage(header: SetupHeader, { ramBytes, initrd }: LoadRequest, initrdAt: number): Uint8Array {
  const page = new Uint8Array(PAGE);
  const view = new DataView(page.buffer);
  page.set(header.bytes, HDR_SETUP_SECTS);
  view.setUint16(HDR_VID_MODE, VID_MODE_NORMAL, true);
  view.setUint8(HDR_TYPE_OF_LOADER, LOADER_UNDEFINED);
  view.setUint32(HDR_CMD_LINE_PTR, COMMAND_LINE, true);
  view.setUint32(HDR_RAMDISK_IMAGE, initrdAt, true);
  view.setUint32(HDR_RAMDISK_SIZE, initrd?.length ?? 0, true);

  // 80x25 colour text, 16-line characters: the mode the display starts in.
  view.setUint8(ZP_VIDEO_MODE, 3);
  view.setUint8(ZP_VIDEO_COLS, 80);
  view.setUint8(ZP_VIDEO_LINES, 25);
  view.setUint8(ZP_VIDEO_IS_VGA, 1);
  view.setUint16(ZP_VIDEO_POINTS, 16, true);

  const extendedK = (ramBytes - 0x100000) / 1024;
  view.setUint16(ZP_EXT_MEM_K, Math.min(extendedK, 0xfc00), true);
  view.setUint32(ZP_ALT_MEM_K, extendedK, true);
  const map = [
    [0, LOW_END, E820_RAM],
    [LOW_END, EBDA_END, E820_RESERVED],
    [0xf0000, 0x100000, E820_RESERVED],
    [0x100000, ramBytes, E820_RAM],
  ].filter(([from, to]) => to > from);
  view.setUint8(ZP_E820_ENTRIES, map.length);
  for (const [i, [from, to, type]] of map.entries()) {
    const at = ZP_E820_TABLE + i * 20;
    view.setBigUint64(at, BigInt(from), true);
    view.setBigUint64(at + 8, BigInt(to - from), true);
    view.setUint32(at + 16, type, true);
  }
  return page;
}
