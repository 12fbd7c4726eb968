/**
 * Which file a form's vectors go to, and which rows of the opcode table have none, with the reason and the spec that covers them
 * instead. vectors.spec.ts holds the table against both. Plain data.
 */
import type { OpcodeRow } from '../table/row.js';

const FAMILIES: readonly (readonly [string, RegExp])[] = [
  ['alu', /^(add|or|adc|sbb|and|sub|xor|cmp|test|inc|dec|not|neg)$/],
  ['shift', /^(rol|ror|rcl|rcr|shl|shr|sar|shld|shrd)$/],
  ['arithmetic', /^(mul|imul|div|idiv|daa|das|aaa|aas|aam|aad|cbw|cwd)$/],
  ['bits', /^(bt|bts|btr|btc|bsf|bsr|bswap)$/],
  ['condition', /^(j(?!mp)|set|cmov|loop)/],
  ['stack', /^(push|pop|pusha|popa|enter|leave|pushf|popf)$/],
  ['string', /^(movs|cmps|stos|lods|scas|ins|outs)$/],
  ['control', /^(jmp|call|ret|jmpf|callf|retf|iret|int|int1|int3|into|bound|ud2)$/],
  ['x87', /^(f(?!x(save|rstor))|wait)/],
];

/** The family of a row: the name of the file its vectors are in. */
export function familyOf(row: OpcodeRow): string {
  if (row.operands.some((operand) => /^[PQN]/.test(operand)) || row.mnemonic === 'emms') return 'mmx';
  if (row.operands.some((operand) => /^[VWU]/.test(operand)) || row.feature === 'sse' || row.feature === 'sse2') {
    return row.feature === 'sse2' ? 'sse2' : 'sse';
  }
  for (const [name, pattern] of FAMILIES) if (pattern.test(row.mnemonic)) return name;
  return row.system === true ? 'system' : 'data';
}

export interface Uncovered {
  /** Mnemonics, and what tells rows of one mnemonic apart. */
  readonly rows: (row: OpcodeRow) => boolean;
  readonly name: string;
  readonly reason: string;
  /** Spec beside the sources, and a line of it. */
  readonly spec: string;
  readonly says: string;
}

const named =
  (...names: readonly string[]) =>
  (row: OpcodeRow) =>
    names.includes(row.mnemonic);

/** Rows without vectors. */
export const UNCOVERED: readonly Uncovered[] = [
  {
    name: 'CPUID',
    rows: named('cpuid'),
    reason: 'answers for the model, not for the recorded processor',
    spec: 'instructions/system.spec.ts',
    says: 'CPUID of a P6',
  },
  {
    name: 'RDTSC',
    rows: named('rdtsc'),
    reason: 'no two executions agree',
    spec: 'instructions/system.spec.ts',
    says: 'RDTSC is bus time plus the offset WRMSR leaves',
  },
  {
    name: 'SGDT, SIDT, SLDT, STR, SMSW',
    rows: named('sgdt', 'sidt', 'sldt', 'str', 'smsw'),
    reason: 'Linux turns UMIP on and emulates them for 32-bit code',
    spec: 'instructions/system.spec.ts',
    says: 'what does not trap at CPL 3 on a processor without an assist',
  },
  {
    name: 'SYSENTER, SYSEXIT',
    rows: named('sysenter', 'sysexit'),
    reason: 'invalid in long mode on the recorded processor',
    spec: 'instructions/system.spec.ts',
    says: 'go to ring 0 and back with flat segments',
  },
];

export function uncovered(row: OpcodeRow): Uncovered | undefined {
  return UNCOVERED.find((each) => each.rows(row));
}
