/**
 * Writes src/generated/alu.ts: ADD OR ADC SBB AND SUB XOR CMP TEST INC DEC NEG NOT, one plain function per operation,
 * size and operand form, and their opcode rows. Run by hand: node packages/cpu/tools/generate-alu.mjs
 * src/instructions/generated.spec.ts checks that the committed file is what this prints.
 *
 * Names: E = ModR/M r/m as a register, M = the same as memory, G = ModR/M reg field, I = immediate.
 */
import { writeGenerated } from './write-generated.mjs';

const SIZES = [8, 16, 32];
/** In opcode order: opcode = 8 * index + form; group 1 extension = index. */
const BINARY = ['add', 'or', 'adc', 'sbb', 'and', 'sub', 'xor', 'cmp'];
const LOGIC = { or: '|', and: '&', xor: '^', test: '&' };

const file = { 8: 'b', 16: 'w', 32: 's' };
const shift = { 8: 24, 16: 16 };

/** Expression for `x` sign-extended from `size`. */
function extend(x, size) {
  if (size === 32) return x;
  return `(${x} << ${shift[size]}) >> ${shift[size]}`;
}

function truncate(x, size) {
  return size === 32 ? `(${x}) | 0` : `((${x}) << ${shift[size]}) >> ${shift[size]}`;
}

function registers(size) {
  const lines = size === 32 ? [] : [`const ${file[size]} = c.${file[size]};`];
  return ['const s = c.s;', ...lines];
}

/** Where the operands of a form are: target register field (or memory), source expression. */
function operands(form, size) {
  const f = file[size];
  const immediate = extend('op.imm', size);
  switch (form) {
    case 'EG':
      return { target: 'op.dst', source: extend(`${f}[op.src]`, size) };
    case 'MG':
      return { source: extend(`${f}[op.src]`, size) };
    case 'GE':
      return { target: 'op.src', source: extend(`${f}[op.dst]`, size) };
    case 'GM':
      return { target: 'op.src', source: extend(`c.read${size}(op.seg, c.ea(op))`, size) };
    case 'EI':
      return { target: 'op.dst', source: immediate };
    default:
      return { source: immediate };
  }
}

function lazy(kind, size, withOperands) {
  const lines = [`s[LAZY_OP] = ${kind};`, 's[LAZY_RES] = r;'];
  return withOperands ? [...lines, 's[LAZY_DST] = d;', 's[LAZY_SRC] = v;'] : lines;
}

/** Result expression lines, flag lines. */
function compute(op, size) {
  if (LOGIC[op]) return { result: [`const r = d ${LOGIC[op]} v;`], flags: lazy('LAZY_LOGIC', size, false) };
  const carry = op === 'adc' || op === 'sbb';
  const sign = op === 'add' || op === 'adc' ? '+' : '-';
  const base = sign === '+' ? `LAZY_ADD${size}` : `LAZY_SUB${size}`;
  const result = carry
    ? ['const carry = getCF(c);', `const r = ${truncate(`d ${sign} v ${sign} carry`, size)};`]
    : [`const r = ${truncate(`d ${sign} v`, size)};`];
  return { result, flags: lazy(carry ? `${base} + 3 * carry` : base, size, true) };
}

function text(name, lines) {
  return `export function ${name}(c: Cpu, op: Op): void {\n${lines.map((line) => `  ${line}\n`).join('')}}\n`;
}

function binary(op, form, size) {
  const { target, source } = operands(form, size);
  const f = file[size];
  const { result, flags } = compute(op, size);
  const reads = op === 'cmp' || op === 'test';
  const lines = registers(size);
  if (target) {
    lines.push(`const d = ${extend(`${f}[${target}]`, size)};`, `const v = ${source};`, ...result);
    if (!reads) lines.push(`${f}[${target}] = r;`);
  } else {
    const read = reads ? `c.read${size}` : `c.readRmw${size}`;
    lines.push(`const d = ${extend(`${read}(op.seg, c.ea(op))`, size)};`, `const v = ${source};`, ...result);
    if (!reads) lines.push(`c.writeRmw${size}(r);`);
  }
  const used = size !== 32 && !lines.slice(2).some((line) => line.includes(`${f}[`));
  const body = used ? lines.filter((line) => line !== `const ${f} = c.${f};`) : lines;
  return text(`${op}${form[0]}${size}${form[1]}${size}`, [...body, ...flags]);
}

function unary(op, form, size) {
  const f = file[size];
  const memory = form === 'M';
  const lines = registers(size);
  const place = memory ? `c.readRmw${size}(op.seg, c.ea(op))` : `${f}[op.dst]`;
  const put = memory ? `c.writeRmw${size}(r);` : `${f}[op.dst] = r;`;
  const value = `const v = ${extend(place, size)};`;
  if (memory && size !== 32) lines.splice(1, 1);
  let body;
  switch (op) {
    case 'not':
      if (memory) return text(`not${form}${size}`, [`c.writeRmw${size}(~${place});`]);
      return text(`not${form}${size}`, [`const ${f} = c.${f};`, `${f}[op.dst] = ~${f}[op.dst];`]);
    case 'neg':
      body = [value, `const r = ${truncate('-v', size)};`, put, `s[LAZY_OP] = LAZY_SUB${size};`];
      body.push('s[LAZY_RES] = r;', 's[LAZY_DST] = 0;', 's[LAZY_SRC] = v;');
      break;
    default: {
      const sign = op === 'inc' ? '+' : '-';
      body = [value, `const r = ${truncate(`v ${sign} 1`, size)};`, put, 'keepCF(c);'];
      body.push(`s[LAZY_OP] = LAZY_${op.toUpperCase()}${size};`, 's[LAZY_RES] = r;');
    }
  }
  return text(`${op}${form}${size}`, [...lines, ...body]);
}

const functions = [];
const rows = [];

function row(fields) {
  rows.push(`  { ${fields.filter(Boolean).join(', ')} },`);
}

/** `handlers` property for a byte or an operand-size row; names are functions of the size. */
function handlers(byte, register, memory) {
  const at = (name, size) => (name ? name(size) : undefined);
  const parts = [
    ['r16', at(register, byte ? 8 : 16)],
    ['r32', at(register, byte ? 8 : 32)],
    ['m16', at(memory, byte ? 8 : 16)],
    ['m32', at(memory, byte ? 8 : 32)],
  ].filter(([, name]) => name);
  return `handlers: { ${parts.map(([key, name]) => `${key}: ${name}`).join(', ')} }`;
}

const hex = (n) => `0x${n.toString(16).padStart(2, '0')}`;
const form = (op, a, b) => (size) => `${op}${a}${size}${b}${size}`;
const single = (op, a) => (size) => `${op}${a}${size}`;
const list = (...names) => `operands: [${names.map((name) => `'${name}'`).join(', ')}]`;
const head = (op, opcode) => [`mnemonic: '${op}'`, 'map: 1', `opcode: ${hex(opcode)}`];

for (const op of BINARY) {
  for (const size of SIZES) for (const f of ['EG', 'MG', 'GE', 'GM', 'EI', 'MI']) functions.push(binary(op, f, size));
  const at = BINARY.indexOf(op) * 8;
  const lock = op === 'cmp' ? '' : 'lockable: true';
  const eg = [form(op, 'E', 'G'), form(op, 'M', 'G')];
  const ge = [form(op, 'G', 'E'), form(op, 'G', 'M')];
  const ei = [form(op, 'E', 'I'), form(op, 'M', 'I')];
  row([...head(op, at), list('Eb', 'Gb'), handlers(true, ...eg), lock]);
  row([...head(op, at + 1), list('Ev', 'Gv'), handlers(false, ...eg), lock]);
  row([...head(op, at + 2), list('Gb', 'Eb'), handlers(true, ...ge)]);
  row([...head(op, at + 3), list('Gv', 'Ev'), handlers(false, ...ge)]);
  row([...head(op, at + 4), list('AL', 'Ib'), handlers(true, ei[0])]);
  row([...head(op, at + 5), list('eAX', 'Iz'), handlers(false, ei[0])]);
  const ext = `ext: ${BINARY.indexOf(op)}`;
  row([...head(op, 0x80), ext, list('Eb', 'Ib'), handlers(true, ...ei), lock]);
  row([...head(op, 0x81), ext, list('Ev', 'Iz'), handlers(false, ...ei), lock]);
  row([...head(op, 0x82), ext, list('Eb', 'Ib'), handlers(true, ...ei), lock]);
  row([...head(op, 0x83), ext, list('Ev', 'Ibs'), handlers(false, ...ei), lock]);
}

for (const size of SIZES) for (const f of ['EG', 'MG', 'EI', 'MI']) functions.push(binary('test', f, size));
row([...head('test', 0x84), list('Eb', 'Gb'), handlers(true, form('test', 'E', 'G'), form('test', 'M', 'G'))]);
row([...head('test', 0x85), list('Ev', 'Gv'), handlers(false, form('test', 'E', 'G'), form('test', 'M', 'G'))]);
row([...head('test', 0xa8), list('AL', 'Ib'), handlers(true, form('test', 'E', 'I'))]);
row([...head('test', 0xa9), list('eAX', 'Iz'), handlers(false, form('test', 'E', 'I'))]);
// /1 is an undocumented twin of /0 that every part since the 8086 has.
for (const ext of [0, 1]) {
  const test = [form('test', 'E', 'I'), form('test', 'M', 'I')];
  row([...head('test', 0xf6), `ext: ${ext}`, list('Eb', 'Ib'), handlers(true, ...test)]);
  row([...head('test', 0xf7), `ext: ${ext}`, list('Ev', 'Iz'), handlers(false, ...test)]);
}

for (const op of ['inc', 'dec', 'not', 'neg']) {
  for (const size of SIZES) for (const f of ['E', 'M']) functions.push(unary(op, f, size));
  const both = [single(op, 'E'), single(op, 'M')];
  const [group, ext] = { inc: [0xfe, 0], dec: [0xfe, 1], not: [0xf6, 2], neg: [0xf6, 3] }[op];
  row([...head(op, group), `ext: ${ext}`, list('Eb'), handlers(true, ...both), 'lockable: true']);
  row([...head(op, group + 1), `ext: ${ext}`, list('Ev'), handlers(false, ...both), 'lockable: true']);
}
row([...head('inc', 0x40), list('Zv'), handlers(false, single('inc', 'E'))]);
row([...head('dec', 0x48), list('Zv'), handlers(false, single('dec', 'E'))]);

const body = `${functions.join('\n')}
export const aluRows: readonly OpcodeRow[] = [
${rows.join('\n')}
];
`;
const kinds = [...new Set(body.match(/LAZY_(ADD|SUB|INC|DEC)\d+|LAZY_LOGIC/g))].sort();
const source = `/**
 * ADD OR ADC SBB AND SUB XOR CMP TEST INC DEC NEG NOT in every size and operand form (SDM Vol. 2), and their opcode rows.
 * Generated by tools/generate-alu.mjs: change that, not this.
 * Names: E = ModR/M r/m as a register, M = the same as memory, G = ModR/M reg field, I = immediate.
 */
import * as layout from '@ringfence/sdk';
import type { Cpu } from '../cpu.js';
import * as flags from '../flags.js';
import type { Op } from '../op.js';
import type { OpcodeRow } from '../table/row.js';

// Compiled code loads an imported binding at every use; a constant of the module itself becomes part of the code.
const { LAZY_DST, LAZY_OP, LAZY_RES, LAZY_SRC } = layout;
const { ${[...kinds, 'getCF', 'keepCF'].join(', ')} } = flags;

${body}`;

writeGenerated('alu.ts', source);
