/**
 * The PIIX4's SMBus host controller (82371AB datasheet, 7.3 "SMBus I/O Space Registers") with nothing on its bus: every
 * transaction ends at once with DEV_ERR, as no device acknowledges its address. So software that looks for sensors or memory
 * modules finds none. It does not do the slave side, block data, or interrupts.
 */
import type { PortDevice } from '@ringfence/sdk';

export const SMBUS_BYTES = 16;

const SMBHSTSTS = 0x00;
const SMBHSTCNT = 0x02;
const DEV_ERR = 0x04;
const STATUS_WRITABLE = 0x1e; // INTER, DEV_ERR, BUS_ERR, FAILED: cleared by writing ones
const START = 0x40;
/** SMBHSTCMD, SMBHSTADD, SMBHSTDAT0 and 1 keep what is written. */
const KEPT = [0x03, 0x04, 0x05, 0x06];

export class SmbusHost implements PortDevice {
  readonly bytes = new Uint8Array(SMBUS_BYTES);

  reset(): void {
    this.bytes.fill(0);
  }

  portRead(_range: string, offset: number, _size: number): number {
    return this.bytes[offset];
  }

  portWrite(_range: string, offset: number, _size: number, value: number): void {
    if (offset === SMBHSTSTS) this.bytes[SMBHSTSTS] &= ~(value & STATUS_WRITABLE);
    else if (offset === SMBHSTCNT) {
      this.bytes[SMBHSTCNT] = value & ~START & 0x1d;
      if ((value & START) !== 0) this.bytes[SMBHSTSTS] |= DEV_ERR;
    } else if (KEPT.includes(offset)) this.bytes[offset] = value;
  }
}
