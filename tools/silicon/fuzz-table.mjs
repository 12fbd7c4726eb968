/**
 * The opcode table as the fuzzer sees it: rows that pentium4 has, without those that cannot be compared (fuzz-semantics.mjs), sorted
 * into families; selectors to choose from. Plain data; nothing random happens here.
 */
import { Form } from '../../packages/cpu/dist/decode/form.js';
import { PENTIUM4 } from '../../packages/cpu/dist/models.js';
import { opcodeRows } from '../../packages/cpu/dist/table/index.js';
import { USER_CS, USER_DS, ldtSelector as L } from '../../packages/cpu/dist/testing/user-environment.js';
import { rowKey } from '../../packages/cpu/dist/testing/vector-forms.js';
import { FAULTING, excluded } from './fuzz-semantics.mjs';

export const [EAX, ECX, EDX, EBX, ESP, EBP, ESI, EDI] = [0, 1, 2, 3, 4, 5, 6, 7];
export const [ES, CS, SS, DS] = [0, 1, 2, 3];
export const OVERRIDE = [0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65];

export const CODE32 = [USER_CS, L('code32'), L('execOnly32')];
export const CODE16 = [L('code16'), L('execOnly16'), L('code16Low')];
export const GOOD_DATA = [USER_DS, USER_DS, L('data32'), L('flat'), L('data16')];
export const ANY_DATA = [
  ...GOOD_DATA,
  ...['down32', 'down16', 'readOnly', 'tiny', 'code32', 'downPages', 'pageEdge', 'stack16'].map(L),
  ...[0, USER_CS, 0x33],
];
/** For instructions that look at selectors. */
export const SELECTORS = [
  ...ANY_DATA,
  ...['dataAbsent', 'execOnly32', 'codeAbsent', 'code16'].map(L),
  8,
  0x10,
  0x18,
  0x40,
  0x7f,
  0x8f,
  0x97,
  0x1b,
  0x2a,
  0xfffc,
];

const isX87 = (row) => (row.map === 1 && (row.opcode & 0xf8) === 0xd8) || row.mnemonic === 'wait';
const isSimd = (row) =>
  row.map === 2 && (/^(mmx|sse2?)$/.test(row.feature ?? '') || row.operands.some((o) => /^[PQNVWU]/.test(o)));
const isXmm = (row) => isSimd(row) && (row.feature !== 'mmx' || row.prefix !== 0);
/** Whether the operand size makes a difference that a form's name should tell. */
const isSized = (row) =>
  row.fixedSize === undefined && row.operands.some((o) => /^(Ev|Gv|Zv|Iz|eAX|Ov|Fv|Jz|Mp|Ma|M)$/.test(o));

const features = PENTIUM4.features;
const seen = new Set();
/** Each encoding once: the row, its key, and what the generator asks of it time and again. */
export const fuzzedRows = [];
for (const row of opcodeRows) {
  const key = rowKey(row);
  if (row.feature !== undefined && features[row.feature] !== true) continue;
  if (seen.has(key) || excluded.has(row.mnemonic)) continue;
  seen.add(key);
  const form = new Form(row);
  fuzzedRows.push({ row, key, form, x87: isX87(row), simd: isSimd(row), sized: isSized(row) });
}

const control = ({ row }) => row.operands.includes('Cd') || row.operands.includes('Dd');
const common = fuzzedRows.filter((each) => !FAULTING.has(each.row.mnemonic) && !control(each));
const simd = common.filter((each) => each.simd);
export const families = {
  faulting: fuzzedRows.filter((each) => !common.includes(each)),
  x87: common.filter((each) => each.x87),
  simd,
  mmx: simd.filter(({ row }) => !isXmm(row)),
  integer: common.filter((each) => !each.x87 && !each.simd),
};

/** Bytes of memory operands whose size does not depend on the operand size. */
const OPERAND_BYTES = {
  Eb: 1,
  Ew: 2,
  Ed: 4,
  Mb: 1,
  Mw: 2,
  Md: 4,
  Mq: 8,
  Ms: 6,
  Qq: 8,
  Qd: 4,
  Wdq: 16,
  Wps: 16,
  Wpd: 16,
  Wss: 4,
  Wsd: 8,
  Wq: 8,
  Mdq: 16,
};
export const RM_OPERAND = /^(E|M|Q|W|N|U|ST)/;

/** Bytes of a chosen row's memory operand. */
export function operandBytes({ row, x87 }, operand, size) {
  const name = row.mnemonic;
  if (OPERAND_BYTES[operand] !== undefined) return OPERAND_BYTES[operand];
  if (operand === 'Ev') return size / 8;
  if (operand === 'Mp') return size / 8 + 2;
  if (operand === 'Ma') return size / 4;
  if (/^fx/.test(name)) return 512;
  if (/save|rstor/.test(name)) return 108;
  if (/env/.test(name)) return 28;
  return x87 ? 10 : 16;
}

/** A number as little-endian bytes; beyond four they are zero. */
export function le(value, bytes) {
  const out = new Array(bytes);
  for (let i = 0; i < bytes; i++) out[i] = i < 4 ? (value >>> (8 * i)) & 0xff : 0;
  return out;
}
