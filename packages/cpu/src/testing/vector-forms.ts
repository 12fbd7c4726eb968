/**
 * The forms of the opcode table: every row with every operand size, register or memory operand, address size, LOCK, REP and segment
 * override that it can be encoded with. The recorder (tools/silicon) makes vectors form by form, vectors.spec.ts asks that none is
 * missing. A form's key is one line that a person can read: `add 01 Ev,Gv 16 m lock seg a16`. No encodings are made here.
 */
import { Form } from '../decode/form.js';
import { REP_E, REP_NE, REP_NONE } from '../op.js';
import type { OpcodeRow, Operand } from '../table/row.js';

export interface VectorForm {
  readonly key: string;
  readonly row: OpcodeRow;
  readonly decoded: Form;
  /** Operand size 16 or 32 as the decoder understands it. */
  readonly size: 16 | 32;
  /** The r/m operand is memory, or the instruction has an implicit memory operand that takes segment and address prefixes. */
  readonly memory: boolean;
  readonly lock: boolean;
  readonly rep: number;
  readonly override: boolean;
  readonly address16: boolean;
}

/** Operands that are as long whatever the operand size. */
const FIXED: ReadonlySet<Operand> = new Set<Operand>(
  'Eb Gb Ib Zb AL CL 1 Ob Xb Yb DX Mb Mw Md Mq Ms ST Pq Pd Qq Qd Nq Vdq Vps Vpd Vss Vsd Vq Wdq Wps Wpd Wss Wsd Wq Udq Ups Upd Mdq'.split(
    ' ',
  ) as Operand[],
);
const IMAGES = new Set(['fldenv', 'fnstenv', 'frstor', 'fnsave']);
const SIMD = /^[PQNVWU]/;

/** Whether the 66 prefix makes another instruction of it. */
function sized(row: OpcodeRow): boolean {
  if (row.fixedSize !== undefined || row.prefix !== undefined) return false;
  if (row.map === 1 && (row.opcode & 0xf8) === 0xd8) return IMAGES.has(row.mnemonic);
  if (row.operands.some((operand) => SIMD.test(operand))) return false;
  return row.operands.length === 0 || !row.operands.every((operand) => FIXED.has(operand)) || row.operands[0] === 'Ib';
}

/** The identity of a row: mnemonic, prefix, opcode, group, operands. */
export function rowKey(row: OpcodeRow): string {
  const hex = (value: number) => value.toString(16).padStart(2, '0');
  const prefix = row.prefix === undefined || row.prefix === 0 ? '' : hex(row.prefix) + '.';
  const group = row.ext === undefined ? '' : `/${row.ext}${row.rm === undefined ? '' : `.${row.rm}`}`;
  const nothing = row.prefix === 0 ? 'np.' : '';
  return `${row.mnemonic} ${nothing}${prefix}${row.map === 2 ? '0f' : ''}${hex(row.opcode)}${group} ${row.operands.join(',')}`.trim();
}

const REPS: Readonly<Record<number, string>> = { [REP_NONE]: '', [REP_E]: ' f3', [REP_NE]: ' f2' };
const BOOLEANS = [false, true];

/** Rows without ModR/M whose memory operand takes prefixes all the same. */
function implicitMemory(row: OpcodeRow): boolean {
  return row.string === true || row.mnemonic === 'xlatb' || /^maskmov/.test(row.mnemonic);
}

/** Rows without memory operand that count in CX or ECX by address size. */
const COUNTERS = new Set(['loop', 'loope', 'loopne', 'jecxz']);

/** All forms of one row. */
export function formsOf(row: OpcodeRow): VectorForm[] {
  const decoded = new Form(row);
  const found: VectorForm[] = [];
  const sizes: (16 | 32)[] = sized(row) ? [16, 32] : [row.fixedSize ?? 32];
  const add = (form: Omit<VectorForm, 'key' | 'row' | 'decoded'>) => {
    const size = sizes.length === 1 ? '' : ` ${form.size}`;
    const words = [size, form.memory ? ' m' : ' r', REPS[form.rep], form.lock ? ' lock' : ''];
    words.push(form.override ? ' seg' : '', form.address16 ? ' a16' : '');
    found.push({ key: rowKey(row) + words.join(''), row, decoded, ...form });
  };
  for (const size of sizes) {
    const register = size === 16 ? decoded.r16 : decoded.r32;
    const memory = size === 16 ? decoded.m16 : decoded.m32;
    const implicit = implicitMemory(row);
    if (register !== undefined && !implicit) {
      for (const address16 of COUNTERS.has(row.mnemonic) ? BOOLEANS : [false]) {
        add({ size, memory: false, lock: false, rep: REP_NONE, override: false, address16 });
      }
    }
    if (memory === undefined && !implicit) continue;
    for (const rep of row.string === true ? [REP_NONE, REP_E, REP_NE] : [REP_NONE]) {
      for (const lock of row.lockable === true ? BOOLEANS : [false]) {
        for (const override of BOOLEANS) {
          for (const address16 of BOOLEANS) add({ size, memory: true, lock, rep, override, address16 });
        }
      }
    }
  }
  return found;
}

/** All forms of a table, each key once: where two rows of a table are the same encoding, the first is what the decoder takes. */
export function allForms(rows: readonly OpcodeRow[]): VectorForm[] {
  const seen = new Set<string>();
  const forms: VectorForm[] = [];
  for (const row of rows) {
    for (const form of formsOf(row)) {
      if (seen.has(form.key)) continue;
      seen.add(form.key);
      forms.push(form);
    }
  }
  return forms;
}
