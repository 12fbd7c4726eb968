/**
 * The guest-physical map of a PC before its devices: conventional memory, the hole from 640 KiB to 1 MiB, memory above.
 * Option-ROM and BIOS areas (C0000-FFFFF) are read-only frames full of FFh: a board whose sockets are empty reads so,
 * kernels that scan for `RSD PTR`, `_SM_` or 55AAh find nothing, and a stray jump there fetches like ROM does.
 * A0000-BFFFF belongs to the display device, which maps it; without one it is nothing.
 */
import { PHYS_BASE, type PhysicalSpace } from '@ringfence/sdk';

export const CONVENTIONAL_END = 0xa0000;
export const ROM_BASE = 0xc0000;
export const EXTENDED_BASE = 0x100000;

export function mapGuestMemory(space: PhysicalSpace, ramBytes: number): void {
  space.mapRam(0, Math.min(CONVENTIONAL_END, ramBytes));
  if (ramBytes >= EXTENDED_BASE) {
    space.mapRom(ROM_BASE, EXTENDED_BASE - ROM_BASE);
    space.memory.u8.fill(0xff, PHYS_BASE + ROM_BASE, PHYS_BASE + EXTENDED_BASE);
  }
  if (ramBytes > EXTENDED_BASE) space.mapRam(EXTENDED_BASE, ramBytes - EXTENDED_BASE);
}
