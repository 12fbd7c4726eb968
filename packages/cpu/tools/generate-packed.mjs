/**
 * Writes src/generated/packed.ts: the packed integer instructions, one plain function on MMX and one on XMM registers each, and
 * their opcode rows. The arithmetic is src/sse/packed.ts. Run by hand: node packages/cpu/tools/generate-packed.mjs
 * src/instructions/generated.spec.ts checks that the committed file is what this prints.
 */
import { writeGenerated } from './write-generated.mjs';

/** Lane by lane, each word for itself: mnemonic, opcode, function; the feature that brought the MMX form. */
const LANES = [
  ['pcmpgtb', 0x64, 'gtB'],
  ['pcmpgtw', 0x65, 'gtW'],
  ['pcmpgtd', 0x66, 'gtD'],
  ['pcmpeqb', 0x74, 'eqB'],
  ['pcmpeqw', 0x75, 'eqW'],
  ['pcmpeqd', 0x76, 'eqD'],
  ['pmullw', 0xd5, 'mulLW'],
  ['psubusb', 0xd8, 'subUB'],
  ['psubusw', 0xd9, 'subUW'],
  ['pminub', 0xda, 'minUB', 'sse'],
  ['pand', 0xdb, 'and'],
  ['paddusb', 0xdc, 'addUB'],
  ['paddusw', 0xdd, 'addUW'],
  ['pmaxub', 0xde, 'maxUB', 'sse'],
  ['pandn', 0xdf, 'andNot'],
  ['pavgb', 0xe0, 'avgB', 'sse'],
  ['pavgw', 0xe3, 'avgW', 'sse'],
  ['pmulhuw', 0xe4, 'mulHUW', 'sse'],
  ['pmulhw', 0xe5, 'mulHW'],
  ['psubsb', 0xe8, 'subSB'],
  ['psubsw', 0xe9, 'subSW'],
  ['pminsw', 0xea, 'minSW', 'sse'],
  ['por', 0xeb, 'or'],
  ['paddsb', 0xec, 'addSB'],
  ['paddsw', 0xed, 'addSW'],
  ['pmaxsw', 0xee, 'maxSW', 'sse'],
  ['pxor', 0xef, 'xor'],
  ['pmaddwd', 0xf5, 'maddWD'],
  ['psubb', 0xf8, 'subB'],
  ['psubw', 0xf9, 'subW'],
  ['psubd', 0xfa, 'subD'],
  ['paddb', 0xfc, 'addB'],
  ['paddw', 0xfd, 'addW'],
  ['paddd', 0xfe, 'addD'],
];

/** Logic on packed floating-point registers is the same as on integers. */
const LOGIC = [
  ['and', 0x54, 'and'],
  ['andn', 0x55, 'andNot'],
  ['or', 0x56, 'or'],
  ['xor', 0x57, 'xor'],
];

/** Shifts: name, opcode of the form with a count in a register, opcode and ext of the form with an immediate, function. */
const SHIFTS = [
  ['psrlw', 0xd1, 0x71, 2, 'srlW'],
  ['psrld', 0xd2, 0x72, 2, 'srlD'],
  ['psrlq', 0xd3, 0x73, 2, undefined],
  ['psraw', 0xe1, 0x71, 4, 'sraW'],
  ['psrad', 0xe2, 0x72, 4, 'sraD'],
  ['psllw', 0xf1, 0x71, 6, 'sllW'],
  ['pslld', 0xf2, 0x72, 6, 'sllD'],
  ['psllq', 0xf3, 0x73, 6, undefined],
];

/** What takes words from several places: new words in terms of x0.. (destination) and y0.. (source), MMX then XMM. */
const MIXED = [
  ['punpcklbw', 0x60, ['lowBytes(x0, y0)', 'highBytes(x0, y0)'], both('lowBytes', 'highBytes', 0)],
  ['punpcklwd', 0x61, ['lowWords(x0, y0)', 'highWords(x0, y0)'], both('lowWords', 'highWords', 0)],
  ['punpckldq', 0x62, ['x0', 'y0'], ['x0', 'y0', 'x1', 'y1']],
  ['packsswb', 0x63, pack('packSSWB', 2), pack('packSSWB', 4)],
  ['packuswb', 0x67, pack('packUSWB', 2), pack('packUSWB', 4)],
  ['punpckhbw', 0x68, ['lowBytes(x1, y1)', 'highBytes(x1, y1)'], both('lowBytes', 'highBytes', 2)],
  ['punpckhwd', 0x69, ['lowWords(x1, y1)', 'highWords(x1, y1)'], both('lowWords', 'highWords', 2)],
  ['punpckhdq', 0x6a, ['x1', 'y1'], ['x2', 'y2', 'x3', 'y3']],
  ['packssdw', 0x6b, pack('packSSDW', 2), pack('packSSDW', 4)],
  ['punpcklqdq', 0x6c, undefined, ['x0', 'x1', 'y0', 'y1']],
  ['punpckhqdq', 0x6d, undefined, ['x2', 'x3', 'y2', 'y3']],
  ['paddq', 0xd4, quads(addQ, 2), quads(addQ, 4), 'sse2'],
  ['pmuludq', 0xf4, quads(mulQ, 2), quads(mulQ, 4), 'sse2'],
  ['psadbw', 0xf6, quads(sadQ, 2), quads(sadQ, 4), 'sse'],
  ['psubq', 0xfb, quads(subQ, 2), quads(subQ, 4), 'sse2'],
];
/** MMX forms of these read 4 bytes of memory only. */
const HALF = new Set(['punpcklbw', 'punpcklwd', 'punpckldq']);

function both(low, high, at) {
  return [0, 1].flatMap((i) => [low, high].map((f) => `${f}(x${at + i}, y${at + i})`));
}

function pack(f, count) {
  const pairs = Array.from({ length: count / 2 }, (_, i) => `${i * 2}, #${i * 2 + 1}`);
  return ['x', 'y'].flatMap((from) => pairs.map((pair) => `${f}(${from}${pair.replace('#', from)})`));
}

function quads(f, count) {
  return Array.from({ length: count / 2 }, (_, i) => f(i * 2)).flat();
}

function addQ(i) {
  const low = `(x${i} + y${i}) | 0`;
  return [low, `(x${i + 1} + y${i + 1} + ((${low}) >>> 0 < x${i} >>> 0 ? 1 : 0)) | 0`];
}

function subQ(i) {
  return [`(x${i} - y${i}) | 0`, `(x${i + 1} - y${i + 1} - (x${i} >>> 0 < y${i} >>> 0 ? 1 : 0)) | 0`];
}

function mulQ(i) {
  return [`Math.imul(x${i}, y${i})`, `mulHighD(x${i}, y${i})`];
}

function sadQ(i) {
  return [`sumOfDifferences(x${i}, y${i}) + sumOfDifferences(x${i + 1}, y${i + 1})`, '0'];
}

const functions = [];
const rows = [];
const used = new Set();
const hex = (n) => `0x${n.toString(16).padStart(2, '0')}`;
const plus = (name, i) => (i === 0 ? name : `${name} + ${i}`);

/** `lines` with the destination register's word index in `d` and the source operand's in `s`. */
function text(name, mmx, lines, { source = mmx ? 'mmxSource' : 'xmmSource', register = 'src' } = {}) {
  used.add(mmx ? 'mmxReady' : 'sseReady').add(source);
  if (mmx) used.add('endMmx');
  const body = [
    `${mmx ? 'mmxReady' : 'sseReady'}(c);`,
    ...(source === '' ? [] : [`const s = ${source}(c, op);`]),
    'const w = c.sse.w;',
    `const d = ${mmx ? 'MMX' : 'XMM'} + op.${register} * 4;`,
    ...lines,
    ...(mmx ? ['endMmx(w, d);'] : []),
  ];
  for (const line of lines) for (const [f] of line.matchAll(/\b[a-zA-Z]+(?=\()/g)) if (f !== 'imul') used.add(f);
  functions.push(`export function ${name}(c: Cpu, op: Op): void {\n${body.map((line) => `  ${line}\n`).join('')}}\n`);
}

function row(mnemonic, opcode, prefix, operands, handlers, feature, ext) {
  const list = operands.map((operand) => `'${operand}'`).join(', ');
  const group = ext === undefined ? '' : ` ext: ${ext},`;
  rows.push(
    `  {\n    mnemonic: '${mnemonic}',\n    map: 2,\n    opcode: ${hex(opcode)},\n    prefix: ${prefix === 0 ? 0 : hex(prefix)},\n` +
      (group === '' ? '' : `   ${group}\n`) +
      `    operands: [${list}],\n    handlers: ${handlers},\n    feature: '${feature}',\n  },`,
  );
}

const forms = (name) => `anySize(${name}, ${name})`;
const count = (mmx) => (mmx ? 2 : 4);
const each = (mmx, line) => Array.from({ length: count(mmx) }, (_, i) => line(i));

for (const [mnemonic, opcode, f, feature = 'mmx'] of LANES) {
  for (const mmx of [true, false]) {
    const name = mnemonic + (mmx ? 'Mmx' : 'Xmm');
    text(
      name,
      mmx,
      each(mmx, (i) => `w[${plus('d', i)}] = ${f}(w[${plus('d', i)}], w[${plus('s', i)}]);`),
    );
    if (mmx) row(mnemonic, opcode, 0, ['Pq', 'Qq'], forms(name), feature);
    else row(mnemonic, opcode, 0x66, ['Vdq', 'Wdq'], forms(name), 'sse2');
  }
}

for (const [mnemonic, opcode, f] of LOGIC) {
  const name = `${mnemonic}Packed`;
  text(
    name,
    false,
    each(false, (i) => `w[${plus('d', i)}] = ${f}(w[${plus('d', i)}], w[${plus('s', i)}]);`),
  );
  row(`${mnemonic}ps`, opcode, 0, ['Vps', 'Wps'], forms(name), 'sse');
  row(`${mnemonic}pd`, opcode, 0x66, ['Vpd', 'Wpd'], forms(name), 'sse2');
}

for (const [mnemonic, opcode, mmxWords, xmmWords, feature = 'mmx'] of MIXED) {
  for (const mmx of [true, false]) {
    const words = mmx ? mmxWords : xmmWords;
    if (words === undefined) continue;
    const name = mnemonic + (mmx ? 'Mmx' : 'Xmm');
    const reads = ['x', 'y'].flatMap((v) =>
      each(mmx, (i) => `const ${v}${i} = w[${plus(v === 'x' ? 'd' : 's', i)}];`).filter((_, i) =>
        words.some((word) => word.includes(`${v}${i}`)),
      ),
    );
    const half = mmx && HALF.has(mnemonic);
    const writes = words.map((word, i) => `w[${plus('d', i)}] = ${word};`);
    text(name, mmx, [...reads, ...writes], half ? { source: 'mmxSource4' } : {});
    if (mmx) row(mnemonic, opcode, 0, ['Pq', half ? 'Qd' : 'Qq'], forms(name), feature);
    else row(mnemonic, opcode, 0x66, ['Vdq', 'Wdq'], forms(name), 'sse2');
  }
}

/** Lines of a shift by `n`. */
function shiftLines(mnemonic, f, mmx) {
  if (f !== undefined) return each(mmx, (i) => `w[${plus('d', i)}] = ${f}(w[${plus('d', i)}], n);`);
  const lines = [];
  for (let i = 0; i < count(mmx); i += 2) {
    const low = `w[${plus('d', i)}]`;
    const high = `w[${plus('d', i + 1)}]`;
    if (mnemonic === 'psrlq') lines.push(`${low} = srlLowQ(${low}, ${high}, n);`, `${high} = srlHighQ(${high}, n);`);
    else lines.push(`${high} = sllHighQ(${low}, ${high}, n);`, `${low} = sllLowQ(${low}, n);`);
  }
  return lines;
}

for (const [mnemonic, opcode, group, ext, f] of SHIFTS) {
  for (const mmx of [true, false]) {
    const name = mnemonic + (mmx ? 'Mmx' : 'Xmm');
    const prefix = mmx ? 0 : 0x66;
    const feature = mmx ? 'mmx' : 'sse2';
    const lines = shiftLines(mnemonic, f, mmx);
    text(name, mmx, ['const n = shiftCount(w[s], w[s + 1]);', ...lines]);
    row(mnemonic, opcode, prefix, mmx ? ['Pq', 'Qq'] : ['Vdq', 'Wdq'], forms(name), feature);
    text(`${name}Imm`, mmx, ['const n = op.imm;', ...lines], { source: '', register: 'dst' });
    row(mnemonic, group, prefix, [mmx ? 'Nq' : 'Udq', 'Ib'], `anySize(${name}Imm)`, feature, ext);
  }
}

used.delete('');
const operands = ['mmxSource', 'mmxSource4', 'xmmSource'].filter((name) => used.has(name));
const state = ['endMmx', 'mmxReady', 'sseReady'];
const arithmetic = [...used].filter((name) => !operands.includes(name) && !state.includes(name)).sort();

writeGenerated(
  'packed.ts',
  `/**
 * Packed integer instructions of MMX, SSE and SSE2, and the logic of packed floating-point. Generated by
 * packages/cpu/tools/generate-packed.mjs: do not edit. The arithmetic is sse/packed.ts. SDM Vol. 2.
 */
import * as layout from '@ringfence/sdk';
import type { Cpu } from '../cpu.js';
import { anySize } from '../instructions/rows.js';
import type { Op } from '../op.js';
import * as operands from '../sse/operands.js';
import * as packed from '../sse/packed.js';
import * as state from '../sse/state.js';
import type { OpcodeRow } from '../table/row.js';

// Compiled code loads an imported binding at every use; a constant of the module itself becomes part of the code.
const { FPU_REGISTERS: MMX, XMM } = layout;
const { ${operands.join(', ')} } = operands;
const { ${state.join(', ')} } = state;
const {
${arithmetic.map((name) => `  ${name},\n`).join('')}} = packed;

${functions.join('\n')}
export const packedRows: readonly OpcodeRow[] = [
${rows.join('\n')}
];
`,
);
