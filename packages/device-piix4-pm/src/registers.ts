/**
 * The PIIX4's power management registers by their mnemonics (Intel 82371AB datasheet, 290562, chapter 7): the configuration
 * space of function 3 (7.1), the I/O space at PMBA (7.2), and what software may write in each.
 */
import type { PciRegister } from '@ringfence/sdk';

// Configuration space.
export const PMBA = 0x40;
export const DEVACTB = 0x58;
export const PMREGMISC = 0x80;
export const PMREGMISC_PMIOSE = 0x01;
export const SMBBA = 0x90;
export const SMBHSTCFG = 0xd2;
export const SMB_HST_EN = 0x01;

/** APMC_EN, in the top byte of DEVACTB. */
const DEVACTB_APMC_EN = 0x02;

// I/O space, from PMBA.
export const PM_BYTES = 64;
export const PMSTS = 0x00;
export const PMEN = 0x02;
export const PMCNTRL = 0x04;
export const PMTMR = 0x08;
export const GPSTS = 0x0c;
export const GPEN = 0x0e;
const PCNTRL = 0x10;
const GLBEN = 0x20;
const GLBCTL = 0x28;
const DEVCTL = 0x2c;
const GPOREG = 0x34;

/** Status and enable bits alike. */
export const TMROF = 0x0001;
export const PWRBTN = 0x0100;
/** What can be enabled: timer overflow, global release, power button, RTC alarm. */
export const EVENTS = 0x0521;

export const SCI_EN = 0x0001;
export const SUS_EN = 0x2000;
export const SUS_TYP = 0x1c00;
export const SUS_TYP_SOFF = 0x0000;

/** Bits that software may set, byte by byte; the rest keep their value. Status is cleared by writing ones and not here. */
export function ioWritable(): Uint8Array {
  const mask = new Uint8Array(PM_BYTES);
  const put = (at: number, bits: number, bytes: number): void => {
    for (let i = 0; i < bytes; i++) mask[at + i] = bits >>> (8 * i);
  };
  put(PMEN, EVENTS, 2);
  put(PMCNTRL, SCI_EN | 0x0002 | SUS_TYP, 2); // SUS_EN and GBL_RLS read as zero
  put(GPEN, 0x0b01, 2);
  put(PCNTRL, 0x00023e3e, 4);
  put(GLBEN, 0xffff, 2);
  put(GLBCTL, 0xffffffff, 4);
  put(DEVCTL, 0xffffffff, 4);
  put(GPOREG, 0xffffffff, 4);
  return mask;
}

/** GPOREG starts as the datasheet says; everything else is zero. */
export function ioInitial(): Uint8Array {
  const bytes = new Uint8Array(PM_BYTES);
  bytes.set([0xff, 0xbf, 0xff, 0x7f], GPOREG);
  return bytes;
}

export function configRegisters(): PciRegister[] {
  const list: PciRegister[] = [
    [PMBA, 0x01, 0xc0],
    [PMBA + 1, 0, 0xff],
    [PMREGMISC, 0, 0xff],
    [SMBBA, 0x01, 0xf0],
    [SMBBA + 1, 0, 0xff],
    [SMBHSTCFG, 0, 0x0f],
    [0xd3, 0, 0xff], // SMBSLVC
    [0xd4, 0, 0xff], // SMBSHDW1
    [0xd5, 0, 0xff], // SMBSHDW2
  ];
  // CNTA to DEVRESJ: kept. APMC_EN says that somebody has set up system management mode already; with the bit clear,
  // SeaBIOS would do so and wait for an SMI that no processor here takes.
  for (let at = 0x44; at < 0x80; at++) list.push([at, at === DEVACTB + 3 ? DEVACTB_APMC_EN : 0, 0xff]);
  return list;
}
