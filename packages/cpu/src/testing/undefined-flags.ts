/**
 * Which flags an instruction leaves undefined: SDM Vol. 1, App. A "EFLAGS Cross-Reference", and the "Flags Affected"
 * paragraphs of the instruction pages in Vol. 2. For comparing with processors that are not ours.
 */
import { FLAG_AF, FLAG_CF, FLAG_OF, FLAG_PF, FLAG_SF, FLAG_ZF, FLAGS_ARITH } from '@ringfence/sdk';

/** `op` is the bare mnemonic, `size` the operand size, `count` the unmasked count of shifts. */
export function undefinedFlags(op: string, size: number, count: number): number {
  const n = count & 31;
  switch (op) {
    case 'and':
    case 'or':
    case 'xor':
    case 'test':
      return FLAG_AF;
    case 'rol':
    case 'ror':
    case 'rcl':
    case 'rcr':
      return n <= 1 ? 0 : FLAG_OF;
    case 'sar':
      return n === 0 ? 0 : FLAG_AF | (n === 1 ? 0 : FLAG_OF);
    case 'shl':
    case 'shr':
      return n === 0 ? 0 : FLAG_AF | (n === 1 ? 0 : FLAG_OF) | (n >= size ? FLAG_CF : 0);
    case 'shld':
    case 'shrd':
      if (n > size) return FLAGS_ARITH;
      return n === 0 ? 0 : FLAG_AF | (n === 1 ? 0 : FLAG_OF);
    case 'mul':
    case 'imul':
    case 'imul2':
    case 'imul3':
      return FLAG_SF | FLAG_ZF | FLAG_AF | FLAG_PF;
    case 'div':
    case 'idiv':
      return FLAGS_ARITH;
    case 'daa':
    case 'das':
      return FLAG_OF;
    case 'aaa':
    case 'aas':
      return FLAG_OF | FLAG_SF | FLAG_ZF | FLAG_PF;
    case 'aam':
    case 'aad':
      return FLAG_OF | FLAG_AF | FLAG_CF;
    case 'bt':
    case 'bts':
    case 'btr':
    case 'btc':
      return FLAG_OF | FLAG_SF | FLAG_AF | FLAG_PF;
    case 'bsf':
    case 'bsr':
      return FLAG_CF | FLAG_OF | FLAG_SF | FLAG_AF | FLAG_PF;
    default:
      return 0;
  }
}
