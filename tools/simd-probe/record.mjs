/**
 * Records what this machine's MMX, SSE and SSE2 do, but for floating-point arithmetic: builds probe.c, runs the forms of cases.mjs
 * through it, writes one text file per family. x86 Linux and gcc only.
 *   node tools/simd-probe/record.mjs                                the golden set, into packages/cpu/src/sse/golden
 *   node tools/simd-probe/record.mjs --count 500 --seed 7 --out D   many more cases, into folder D; replay with SIMD_GOLDEN=D
 * Lines:  # form <name>: <bytes, II is the immediate>
 *         <what differs from the fill> => <what changed, or the fault>
 * Names: mm0..mm7 (as R0..R7 of the x87, bytes as in memory) se0..se7 (sign and exponent) xmm0..xmm7 eax..ebx fcw fsw ftw mxcsr imm;
 * place, off: see probe.c; ac: with alignment checks; mem: bytes at off, or mem+N: from N on. The fill is in `fill` here and in the replay.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { families, Random } from './cases.mjs';

const RECORD = 1280;
const WINDOW = 640;
const MEMORY = 512;
const INSTRUCTION = MEMORY + WINDOW;
const GPR = INSTRUCTION + 16;
const EFLAGS = GPR + 16;
const VECTOR = INSTRUCTION;
const REGISTERS = ['eax', 'ecx', 'edx', 'ebx'];
/** MXCSR_MASK of the recording machine may have bits that no Intel part has. */
const MXCSR_MASK_AT = 28;

function option(name, fallback) {
  const at = process.argv.indexOf(name);
  return at < 0 ? fallback : process.argv[at + 1];
}
const hex = (v, digits) => v.toString(16).padStart(digits, '0');

function build(folder) {
  const source = fileURLToPath(new URL('probe.c', import.meta.url));
  const flags = '-m32 -O1 -nostdlib -static -ffreestanding -fno-pic -no-pie -fno-stack-protector -mno-sse'.split(' ');
  const program = join(folder, 'probe');
  execFileSync('gcc', [...flags, '-o', program, source]);
  return program;
}

/** The state before: what a case does not name. */
function fill() {
  return {
    fcw: 0x37f,
    fsw: 0x1800,
    ftw: 0x0f,
    mxcsr: 0x1f80,
    mm: Array.from({ length: 8 }, (_, n) => Buffer.from(Array.from({ length: 8 }, (_, i) => n * 16 + i))),
    xmm: Array.from({ length: 8 }, (_, n) => Buffer.from(Array.from({ length: 16 }, (_, i) => 128 + n * 16 + i))),
    gpr: [0xa0a1a2a3, 0xb0b1b2b3, 0xc0c1c2c3, 0xd0d1d2d3],
    memory: Buffer.from(Array.from({ length: WINDOW }, (_, i) => (i * 7 + 13) & 0xff)),
  };
}

function encode(form, test) {
  const s = fill();
  Object.assign(s, {
    fcw: test.fcw ?? s.fcw,
    fsw: test.fsw ?? s.fsw,
    ftw: test.ftw ?? s.ftw,
    mxcsr: test.mxcsr ?? s.mxcsr,
  });
  for (const [n, value] of Object.entries(test.mm ?? {})) s.mm[n] = Buffer.from(value, 'hex');
  for (const [n, value] of Object.entries(test.xmm ?? {})) s.xmm[n] = Buffer.from(value, 'hex');
  for (const [name, value] of Object.entries(test.gpr ?? {})) {
    s.gpr[REGISTERS.indexOf(name)] = Buffer.from(value, 'hex').readUInt32LE();
  }
  const record = Buffer.alloc(RECORD);
  record.writeUInt16LE(s.fcw, 0);
  record.writeUInt16LE(s.fsw, 2);
  record[4] = s.ftw;
  record.writeUInt32LE(s.mxcsr, 24);
  const top = (s.fsw >> 11) & 7;
  for (let n = 0; n < 8; n++) {
    const at = 32 + ((n - top) & 7) * 16;
    s.mm[n].copy(record, at);
    record.writeUInt16LE(0x4000 + n, at + 8);
    s.xmm[n].copy(record, 160 + n * 16);
  }
  s.memory.copy(record, MEMORY);
  const off = test.off ?? 0;
  const end = test.place === 1 ? WINDOW / 2 : WINDOW;
  if (test.mem !== undefined) Buffer.from(test.mem, 'hex').copy(record, MEMORY + off, 0, Math.max(0, end - off));
  const bytes = form.bytes.split(' ').map((byte) => (byte === 'II' ? test.imm : parseInt(byte, 16)));
  record[INSTRUCTION] = bytes.length;
  Buffer.from(bytes).copy(record, INSTRUCTION + 1);
  s.gpr.forEach((value, i) => record.writeUInt32LE(value, GPR + i * 4));
  record.writeUInt32LE(test.ac === 1 ? 0x40202 : 0x202, EFLAGS);
  record.writeUInt32LE(test.place ?? 0, EFLAGS + 4);
  record.writeUInt32LE(off, EFLAGS + 8);
  return record;
}

/** Name and value of everything in a state: an FXSAVE image, memory, general registers. */
function named(image, memory, gpr) {
  const out = {
    fcw: hex(image.readUInt16LE(0), 4),
    fsw: hex(image.readUInt16LE(2), 4),
    ftw: hex(image[4], 2),
    mxcsr: hex(image.readUInt32LE(24), 4),
  };
  const top = (image.readUInt16LE(2) >> 11) & 7;
  for (let n = 0; n < 8; n++) {
    const at = 32 + ((n - top) & 7) * 16;
    out[`mm${n}`] = image.toString('hex', at, at + 8);
    out[`se${n}`] = hex(image.readUInt16LE(at + 8), 4);
    out[`xmm${n}`] = image.toString('hex', 160 + n * 16, 176 + n * 16);
  }
  REGISTERS.forEach((name, i) => (out[name] = hex(gpr.readUInt32LE(i * 4), 8)));
  out.mem = memory;
  return out;
}

function describe(form, test, input, answer) {
  const vector = answer.readInt32LE(VECTOR);
  const parts = [];
  if (vector !== -1) parts.push(`#${vector}`);
  if (vector === 14) parts.push(`cr2=${answer.readInt32LE(VECTOR + 4)}`);
  if (form.name === 'fxsave' && vector === -1) answer.writeUInt16LE(0, MEMORY + test.off + MXCSR_MASK_AT + 2);
  const before = named(input, input.subarray(MEMORY, INSTRUCTION), input.subarray(GPR, EFLAGS));
  const after = named(answer, answer.subarray(MEMORY, INSTRUCTION), answer.subarray(VECTOR + 8));
  for (const [name, value] of Object.entries(after)) {
    if (name !== 'mem') {
      if (value !== before[name]) parts.push(`${name}=${value}`);
      continue;
    }
    let first = 0;
    while (first < WINDOW && value[first] === before.mem[first]) first++;
    if (first === WINDOW) continue;
    let last = WINDOW;
    while (value[last - 1] === before.mem[last - 1]) last--;
    parts.push(`mem+${first}=${value.toString('hex', first, last)}`);
  }
  return parts.join(' ');
}

function given(test) {
  const parts = [];
  if (test.imm !== undefined) parts.push(`imm=${hex(test.imm, 2)}`);
  if (test.place !== undefined) parts.push(`place=${test.place}`);
  if (test.off !== undefined) parts.push(`off=${test.off}`);
  if (test.ac !== undefined) parts.push(`ac=${test.ac}`);
  if (test.mem !== undefined) parts.push(`mem=${test.mem}`);
  for (const name of ['fcw', 'fsw', 'ftw', 'mxcsr'])
    if (test[name] !== undefined) parts.push(`${name}=${hex(test[name], 4)}`);
  for (const [n, value] of Object.entries(test.mm ?? {})) parts.push(`mm${n}=${value}`);
  for (const [n, value] of Object.entries(test.xmm ?? {})) parts.push(`xmm${n}=${value}`);
  for (const [name, value] of Object.entries(test.gpr ?? {})) {
    parts.push(`${name}=${hex(Buffer.from(value, 'hex').readUInt32LE(), 8)}`);
  }
  return parts.join(' ');
}

function record(program, forms) {
  const lines = [];
  for (const form of forms) {
    const inputs = form.cases.map((test) => encode(form, test));
    const answers = execFileSync(program, { input: Buffer.concat(inputs), maxBuffer: 2 ** 31 });
    if (answers.length !== inputs.length * RECORD)
      throw new Error(`the probe stopped early: ${form.name} ${form.bytes}`);
    lines.push(`# form ${form.name}: ${form.bytes}`);
    form.cases.forEach((test, i) => {
      const answer = answers.subarray(i * RECORD, (i + 1) * RECORD);
      lines.push(`${given(test)} => ${describe(form, test, inputs[i], answer)}`.trim());
    });
  }
  return lines;
}

const count = Number(option('--count', '6'));
const seed = Number(option('--seed', '1'));
const folder = option('--out', fileURLToPath(new URL('../../packages/cpu/src/sse/golden', import.meta.url)));
const scratch = mkdtempSync(join(tmpdir(), 'simd-probe-'));
try {
  const program = build(scratch);
  mkdirSync(folder, { recursive: true });
  for (const [name, forms] of Object.entries(families)) {
    const lines = record(program, forms(new Random(seed), count));
    writeFileSync(join(folder, `${name}.txt`), `${lines.join('\n')}\n`);
    console.log(`${name}: ${lines.filter((line) => !line.startsWith('#')).length} cases`);
  }
} finally {
  rmSync(scratch, { recursive: true });
}
