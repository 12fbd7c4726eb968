/**
 * Records what this machine's x87 does: builds probe.c, runs the forms of cases.mjs through it, writes one text file per family.
 * x86 Linux and gcc only.
 *   node tools/fpu-probe/record.mjs                     the golden set, into packages/cpu/src/fpu/golden
 *   node tools/fpu-probe/record.mjs --scale 50 --out D  many more operands, into folder D; replay with FPU_GOLDEN=D
 * Lines:  # form <name>: <bytes> | <occupied registers, from ST(0) = R4>
 *         <control> <status> <registers> [m:<memory>] [f:<flags>] => <status> tw=<tags> <everything else that changed>
 * Registers are sign and exponent, then significand; memory is bytes in their order. What changed: cw=, R<n>=, m:, f:, ax=.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { families } from './cases.mjs';

const RECORD = 256;
const IMAGE = 16;
const MEMORY = 124;
const EFLAGS = 252;
const FLAGS = 0x8d5;
const FILL_EAX = 0xa5a5a5a5;

function option(name, fallback) {
  const at = process.argv.indexOf(name);
  return at < 0 ? fallback : process.argv[at + 1];
}
const hex = (v, digits) => v.toString(16).padStart(digits, '0');

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

/** The tag word: only empty or not is believed by FRSTOR. */
function tagWord(stack) {
  let tags = 0xffff;
  for (const i of stack) tags &= ~(3 << (((4 + i) & 7) * 2));
  return tags;
}

function encode(form, test) {
  const record = Buffer.alloc(RECORD);
  record[0] = form.bytes.length;
  Buffer.from(form.bytes).copy(record, 1);
  record.writeUInt32LE(0xffff0000 + test.cw, IMAGE);
  record.writeUInt32LE((0xffff0000 + test.sw) >>> 0, IMAGE + 4);
  record.writeUInt32LE((0xffff0000 + tagWord(form.stack)) >>> 0, IMAGE + 8);
  form.stack.forEach((i, n) => {
    const [se, significand] = test.values[n];
    record.writeBigUInt64LE(significand, IMAGE + 28 + i * 10);
    record.writeUInt16LE(se, IMAGE + 28 + i * 10 + 8);
  });
  Buffer.from(test.mem ?? []).copy(record, MEMORY);
  record.writeUInt32LE((test.eflags ?? 0) | 0x202, EFLAGS);
  return record;
}

/** Physical registers, as text, of an FSAVE image. */
function registers(image) {
  const top = (image.readUInt16LE(4) >> 11) & 7;
  return Array.from({ length: 8 }, (_, n) => {
    const at = 28 + ((n - top) & 7) * 10;
    return hex(image.readUInt16LE(at + 8), 4) + hex(image.readBigUInt64LE(at), 16);
  });
}

/** Status, tags, and what else changed. Instruction pointers are left out: processors differ in when they keep them. */
function describe(form, test, before, answer) {
  const image = answer.subarray(0, 108);
  const parts = [hex(image.readUInt16LE(4), 4)];
  if (image.readUInt16LE(0) !== test.cw) parts.push(`cw=${hex(image.readUInt16LE(0), 4)}`);
  parts.push(`tw=${hex(image.readUInt16LE(8), 4)}`);
  const was = registers(before.subarray(IMAGE, IMAGE + 108));
  registers(image).forEach((value, n) => {
    if (value !== was[n]) parts.push(`R${n}=${value}`);
  });
  const memory = answer.subarray(108, 236);
  if (!memory.equals(before.subarray(MEMORY, MEMORY + 128))) {
    const size = Math.max(test.mem.length, memory.findLastIndex((byte) => byte !== 0) + 1);
    parts.push(`m:${memory.subarray(0, size).toString('hex')}`);
  }
  const flags = answer.readUInt32LE(236) & FLAGS;
  if (flags !== (test.eflags ?? 0)) parts.push(`f:${hex(flags, 3)}`);
  const eax = answer.readUInt32LE(240);
  if (eax !== FILL_EAX) parts.push(`ax=${hex(eax & 0xffff, 4)}`);
  return parts.join(' ');
}

function record(program, forms) {
  const runs = forms.flatMap((form) => form.cases.map((test) => ({ form, test, input: encode(form, test) })));
  const answers = execFileSync(program, { input: Buffer.concat(runs.map(({ input }) => input)), maxBuffer: 2 ** 31 });
  if (answers.length !== runs.length * RECORD) throw new Error('the probe stopped early');
  const lines = [];
  let last;
  runs.forEach(({ form, test, input }, i) => {
    if (form !== last) {
      lines.push(`# form ${form.name}: ${form.bytes.map((byte) => hex(byte, 2)).join(' ')} | ${form.stack.join(',')}`);
      last = form;
    }
    const parts = [hex(test.cw, 4), hex(test.sw, 4)];
    for (const [se, significand] of test.values) parts.push(hex(se, 4) + hex(significand, 16));
    if (test.mem !== undefined) parts.push(`m:${Buffer.from(test.mem).toString('hex')}`);
    if (test.eflags !== undefined) parts.push(`f:${hex(test.eflags, 3)}`);
    const answer = answers.subarray(i * RECORD, (i + 1) * RECORD);
    lines.push(`${parts.join(' ')} => ${describe(form, test, input, answer)}`);
  });
  return lines;
}

const scale = Number(option('--scale', '1'));
const folder = option('--out', fileURLToPath(new URL('../../packages/cpu/src/fpu/golden', import.meta.url)));
const scratch = mkdtempSync(join(tmpdir(), 'fpu-probe-'));
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
