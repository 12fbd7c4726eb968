/**
 * Replays what real processors did (golden/*.txt, recorded by tools/cpu-probe/record.mjs) through decoder and handlers:
 * once as recorded, with register operands, and once more with the r/m operand in memory. Undefined flags are masked.
 * CPU_GOLDEN=<folder> replays another recording.
 */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { FLAGS_ARITH, FLAG_AF, FLAG_CF, FLAG_OF, FLAG_PF, FLAG_SF, FLAG_ZF } from '@ringfence/sdk';
import { describe, expect, it } from 'vitest';
import { cc } from '../flags.js';
import type { Op } from '../op.js';
import { BenchCpu } from '../testing/bench-cpu.js';
import { undefinedFlags } from '../testing/undefined-flags.js';

const FOLDER = process.env['CPU_GOLDEN'] ?? fileURLToPath(new URL('golden', import.meta.url));
const BITS: Record<string, number> = { CF: FLAG_CF, PF: FLAG_PF, AF: FLAG_AF, ZF: FLAG_ZF, SF: FLAG_SF, OF: FLAG_OF };
/** What registers hold that a form does not name, as the probe fills them: EAX, ECX, EDX, EBX. */
const FILL = [0xa5a5a5a5, 0xc3c3c3c3, 0xd2d2d2d2, 0xb4b4b4b4];
const REGISTERS = ['eax', 'ecx', 'edx', 'ebx'];
/** Where the r/m operand stands in the memory replay. */
const OPERAND = 0x2ffe;

interface Form {
  readonly name: string;
  readonly op: string;
  readonly size: number;
  readonly bytes: number[];
  readonly inputs: string[];
  readonly outputs: string[];
}

interface Case {
  readonly form: Form;
  readonly line: string;
  readonly flags: number;
  readonly values: number[];
  /** Undefined for #DE. */
  readonly results?: number[];
  readonly after: number;
}

/** Byte index and size of a register within the state. */
function place(register: string): { at: number; size: number } {
  if (register.length === 3) return { at: REGISTERS.indexOf(register) * 4, size: 4 };
  const at = REGISTERS.indexOf(`e${register[0]}x`) * 4;
  return register[1] === 'x' ? { at, size: 2 } : { at: at + (register[1] === 'h' ? 1 : 0), size: 1 };
}

function flagBits(names: string[]): number {
  return names.reduce((sum, name) => sum | BITS[name], 0);
}

const words = (text: string, separator: string) => text.split(separator).filter((word) => word !== '');
const numbers = (text: string, separator: string) => words(text, separator).map((word) => parseInt(word, 16));

function parse(file: string): Case[] {
  const cases: Case[] = [];
  let form: Form | undefined;
  for (const line of readFileSync(join(FOLDER, file), 'utf8').trim().split('\n')) {
    if (line.startsWith('# form ')) {
      const [name, rest] = line.slice(7).split(': ');
      const [bytes, inputs, outputs] = rest.split('|').map((part) => part.trim());
      const [, op, size] = /^([a-z]+?2?3?_?)(8|16|32)?(_.*)?$/.exec(name)!;
      form = {
        name,
        op: op.replace(/_$/, ''),
        size: Number(size ?? 8),
        bytes: numbers(bytes, ' '),
        inputs: words(inputs, ','),
        outputs: words(outputs, ','),
      };
      continue;
    }
    const [, flags, values, after] = /^\S+ \(([^)]*)\) (\S*) ?=> (.*)$/.exec(line)!;
    const before = { form: form!, line, flags: flagBits(words(flags, ' ')), values: numbers(values, ',') };
    const parts = words(after, ' ');
    if (after === '#DE') {
      cases.push({ ...before, after: 0 });
      continue;
    }
    const results = form!.outputs.length > 0 ? numbers(parts.shift()!, ',') : [];
    cases.push({ ...before, results, after: flagBits(parts) });
  }
  return cases;
}

/** The register that r/m names, if the form has a ModR/M register operand that may as well be memory. */
function memoryForm(form: Form): { bytes: number[]; register: string } | undefined {
  const prefix = form.bytes[0] === 0x66 ? 1 : 0;
  const two = form.bytes[prefix] === 0x0f ? 1 : 0;
  const at = prefix + two + 1;
  const modrm = form.bytes[at];
  // One-byte forms have none, BSWAP carries its register in the opcode, BT with a register reaches other memory.
  if (modrm === undefined || modrm < 0xc0 || /^aa|^bt.?$/.test(form.op)) return undefined;
  const register = REGISTERS[modrm & 3];
  const size = form.inputs.concat(form.outputs).find((name) => name.includes(register[1])) ?? register;
  const bytes = [...form.bytes.slice(0, at), (modrm & 0x38) | 5];
  for (let i = 0; i < 4; i++) bytes.push((OPERAND >> (i * 8)) & 0xff);
  return { bytes: [...bytes, ...form.bytes.slice(at + 1)], register: size };
}

class Replay {
  private readonly c = new BenchCpu();
  private op: Op | undefined;
  private form: Form | undefined;
  private memory: string | undefined;

  constructor(private readonly inMemory: boolean) {}

  /** Answers a message when the case comes out differently; undefined when it does not, or has no memory form. */
  run(test: Case): string | undefined {
    if (test.form !== this.form) this.prepare(test.form);
    const op = this.op;
    if (op === undefined) return undefined;
    const c = this.c;
    FILL.forEach((value, i) => (c.s[i] = value));
    test.form.inputs.forEach((register, i) => this.put(register, test.values[i]));
    c.setFlags(test.flags);
    const before = [...c.s.subarray(0, 9)];
    const vector = c.execute(op);
    if (test.results === undefined) {
      return vector === 0 && before.every((value, i) => c.s[i] === value) ? undefined : `${test.line}: not #DE`;
    }
    if (vector !== -1) return `${test.line}: fault ${vector}`;
    const differences = this.differences(test);
    return differences === '' ? undefined : `${test.line}: ${differences}`;
  }

  private prepare(form: Form): void {
    this.form = form;
    const memory = this.inMemory ? memoryForm(form) : undefined;
    this.memory = memory?.register;
    if (this.inMemory) this.op = memory === undefined ? undefined : this.c.decode(memory.bytes);
    else this.op = this.c.decode(form.bytes);
  }

  private put(register: string, value: number): void {
    const { at, size } = place(register);
    for (let i = 0; i < size; i++) {
      if (register === this.memory) this.c.poke(OPERAND + i, (value >>> (i * 8)) & 0xff);
      else this.c.b[at + i] = value >>> (i * 8);
    }
  }

  private get(register: string): number {
    const { at, size } = place(register);
    const bytes = register === this.memory ? this.c.bytes(OPERAND, size) : [...this.c.b.subarray(at, at + size)];
    return bytes.reduce((sum, byte, i) => sum + byte * 2 ** (8 * i), 0);
  }

  private differences(test: Case): string {
    const { form } = test;
    const c = this.c;
    const count = form.name.endsWith('_1') ? 1 : form.name.endsWith('_5') ? 5 : (test.values.at(-1) ?? 0);
    const unknown = undefinedFlags(form.op, form.size, count);
    const flags = c.flags & FLAGS_ARITH;
    const found: string[] = [];
    if (((flags ^ test.after) & ~unknown) !== 0) found.push(`flags ${flags.toString(16)}`);
    // Results are undefined too: BSF and BSR of zero, SHLD and SHRD beyond the operand.
    const undefinedResult = /^bs[fr]$/.test(form.op)
      ? test.values[1] === 0
      : unknown === FLAGS_ARITH && /^sh/.test(form.op);
    form.outputs.forEach((register, i) => {
      const value = this.get(register);
      if (value !== test.results![i] && !undefinedResult) found.push(`${register} ${value.toString(16)}`);
    });
    // The sixteen conditions follow from the flags.
    for (let n = 0; n < 16; n++) if (cc(c, n) !== condition(flags, n)) found.push(`condition ${n}`);
    REGISTERS.forEach((register, i) => {
      const touched = [...form.inputs, ...form.outputs].some((name) => name[name.length - 2] === register[1]);
      if (!touched && c.s[i] !== (FILL[i] | 0)) found.push(`${register} changed`);
    });
    return found.join(', ');
  }
}

/** Conditions from EFLAGS, written down from SDM Vol. 1, App. B "EFLAGS Condition Codes". */
function condition(flags: number, n: number): boolean {
  const has = (bit: number) => (flags & bit) !== 0;
  const less = has(FLAG_SF) !== has(FLAG_OF);
  const positive = [has(FLAG_OF), has(FLAG_CF), has(FLAG_ZF), has(FLAG_CF) || has(FLAG_ZF)];
  positive.push(has(FLAG_SF), has(FLAG_PF), less, less || has(FLAG_ZF));
  return positive[n >> 1] !== ((n & 1) === 1);
}

describe('instructions against real silicon', () => {
  for (const file of readdirSync(FOLDER).filter((name) => name.endsWith('.txt'))) {
    const cases = parse(file);
    for (const inMemory of [false, true]) {
      it(`${file}: ${cases.length} cases, ${inMemory ? 'memory' : 'register'} operands`, () => {
        const replay = new Replay(inMemory);
        const wrong = cases.map((test) => replay.run(test)).filter((message) => message !== undefined);
        expect(wrong.slice(0, 20), `${wrong.length} of ${cases.length}`).toEqual([]);
      });
    }
  }
});
