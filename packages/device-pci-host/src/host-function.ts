/**
 * Configuration space of the 82441FX host bridge, 8086h:1237h (Intel 440FX PCIset datasheet, 290549), as a function on
 * the bus it bridges to. Registers that software may set keep their value (PAM, SMRAM, DRAM rows); none moves memory.
 */
import type { PciFunction } from '@ringfence/sdk';

export const CONFIG_BYTES = 256;

/** Writable bits of each register; all others are read-only. */
const WRITABLE = new Uint8Array(CONFIG_BYTES);
WRITABLE.fill(0xff, 0x50, 0x74); // PMCCFG, DETURBO, DBC, DRB, PAM, SMRAM ...
WRITABLE[0x05] = 0x01; // PCICMD: SERR# enable
WRITABLE[0x0d] = 0xf8; // latency timer
WRITABLE[0x90] = WRITABLE[0x91] = WRITABLE[0x93] = 0xff; // ERRCMD, ERRSTS, TRC

const POWER_ON: readonly (readonly [register: number, value: number])[] = [
  [0x00, 0x86],
  [0x01, 0x80],
  [0x02, 0x37],
  [0x03, 0x12],
  [0x04, 0x06], // bus master and memory, both fixed
  [0x06, 0x80], // fast back-to-back
  [0x07, 0x02], // medium DEVSEL#
  [0x08, 0x02], // revision
  [0x0b, 0x06], // bridge device, host bridge
  [0x72, 0x02], // SMRAM
];

export class HostBridgeFunction implements PciFunction {
  readonly name = '82441FX host bridge';
  readonly config = new Uint8Array(CONFIG_BYTES);

  constructor() {
    this.reset();
  }

  reset(): void {
    this.config.fill(0);
    for (const [register, value] of POWER_ON) this.config[register] = value;
  }

  configRead(register: number, size: number): number {
    let value = 0;
    for (let i = 0; i < size; i++) value |= this.config[(register + i) & 0xff] << (8 * i);
    return size === 4 ? value | 0 : value;
  }

  configWrite(register: number, size: number, value: number): void {
    for (let i = 0; i < size; i++) {
      const at = (register + i) & 0xff;
      this.config[at] = (this.config[at] & ~WRITABLE[at]) | ((value >>> (8 * i)) & WRITABLE[at]);
    }
  }
}
