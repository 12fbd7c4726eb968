/**
 * Records what this machine's SSE and SSE2 do: builds probe.c, runs the forms of cases.mjs through it, writes one text file per
 * family. x86-64 Linux and gcc only.
 *   node tools/sse-probe/record.mjs                     the golden set, into packages/cpu/src/sse/golden-float
 *   node tools/sse-probe/record.mjs --scale 50 --seed 7 --out D   many more operands, into folder D; replay with SSE_GOLDEN=D
 * Lines:  # form <name>: <bytes> | <first operand>,<second operand> => <where> <result>
 *         <MXCSR> [<first operand>] <second operand> => <MXCSR> <result, EFLAGS, or #XM>
 * Operands are elements, lowest first. What an instruction does not read or write is filled with FILL, and must stay.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { forms, mxcsr, operands, reseed } from './cases.mjs';

const FILL = BigInt('0xa5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5');
const CASES = 30;
/** Predicates and shapes make many forms of CMPcc. */
const CASES_CMP = 12;

function option(name, fallback) {
  const at = process.argv.indexOf(name);
  return at < 0 ? fallback : process.argv[at + 1];
}
const hex = (value, digits) => value.toString(16).padStart(digits, '0');
const bits = (shape) => (shape === '' ? 0 : parseInt(shape, 10) * (shape.endsWith('d') ? 64 : 32));

function build(folder) {
  const program = join(folder, 'probe');
  execFileSync('gcc', ['-O1', '-o', program, fileURLToPath(new URL('probe.c', import.meta.url))]);
  return program;
}

/** `value` where the shape reads, FILL above. */
function filled(value, shape) {
  const mask = (1n << BigInt(bits(shape))) - 1n;
  return (value & mask) | (FILL & ~mask);
}

function elements(value, shape) {
  const size = shape.endsWith('d') ? 64n : 32n;
  const texts = [];
  for (let i = 0n; i < BigInt(parseInt(shape, 10)); i++) {
    texts.push(hex((value >> (i * size)) & ((1n << size) - 1n), Number(size / 4n)));
  }
  return texts.join(',');
}

function run(program, form, count) {
  const cases = Array.from({ length: count }, () => {
    const [first, second] = operands(form);
    return { mxcsr: mxcsr(), first: filled(first, form.a), second: filled(second, form.b) };
  });
  const bytes = form.bytes.map((byte) => hex(byte, 2)).join('');
  const input = cases.map((c) => `${bytes} ${hex(c.mxcsr, 4)} ${hex(c.first, 32)} ${hex(c.second, 32)}\n`).join('');
  const answers = execFileSync(program, { input, maxBuffer: 1 << 30 })
    .toString()
    .trim()
    .split('\n');
  return cases.map((c, n) => line(form, c, answers[n].split(' ')));
}

function line(form, { mxcsr: before, first, second }, [fault, after, xmm, mmx, eax, flags]) {
  const reads = form.a === '0' ? [] : [elements(first, form.a)];
  reads.push(elements(second, form.b));
  let result = '#XM';
  if (fault === '0' && form.to === 'f') result = flags;
  else if (fault === '0') {
    const value = BigInt(`0x${{ x: xmm, m: mmx, r: eax }[form.to]}`);
    const above = BigInt(bits(form.result));
    if (form.to === 'x' && value >> above !== first >> above) throw new Error(`${form.name} changed more: ${xmm}`);
    result = elements(value, form.result);
  }
  return `${hex(before, 4)} ${reads.join(' ')} => ${after} ${result}`;
}

const out = option('--out', fileURLToPath(new URL('../../packages/cpu/src/sse/golden-float', import.meta.url)));
const scale = Number(option('--scale', 1));
reseed(Number(option('--seed', 0x2545f491)));
mkdirSync(out, { recursive: true });
const folder = mkdtempSync(join(tmpdir(), 'sse-probe-'));
try {
  const program = build(folder);
  const families = new Map();
  for (const form of forms) {
    const bytes = form.bytes.map((byte) => hex(byte, 2)).join(' ');
    const text = [`# form ${form.name}: ${bytes} | ${form.a},${form.b} => ${form.to} ${form.result}`.trimEnd()];
    text.push(...run(program, form, scale * (form.name.startsWith('cmp') ? CASES_CMP : CASES)));
    families.set(form.family, [...(families.get(form.family) ?? []), ...text]);
  }
  for (const [family, lines] of families) writeFileSync(join(out, `${family}.txt`), `${lines.join('\n')}\n`);
} finally {
  rmSync(folder, { recursive: true });
}
