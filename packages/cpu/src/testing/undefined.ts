/**
 * What the manual leaves undefined, form by form, for comparing with processors that are not ours: flags, x87 condition codes,
 * whole results, and results of which only an accuracy is promised. One entry names its instructions, what they leave open and
 * the paragraph of the SDM that says so; an instruction without an entry is compared bit for bit. The places where the recorded
 * processor (AMD) differs from Intel's although the manual is not silent are in divergences.ts. Nothing here compares anything.
 */
import { FLAG_AF, FLAG_CF, FLAG_OF, FLAG_PF, FLAG_SF, FLAG_ZF, FLAGS_ARITH } from '@ringfence/sdk';
import { C0, C1, C2, C3 } from '../fpu/fpu.js';
import type { OpcodeRow } from '../table/row.js';

/** What is open about one instruction. */
export interface Loose {
  /** EFLAGS bits that are undefined. */
  readonly flags: number;
  /** Condition codes of the x87 status word that are undefined. */
  readonly fsw: number;
  /** The destination is undefined as a whole. */
  readonly result: boolean;
  /** Units in the last place by which an x87 result may differ. */
  readonly ulps: number;
  /** Bound of the relative error of a packed or scalar single, 0 when it must be exact. */
  readonly relative: number;
  /** The upper half of the doubleword pushed may or may not be written. */
  readonly pushedHigh: boolean;
  /** Where the manual says so; empty when nothing is open. */
  readonly cite: string;
}

/** What decides, besides the instruction itself. */
export interface Circumstance {
  /** Operand size in bits. */
  readonly size: number;
  /** A shift's count before it is masked. */
  readonly count: number;
  /** The source of BSF or BSR is zero. */
  readonly zeroSource: boolean;
}

interface Entry {
  readonly mnemonics: string;
  readonly cite: string;
  readonly flags?: number | ((circumstance: Circumstance) => number);
  readonly fsw?: number;
  readonly result?: (circumstance: Circumstance) => boolean;
  readonly ulps?: number;
  readonly relative?: number;
  readonly pushedHigh?: (row: OpcodeRow, circumstance: Circumstance) => boolean;
}

const flagsOf = (page: string) => `SDM Vol. 2, "${page}", Flags Affected`;
const fpuFlagsOf = (page: string) => `SDM Vol. 2, "${page}", FPU Flags Affected`;
const masked = (circumstance: Circumstance) => circumstance.count & 31;
/** OF is defined for single-bit shifts only. */
const multiple = (n: number) => (n === 1 ? 0 : FLAG_OF);
const C023 = C0 | C2 | C3;

function shiftFlags(circumstance: Circumstance): number {
  const n = masked(circumstance);
  return n === 0 ? 0 : FLAG_AF | multiple(n) | (n >= circumstance.size ? FLAG_CF : 0);
}

function doubleShiftFlags(circumstance: Circumstance): number {
  const n = masked(circumstance);
  if (n > circumstance.size) return FLAGS_ARITH;
  return n === 0 ? 0 : FLAG_AF | multiple(n);
}

const INTEGER: readonly Entry[] = [
  { mnemonics: 'and', cite: flagsOf('AND—Logical AND'), flags: FLAG_AF },
  { mnemonics: 'or', cite: flagsOf('OR—Logical Inclusive OR'), flags: FLAG_AF },
  { mnemonics: 'xor', cite: flagsOf('XOR—Logical Exclusive OR'), flags: FLAG_AF },
  { mnemonics: 'test', cite: flagsOf('TEST—Logical Compare'), flags: FLAG_AF },
  {
    mnemonics: 'rol ror rcl rcr',
    cite: flagsOf('RCL/RCR/ROL/ROR—Rotate'),
    flags: (how) => (masked(how) <= 1 ? 0 : FLAG_OF),
  },
  { mnemonics: 'shl shr', cite: flagsOf('SAL/SAR/SHL/SHR—Shift'), flags: shiftFlags },
  {
    mnemonics: 'sar',
    cite: flagsOf('SAL/SAR/SHL/SHR—Shift'),
    flags: (how) => (masked(how) === 0 ? 0 : FLAG_AF | multiple(masked(how))),
  },
  {
    mnemonics: 'shld',
    cite: 'SDM Vol. 2, "SHLD—Double Precision Shift Left", Description (result) and Flags Affected',
    flags: doubleShiftFlags,
    result: (how) => masked(how) > how.size,
  },
  {
    mnemonics: 'shrd',
    cite: 'SDM Vol. 2, "SHRD—Double Precision Shift Right", Description (result) and Flags Affected',
    flags: doubleShiftFlags,
    result: (how) => masked(how) > how.size,
  },
  { mnemonics: 'mul', cite: flagsOf('MUL—Unsigned Multiply'), flags: FLAG_SF | FLAG_ZF | FLAG_AF | FLAG_PF },
  { mnemonics: 'imul', cite: flagsOf('IMUL—Signed Multiply'), flags: FLAG_SF | FLAG_ZF | FLAG_AF | FLAG_PF },
  { mnemonics: 'div', cite: flagsOf('DIV—Unsigned Divide'), flags: FLAGS_ARITH },
  { mnemonics: 'idiv', cite: flagsOf('IDIV—Signed Divide'), flags: FLAGS_ARITH },
  { mnemonics: 'daa', cite: flagsOf('DAA—Decimal Adjust AL After Addition'), flags: FLAG_OF },
  { mnemonics: 'das', cite: flagsOf('DAS—Decimal Adjust AL After Subtraction'), flags: FLAG_OF },
  {
    mnemonics: 'aaa',
    cite: flagsOf('AAA—ASCII Adjust After Addition'),
    flags: FLAG_OF | FLAG_SF | FLAG_ZF | FLAG_PF,
  },
  {
    mnemonics: 'aas',
    cite: flagsOf('AAS—ASCII Adjust AL After Subtraction'),
    flags: FLAG_OF | FLAG_SF | FLAG_ZF | FLAG_PF,
  },
  { mnemonics: 'aam', cite: flagsOf('AAM—ASCII Adjust AX After Multiply'), flags: FLAG_OF | FLAG_AF | FLAG_CF },
  { mnemonics: 'aad', cite: flagsOf('AAD—ASCII Adjust AX Before Division'), flags: FLAG_OF | FLAG_AF | FLAG_CF },
  { mnemonics: 'bt', cite: flagsOf('BT—Bit Test'), flags: FLAG_OF | FLAG_SF | FLAG_AF | FLAG_PF },
  { mnemonics: 'bts', cite: flagsOf('BTS—Bit Test and Set'), flags: FLAG_OF | FLAG_SF | FLAG_AF | FLAG_PF },
  { mnemonics: 'btr', cite: flagsOf('BTR—Bit Test and Reset'), flags: FLAG_OF | FLAG_SF | FLAG_AF | FLAG_PF },
  { mnemonics: 'btc', cite: flagsOf('BTC—Bit Test and Complement'), flags: FLAG_OF | FLAG_SF | FLAG_AF | FLAG_PF },
  {
    mnemonics: 'bsf',
    cite: 'SDM Vol. 2, "BSF—Bit Scan Forward", Description (result of a zero source) and Flags Affected',
    flags: FLAGS_ARITH & ~FLAG_ZF,
    result: (how) => how.zeroSource,
  },
  {
    mnemonics: 'bsr',
    cite: 'SDM Vol. 2, "BSR—Bit Scan Reverse", Description (result of a zero source) and Flags Affected',
    flags: FLAGS_ARITH & ~FLAG_ZF,
    result: (how) => how.zeroSource,
  },
  {
    mnemonics: 'bswap',
    cite: 'SDM Vol. 2, "BSWAP—Byte Swap", Description: a 16-bit register gives an undefined result',
    result: (how) => how.size === 16,
  },
  {
    mnemonics: 'push',
    cite: 'SDM Vol. 2, "PUSH—Push Word, Doubleword, or Quadword Onto the Stack", Description: segment registers and operands of 32 bits',
    pushedHigh: (row, how) => how.size === 32 && /^[CDEFGS]S$/.test(row.operands[0] ?? ''),
  },
];

const X87: readonly Entry[] = [
  ...[
    ['fld', 'FLD—Load Floating-Point Value'],
    ['fld1 fldl2t fldl2e fldpi fldlg2 fldln2 fldz', 'FLD1/FLDL2T/FLDL2E/FLDPI/FLDLG2/FLDLN2/FLDZ—Load Constant'],
    ['fild', 'FILD—Load Integer'],
    ['fbld', 'FBLD—Load Binary Coded Decimal'],
    ['fst fstp', 'FST/FSTP—Store Floating-Point Value'],
    ['fist fistp', 'FIST/FISTP—Store Integer'],
    ['fbstp', 'FBSTP—Store BCD Integer and Pop'],
    ['fxch', 'FXCH—Exchange Register Contents'],
    ['fcmovb fcmove fcmovbe fcmovu fcmovnb fcmovne fcmovnbe fcmovnu', 'FCMOVcc—Floating-Point Conditional Move'],
    ['fadd faddp fiadd', 'FADD/FADDP/FIADD—Add'],
    ['fsub fsubp fisub', 'FSUB/FSUBP/FISUB—Subtract'],
    ['fsubr fsubrp fisubr', 'FSUBR/FSUBRP/FISUBR—Reverse Subtract'],
    ['fmul fmulp fimul', 'FMUL/FMULP/FIMUL—Multiply'],
    ['fdiv fdivp fidiv', 'FDIV/FDIVP/FIDIV—Divide'],
    ['fdivr fdivrp fidivr', 'FDIVR/FDIVRP/FIDIVR—Reverse Divide'],
    ['fchs', 'FCHS—Change Sign'],
    ['fabs', 'FABS—Absolute Value'],
    ['fsqrt', 'FSQRT—Square Root'],
    ['frndint', 'FRNDINT—Round to Integer'],
    ['fscale', 'FSCALE—Scale'],
    ['fxtract', 'FXTRACT—Extract Exponent and Significand'],
    ['fincstp', 'FINCSTP—Increment Stack-Top Pointer'],
    ['fdecstp', 'FDECSTP—Decrement Stack-Top Pointer'],
  ].map(([mnemonics, page]) => ({ mnemonics, cite: fpuFlagsOf(page), fsw: C023 })),
  ...[
    ['fnclex', 'FCLEX/FNCLEX—Clear Exceptions'],
    ['fldcw', 'FLDCW—Load x87 FPU Control Word'],
    ['fnstcw', 'FSTCW/FNSTCW—Store x87 FPU Control Word'],
    ['fnstsw', 'FSTSW/FNSTSW—Store x87 FPU Status Word'],
    ['fnstenv', 'FSTENV/FNSTENV—Store x87 FPU Environment'],
    ['ffree ffreep', 'FFREE—Free Floating-Point Register'],
    ['fnop', 'FNOP—No Operation'],
    ['wait', 'WAIT/FWAIT—Wait'],
  ].map(([mnemonics, page]) => ({ mnemonics, cite: fpuFlagsOf(page), fsw: C023 | C1 })),
  ...[
    ['f2xm1', 'F2XM1—Compute 2x–1', C023],
    ['fyl2x', 'FYL2X—Compute y * log2x', C023],
    ['fyl2xp1', 'FYL2XP1—Compute y * log2(x +1)', C023],
    ['fpatan', 'FPATAN—Partial Arctangent', C023],
    ['fptan', 'FPTAN—Partial Tangent', C0 | C3],
    ['fsin', 'FSIN—Sine', C0 | C3],
    ['fcos', 'FCOS—Cosine', C0 | C3],
    ['fsincos', 'FSINCOS—Sine and Cosine', C0 | C3],
  ].map(([mnemonics, page, fsw]) => ({
    mnemonics: mnemonics as string,
    // Which way a result was rounded (C1) follows from the result.
    cite: `${fpuFlagsOf(page as string)}; SDM Vol. 1, 8.3.10 "Transcendental Instruction Accuracy"`,
    fsw: (fsw as number) | C1,
    ulps: 1,
  })),
];

const SIMD: readonly Entry[] = [
  ...[
    ['rcpps', 'RCPPS—Compute Reciprocals of Packed Single-Precision Floating-Point Values'],
    ['rcpss', 'RCPSS—Compute Reciprocal of Scalar Single-Precision Floating-Point Values'],
    ['rsqrtps', 'RSQRTPS—Compute Reciprocals of Square Roots of Packed Single-Precision Floating-Point Values'],
    ['rsqrtss', 'RSQRTSS—Compute Reciprocal of Square Root of Scalar Single-Precision Floating-Point Value'],
  ].map(([mnemonics, page]) => ({
    mnemonics,
    cite: `SDM Vol. 2, "${page}", Description: |relative error| <= 1.5 * 2^-12`,
    // Either processor may be off by the bound.
    relative: 2 * 1.5 * 2 ** -12,
  })),
];

const TABLE = new Map<string, Entry>();
for (const entry of [...INTEGER, ...X87, ...SIMD]) {
  for (const mnemonic of entry.mnemonics.split(' ')) TABLE.set(mnemonic, entry);
}

const NOTHING: Loose = { flags: 0, fsw: 0, result: false, ulps: 0, relative: 0, pushedHigh: false, cite: '' };

/** All mnemonics with an entry, for checking that each is in the opcode table. */
export const looseMnemonics: readonly string[] = [...TABLE.keys()];

/** What is open about `row` when it is executed so. */
export function looseOf(row: OpcodeRow, size: number, count: number, zeroSource: boolean): Loose {
  const entry = TABLE.get(row.mnemonic);
  if (entry === undefined) return NOTHING;
  const circumstance = { size, count, zeroSource };
  const { flags = 0 } = entry;
  return {
    flags: typeof flags === 'number' ? flags : flags(circumstance),
    fsw: entry.fsw ?? 0,
    result: entry.result?.(circumstance) ?? false,
    ulps: entry.ulps ?? 0,
    relative: entry.relative ?? 0,
    pushedHigh: entry.pushedHigh?.(row, circumstance) ?? false,
    cite: entry.cite,
  };
}
