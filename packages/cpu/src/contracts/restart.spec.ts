/**
 * Restartability (SDM Vol. 3A, 6.6 "Program or Task Restart"): every form of the opcode table is executed at CPL 3 (or at
 * CPL 0 where it must be) with operands that straddle pages. Each page it touches is taken away in turn: the page fault must
 * find registers, flags, x87 and SSE state, segment registers and memory as before the instruction, with RF set in the saved
 * flags (Vol. 3B, 17.3.1.1); with the page back, the instruction must end as if nothing had happened. A second pass takes
 * all pages away and gives back only the one that faulted.
 *
 * Descriptors come from an LDT in a page of its own, their Accessed bits clear: descriptor fetches and updates fault too.
 * Not here: pages the handler needs itself (GDT, IDT, TSS, ring-0 stack), and REP, which is in restart-rep.spec.ts.
 */
import {
  CR0,
  CR2,
  CR4,
  CR4_OSFXSR,
  EAX,
  ECX,
  EFLAGS,
  EIP,
  ESP,
  FLAG_RF,
  FS,
  GS,
  PHYS_BASE,
  SEG,
  STEP_FAULTED,
} from '@ringfence/sdk';
import { describe, expect, it } from 'vitest';
import { Form } from '../decode/form.js';
import { PENTIUM4 } from '../models.js';
import { opcodeRows } from '../table/index.js';
import type { Operand, OpcodeRow } from '../table/row.js';
import { CODE, FREE, GDT, HANDLERS, IDT, KCODE, KERNEL_STACK, LDT, LDT_SEL, TestMachine } from '../testing/machine.js';

const LDT_CODE = 0x1f;
const LDT_DATA = 0x27;
const STACK_PAGE = (KERNEL_STACK - 1) >>> 12;
const RF = FLAG_RF;
/** What the handler itself needs, and the code. */
const FIXED_PAGES = new Set([0x1, 0x2, 0x3, HANDLERS >>> 12, CODE >>> 12, STACK_PAGE]);

/** Where operands lie: EBX, ESP, EBP; ESI and EDI follow EBX. */
const PLACES = [
  { ebx: 0x21fff, esp: 0x7e002, ebp: 0x76002 },
  { ebx: 0x21ff0, esp: 0x7dffe, ebp: 0x75ffe },
] as const;
type Place = (typeof PLACES)[number];

interface Variant {
  readonly name: string;
  readonly row: OpcodeRow;
  readonly code: readonly number[];
  readonly memory: boolean;
}

const IMMEDIATE: Partial<Record<Operand, (wide: boolean) => number[]>> = {
  Ib: () => [3],
  Ibs: () => [3],
  Jb: () => [3],
  Iw: () => [3, 0],
  Iz: (wide) => (wide ? [3, 0, 0, 0] : [3, 0]),
  Jz: (wide) => (wide ? [3, 0, 0, 0] : [3, 0]),
  Ap: (wide) => (wide ? [3, 0, 0, 0, LDT_CODE, 0] : [3, 0, LDT_CODE, 0]),
};

function encode(row: OpcodeRow, form: Form, memory: boolean, wide: boolean, place: Place): number[] {
  const code: number[] = [];
  if (!wide) code.push(0x66);
  if (row.prefix !== undefined && row.prefix !== 0 && !(row.prefix === 0x66 && !wide)) code.push(row.prefix);
  if (row.map === 2) code.push(0x0f);
  code.push(row.opcode);
  // The reg operand is ECX, DS, CR2 or DR1; the memory operand [EBX], the register operand ECX.
  const reg = row.ext ?? (row.operands.includes('Sw') ? 3 : row.operands.includes('Cd') ? 2 : 1);
  if (form.modrm) code.push((reg << 3) | (memory ? 0x03 : 0xc0 | (row.rm ?? 1)));
  if (row.operands.some((operand) => operand === 'Ob' || operand === 'Ov')) {
    code.push(place.ebx & 0xff, (place.ebx >> 8) & 0xff, place.ebx >>> 16, 0);
  }
  for (const operand of row.operands) code.push(...(IMMEDIATE[operand]?.(wide) ?? []));
  return code;
}

/** Every form of a row: register and memory, both operand sizes. */
function variants(row: OpcodeRow, place: Place): Variant[] {
  const form = new Form(row);
  const all: Variant[] = [];
  for (const memory of [false, true]) {
    for (const wide of [true, false]) {
      const handler = memory ? (wide ? form.m32 : form.m16) : wide ? form.r32 : form.r16;
      if (handler === undefined) continue;
      // A row without a mandatory prefix of its own, in an opcode where prefixes choose, has one size.
      if (!wide && (row.prefix !== undefined || row.fixedSize !== undefined)) continue;
      const code = encode(row, form, memory, wide, place);
      all.push({ name: `${row.mnemonic} ${row.operands.join(',')} ${hex(code)}`, row, code, memory });
    }
  }
  return all;
}

function hex(code: readonly number[]): string {
  return code.map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
}

/** The selector that memory is full of. */
function pattern(row: OpcodeRow): number {
  switch (row.mnemonic) {
    case 'jmpf':
    case 'callf':
    case 'retf':
    case 'iret':
      return LDT_CODE;
    case 'lldt':
      return LDT_SEL;
    case 'ltr':
      return FREE;
    case 'fxrstor':
    case 'ldmxcsr':
      return 0; // reserved bits of MXCSR
    default:
      return LDT_DATA;
  }
}

/** What a few need in ECX. */
const OPERANDS: Readonly<Record<string, { ecx: number }>> = {
  rdmsr: { ecx: 0x175 },
  wrmsr: { ecx: 0x175 },
  rdpmc: { ecx: 0 },
  ltr: { ecx: FREE },
  lldt: { ecx: LDT_SEL },
};

/** Memory but for the TSS, the code and the stack of the handlers. */
const COMPARED = [
  [0, 0x3000],
  [0x3068, CODE],
  [CODE + 0x1000, STACK_PAGE << 12],
  [(STACK_PAGE + 1) << 12, 0x100000],
] as const;

interface Snapshot {
  readonly registers: readonly number[];
  readonly flags: number;
  readonly segments: readonly number[];
  readonly fpu: Int32Array;
  readonly memory: Buffer;
  readonly ports: string;
}

class Bench {
  private readonly m = new TestMachine({ model: PENTIUM4 });
  private readonly ram: Uint8Array;
  private touched = new Set<number>();
  private readonly unmapped = new Set<number>();
  private readonly starts = new Map<string, { state: Int32Array; memory: Buffer }>();
  /** Memory as `prepare` left it, but for the code. */
  private start: Buffer = Buffer.alloc(0);

  constructor() {
    const { m } = this;
    this.ram = new Uint8Array(m.cpu.memory.buffer, PHYS_BASE, m.cpu.memory.ramBytes);
    const translate = m.mmu.translate.bind(m.mmu);
    m.mmu.translate = (linear, access, user) => {
      this.touched.add(linear >>> 12);
      return translate(linear, access, user);
    };
  }

  /** The machine at the instruction. Made once for each ring, place and pattern, then restored. */
  prepare(variant: Variant, place: Place, ring: 0 | 3): void {
    const { m, ram } = this;
    const s = m.s;
    const word = pattern(variant.row);
    const key = `${ring} ${place.ebx} ${word}`;
    for (const page of this.unmapped) m.mmu.setPage(page << 12, {});
    this.unmapped.clear();
    let start = this.starts.get(key);
    if (start === undefined) {
      this.layOut(word, place, ring);
      start = { state: s.slice(), memory: Buffer.from(ram) };
      this.starts.set(key, start);
    }
    this.start = start.memory;
    ram.set(start.memory);
    s.set(start.state);
    m.mmu.load(s[CR0], 0, s[CR4]);
    s[ECX] = OPERANDS[variant.row.mnemonic]?.ecx ?? s[ECX];
    m.poke(CODE, ...variant.code);
    m.cpu.stateChanged();
    m.bus.log.length = 0;
    this.touched = new Set();
  }

  private layOut(word: number, place: Place, ring: 0 | 3): void {
    const { m, ram } = this;
    const s = m.s;
    ram.fill(0);
    m.cpu.reset();
    if (ring === 3) m.userMode();
    else m.protectedMode();
    m.descriptor(LDT, LDT_CODE, 0, 0xfffff, 0xc0fa);
    m.descriptor(LDT, LDT_DATA, 0, 0xfffff, 0xc0f2);
    m.descriptor(GDT, FREE, 0x3000, 0x67, 0x89);
    m.cpu.lldt(LDT_SEL);
    // INT1, INT3 and INTO to handlers at CPL 3: their frames go onto the user stack.
    if (ring === 3) for (const vector of [1, 3, 4]) m.gate(IDT, vector, LDT_CODE, 0x4800, 0xee);
    m.cpu.writeCr0(0x10031);
    m.cpu.writeCr4(CR4_OSFXSR);
    for (const first of [place.ebx, place.ebx + 0x4000, place.ebx + 0x8000, place.esp, place.ebp]) {
      for (let at = first - 0x200; at < first + 0x400; at++) ram[at] = ((at - first) & 1) === 0 ? word : 0;
    }
    s.set([0x270027, 0x270027, 1, place.ebx, place.esp, place.ebp, place.ebx + 0x4000, place.ebx + 0x8000], EAX);
    m.cpu.wrmsr(0x174, KCODE, 0);
    s[EFLAGS] = 0x38c7;
    m.cpu.fpu.w[2] = 3; // TOP: loads and stores both find what they need
    m.cpu.fpu.w[3] = 0x78;
  }

  /** One step; true when it did not fault. */
  private step(): boolean {
    return this.m.cpu.step() !== STEP_FAULTED;
  }

  /** Runs undisturbed: the pages it touched, or undefined when it raises an exception. */
  clean(variant: Variant, place: Place, ring: 0 | 3): { pages: number[]; end: Snapshot } | undefined {
    this.prepare(variant, place, ring);
    if (!this.step()) return undefined;
    const pages = [...this.touched].filter((page) => !FIXED_PAGES.has(page) && page < 256);
    return { pages, end: this.snapshot(Buffer.from(this.ram)) };
  }

  unmap(page: number): void {
    this.m.mmu.unmap(page << 12);
    this.unmapped.add(page);
  }

  before(): Snapshot {
    return this.snapshot(this.start);
  }

  /** Runs into a page fault; the state as the handler would restore it, or undefined when none came. */
  fault(): { state: Snapshot; page: number; rf: boolean } | undefined {
    if (this.step()) return undefined;
    const { m } = this;
    if (m.s[EIP] !== HANDLERS + 14 * 16) throw new Error(`not a page fault: EIP ${m.s[EIP].toString(16)}`);
    const page = m.s[CR2] >>> 12;
    const at = m.s[ESP];
    const rf = (m.peek32(at + 12) & RF) !== 0;
    // Give the page back and return.
    m.mmu.setPage(page << 12, {});
    m.s[ESP] += 4;
    m.s[EIP] += 1;
    m.cpu.stateChanged();
    if (!this.step()) throw new Error('IRET faulted');
    return { state: this.end(), page, rf };
  }

  complete(): boolean {
    return this.step();
  }

  /** As it is now: to be compared before the machine goes on. */
  end(): Snapshot {
    return this.snapshot(Buffer.from(this.ram.buffer, this.ram.byteOffset, this.ram.length));
  }

  private snapshot(memory: Buffer): Snapshot {
    const { m } = this;
    const s = m.s;
    return {
      registers: [...s.slice(EAX, EAX + 8), s[EIP]],
      flags: m.cpu.getEflags() & ~RF,
      segments: [...s.slice(SEG, SEG + (GS + 1) * 4), FS],
      fpu: Int32Array.from(m.cpu.fpu.w),
      memory,
      ports: m.bus.log.join('; '),
    };
  }
}

function differences(a: Snapshot, b: Snapshot, ignoreAccessed: boolean): string {
  const found: string[] = [];
  a.registers.forEach((value, i) => {
    if (value !== b.registers[i]) found.push(`register ${i}: ${value.toString(16)} ${b.registers[i].toString(16)}`);
  });
  if (a.flags !== b.flags) found.push(`flags ${a.flags.toString(16)} ${b.flags.toString(16)}`);
  a.segments.forEach((value, i) => {
    if (value !== b.segments[i]) found.push(`segment word ${i}`);
  });
  a.fpu.forEach((value, i) => {
    if (value !== b.fpu[i]) found.push(`fpu word ${i}`);
  });
  if (a.ports !== b.ports) found.push(`ports ${b.ports}`);
  for (const [from, to] of COMPARED) {
    if (a.memory.compare(b.memory, from, to, from, to) === 0) continue;
    for (let at = from; at < to; at++) {
      if (a.memory[at] === b.memory[at]) continue;
      if (ignoreAccessed && at >= LDT && at < LDT + 0x100 && (a.memory[at] | 1) === b.memory[at]) continue;
      found.push(`memory ${at.toString(16)}`);
      break;
    }
  }
  return found.join(', ');
}

interface Result {
  readonly failures: string[];
  readonly raises: string[];
  injected: number;
}

/** All forms of one row at both places. */
function check(bench: Bench, row: OpcodeRow, result: Result): void {
  const ran = new Map<string, boolean>();
  for (const place of PLACES) {
    for (const variant of variants(row, place)) {
      const ring = bench.clean(variant, place, 3) === undefined ? 0 : 3;
      const clean = bench.clean(variant, place, ring);
      const key = `${variant.row.mnemonic} ${variant.memory ? 'm' : 'r'} ${variant.code.length}`;
      ran.set(key, (ran.get(key) ?? false) || clean !== undefined);
      if (clean === undefined) continue;
      for (const page of clean.pages) {
        if (ring === 0 && page === (place.esp - 1) >>> 12) continue; // the handler's own stack
        bench.prepare(variant, place, ring);
        const before = bench.before();
        bench.unmap(page);
        const where = `${variant.name} at ${place.ebx.toString(16)}, page ${page.toString(16)}`;
        const fault = bench.fault();
        result.injected++;
        if (fault === undefined) {
          result.failures.push(`${where}: no fault`);
          continue;
        }
        if (!fault.rf) result.failures.push(`${where}: RF clear`);
        if (ring === 3) {
          const trace = differences(before, fault.state, true);
          if (trace !== '') result.failures.push(`${where}: left ${trace}`);
        }
        if (!bench.complete()) result.failures.push(`${where}: faulted again`);
        else if (ring === 3) {
          const wrong = differences(clean.end, bench.end(), false);
          if (wrong !== '') result.failures.push(`${where}: ended with ${wrong}`);
        }
      }
      if (clean.pages.length < 2 || ring === 0) continue;
      bench.prepare(variant, place, ring);
      for (const page of clean.pages) bench.unmap(page);
      let faults = 0;
      while (faults <= clean.pages.length && bench.fault() !== undefined) faults++;
      const wrong = differences(clean.end, bench.end(), false);
      if (wrong !== '') result.failures.push(`${variant.name}, page by page: ended with ${wrong}`);
    }
  }
  for (const [name, completed] of ran) if (!completed) result.raises.push(name);
}

/** It raises by nature. */
const ALWAYS_RAISES = new Set(['ud2 r 2', 'ud2 r 3']);

describe('a page fault leaves no trace, and the instruction completes afterwards', () => {
  const bench = new Bench();
  let injected = 0;
  const groups = new Map<string, OpcodeRow[]>();
  for (const row of opcodeRows) {
    const group = `${row.map === 2 ? '0f ' : ''}${(row.opcode >> 4).toString(16)}x`;
    groups.set(group, [...(groups.get(group) ?? []), row]);
  }
  it.each([...groups.keys()].sort())('opcodes %s', (group) => {
    const result: Result = { failures: [], raises: [], injected: 0 };
    for (const row of groups.get(group)!) check(bench, row, result);
    expect(result.failures).toEqual([]);
    expect(result.raises.filter((name) => !ALWAYS_RAISES.has(name))).toEqual([]);
    injected += result.injected;
  });

  it('was really put to the test', () => {
    expect(injected).toBeGreaterThan(1000);
  });
});
