/**
 * What the hardware's debug registers hold while a guest runs that uses its own: the guest's breakpoints, but for those
 * that lie in the monitor's window or on its stack page, where only the monitor's own code and pushes could hit them. The
 * guest's accesses there always end in the emulator, which has the guest's debug registers itself.
 */
import { DR } from '@ringfence/sdk';
import { STACK_PAGE } from './layout.js';

/** DR0..DR3 and DR7 for the hardware, from the guest's state words. */
export function debugRegistersFor(guest: Int32Array, inWindow: (linear: number) => boolean): Int32Array {
  const wanted = new Int32Array(5);
  // GD is the guest's business: its MOV DR never reaches the hardware.
  let dr7 = guest[DR + 7] & ~0x2000;
  for (let i = 0; i < 4; i++) {
    const linear = guest[DR + i];
    wanted[i] = linear;
    if (inWindow(linear) || inWindow((linear + 3) | 0) || linear >>> 12 === STACK_PAGE >>> 12) {
      dr7 &= ~(3 << (i * 2));
    }
  }
  wanted[4] = dr7;
  return wanted;
}
