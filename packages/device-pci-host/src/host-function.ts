/**
 * Configuration space of the 82441FX host bridge, 8086h:1237h (Intel 440FX PCIset datasheet, 290549), as a function on
 * the bus it bridges to. PAM0-PAM6 (3.2.18) send C0000h-FFFFFh to ROM or to the RAM beneath it, for reads and writes
 * apart. The other registers that software may set (SMRAM, DRAM rows, ...) keep their value and move no memory.
 */
import { PciConfig, type AddressWindows, type PciRegister, type ShadowRam } from '@ringfence/sdk';

const PAM0 = 0x59;
const PAM_READ = 0x01;
const PAM_WRITE = 0x02;
const BIOS_AREA = 0xf0000;
const EXPANSION_AREA = 0xc0000;
const SEGMENT = 0x4000;

/** 1AF4h:1100h: how firmware made for virtual machines (SeaBIOS) knows the board, on which fw_cfg is to be found. */
const SUBSYSTEM = [0xf4, 0x1a, 0x00, 0x11];

/** PMCCFG, DETURBO, DBC, DRB, PAM, SMRAM ...; ERRCMD, ERRSTS, TRC. */
function registers(): PciRegister[] {
  const list: PciRegister[] = [[0x0d, 0, 0xf8]]; // latency timer
  for (let register = 0x50; register < 0x74; register++) list.push([register, register === 0x72 ? 0x02 : 0, 0xff]);
  for (const register of [0x90, 0x91, 0x93]) list.push([register, 0, 0xff]);
  SUBSYSTEM.forEach((value, i) => list.push([0x2c + i, value, 0]));
  return list;
}

export function hostFunction(windows: AddressWindows, shadow: ShadowRam): PciConfig {
  const config: PciConfig = new PciConfig(
    {
      name: '82441FX host bridge',
      vendor: 0x8086,
      device: 0x1237,
      revision: 0x02,
      classCode: 0x060000,
      command: 0x0006, // bus master and memory, both fixed
      commandWritable: 0x0100, // SERR# enable
      status: 0x0280, // fast back-to-back, medium DEVSEL#
      registers: registers(),
    },
    windows,
    () => applyPam(config.bytes, shadow),
  );
  return config;
}

/** Each nibble is a segment, low first: RE and WE; PAM0's high nibble is the BIOS area, its low one nothing. */
function applyPam(bytes: Uint8Array, shadow: ShadowRam): void {
  const set = (base: number, size: number, nibble: number): void =>
    shadow.set(base, size, (nibble & PAM_READ) !== 0, (nibble & PAM_WRITE) !== 0);
  set(BIOS_AREA, 0x10000, bytes[PAM0] >>> 4);
  for (let i = 0; i < 12; i++) {
    set(EXPANSION_AREA + i * SEGMENT, SEGMENT, bytes[PAM0 + 1 + (i >> 1)] >>> ((i & 1) * 4));
  }
}
