/**
 * Records what this machine's processor does: builds probe.c, runs the forms of cases.mjs through it, writes one text file
 * per family. x86 Linux and gcc only.
 *   node tools/cpu-probe/record.mjs                     the golden set, into packages/cpu/src/instructions/golden
 *   node tools/cpu-probe/record.mjs --scale 50 --out D  many more operands, into folder D; replay with CPU_GOLDEN=D
 * Lines:  # form <name>: <bytes> | <registers in> | <registers out>
 *         <name> (<flags before>) <in> => <out> <flags after>      or   => #DE
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { FLAGS, families, random } from './cases.mjs';

const SLOT = { a: 0, c: 1, d: 2, b: 3 };
/** What registers hold that a form does not name. */
const FILL = [0xa5a5a5a5, 0xc3c3c3c3, 0xd2d2d2d2, 0xb4b4b4b4];

function option(name, fallback) {
  const at = process.argv.indexOf(name);
  return at < 0 ? fallback : process.argv[at + 1];
}

function place(register) {
  if (register.length === 3) return { slot: SLOT[register[1]], shift: 0, bits: 32 };
  const bits = register[1] === 'x' ? 16 : 8;
  return { slot: SLOT[register[0]], shift: register[1] === 'h' ? 8 : 0, bits };
}

const mask = (bits) => (bits === 32 ? 0xffffffff : 2 ** bits - 1);
const hex = (v, digits) => (v >>> 0).toString(16).padStart(digits, '0');

function put(regs, register, v) {
  const { slot, shift, bits } = place(register);
  regs[slot] = ((regs[slot] & ~(mask(bits) << shift)) | ((v & mask(bits)) << shift)) >>> 0;
}

function get(regs, register) {
  const { slot, shift, bits } = place(register);
  return hex((regs[slot] >>> shift) & mask(bits), bits / 4);
}

function flagNames(flags) {
  return Object.entries(FLAGS)
    .filter(([, bit]) => (flags & bit) !== 0)
    .map(([name]) => name);
}

/** Flags before, where a case does not say: random, so that "unchanged" is seen. */
function arith() {
  return Object.values(FLAGS).reduce((sum, bit) => sum | (random() & 1 ? bit : 0), 0);
}

function build(folder) {
  const source = fileURLToPath(new URL('probe.c', import.meta.url));
  const flags = [
    '-m32',
    '-O1',
    '-nostdlib',
    '-static',
    '-ffreestanding',
    '-fno-pic',
    '-no-pie',
    '-fno-stack-protector',
  ];
  const program = join(folder, 'probe');
  execFileSync('gcc', [...flags, '-o', program, source]);
  return program;
}

function record(program, forms) {
  const runs = [];
  for (const form of forms) {
    for (const entry of form.cases) {
      const values = Array.isArray(entry) ? entry : entry.values;
      // A case's own flags are those the instruction reads; the others are random where it reads none.
      const flags = Array.isArray(entry) ? arith() : entry.flags;
      const regs = [...FILL];
      form.in.forEach((register, i) => put(regs, register, values[i]));
      runs.push({ form, flags, regs });
    }
  }
  const text = runs.map(({ form, flags, regs }) => {
    const bytes = form.bytes.map((byte) => hex(byte, 2)).join('');
    return `${bytes} ${[...regs, flags].map((v) => hex(v, 1)).join(' ')}\n`;
  });
  const answers = execFileSync(program, { input: text.join(''), maxBuffer: 1 << 30 })
    .toString()
    .trim()
    .split('\n');
  if (answers.length !== runs.length) throw new Error(`${answers.length} answers to ${runs.length} cases`);
  const lines = [];
  let last;
  runs.forEach(({ form, flags, regs }, i) => {
    if (form !== last) {
      const bytes = form.bytes.map((byte) => hex(byte, 2)).join(' ');
      lines.push(`# form ${form.name}: ${bytes} | ${form.in.join(',')} | ${form.out.join(',')}`);
      last = form;
    }
    const before = `${form.name} (${flagNames(flags).join(' ')}) ${form.in.map((r) => get(regs, r)).join(',')} => `;
    if (answers[i] === '#DE') {
      lines.push(`${before}#DE`);
      return;
    }
    const after = answers[i].split(' ').map((word) => parseInt(word, 16));
    const out = [form.out.map((r) => get(after, r)).join(','), ...flagNames(after[4])].filter((part) => part !== '');
    lines.push(before + out.join(' '));
  });
  return lines;
}

const scale = Number(option('--scale', '1'));
const folder = option('--out', fileURLToPath(new URL('../../packages/cpu/src/instructions/golden', import.meta.url)));
const scratch = mkdtempSync(join(tmpdir(), 'cpu-probe-'));
try {
  const program = build(scratch);
  mkdirSync(folder, { recursive: true });
  for (const [name, forms] of Object.entries(families)) {
    const lines = record(program, forms(scale));
    writeFileSync(join(folder, `${name}.txt`), `${lines.join('\n')}\n`);
    console.log(`${name}: ${lines.filter((line) => !line.startsWith('#')).length} cases`);
  }
} finally {
  rmSync(scratch, { recursive: true });
}
