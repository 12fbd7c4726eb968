/**
 * Limit and rights of a segment hold for every memory access of every instruction (SDM Vol. 3A, 5.3 "Limit Checking", 5.5
 * "Privilege Levels" and 3.4.5.1 "Code- and Data-Segment Descriptor Types"). Driven by the opcode table: each memory form is
 * executed with its operand ending exactly at the limit, and one byte beyond; through segments that do not grant what it
 * does. How many bytes an instruction touches, where and how is iced-x86's word, not ours.
 */
import { CS, DS, EAX, EBP, EBX, ECX, EDI, EDX, ES, ESI, ESP, FS, GS, SS, VEC_GP, VEC_SS } from '@ringfence/sdk';
import {
  Decoder,
  DecoderOptions,
  InstructionInfoFactory,
  MemorySizeExt,
  OpAccess,
  Register,
  type UsedMemory,
} from 'iced-x86';
import { describe, expect, it } from 'vitest';
import { PENTIUM4 } from '../models.js';
import { opcodeRows } from '../table/index.js';
import type { Operand, OpcodeRow } from '../table/row.js';
import { BenchCpu } from '../testing/bench-cpu.js';

const BASE = 0x20000;
/** Offset of every operand: aligned for whatever wants it. */
const AT = 0x400;
const STACK = 0x800;
const FLAT_CODE = 0xc09b;
const RW = 0x4093;
const READ_ONLY = 0x4091;
const EXECUTE_ONLY = 0x4099;
const UNUSABLE = 0x10000;

const IMMEDIATES: Partial<Record<Operand, number>> = { Ib: 1, Ibs: 1, Jb: 1, Iw: 2, Iz: 4, Jz: 4, Ap: 6, Ob: 4, Ov: 4 };
const MEMORY: ReadonlySet<Operand> = new Set<Operand>([
  ...(['Eb', 'Ew', 'Ev', 'Ed', 'M', 'Mb', 'Mw', 'Md', 'Mq', 'Mp', 'Ma', 'Ms', 'Mdq'] as const),
  ...(['Qq', 'Qd', 'Wdq', 'Wps', 'Wpd', 'Wss', 'Wsd', 'Wq'] as const),
]);
const MODRM: ReadonlySet<string> = new Set([
  'Gb',
  'Gw',
  'Gv',
  'Gd',
  'Sw',
  'Pq',
  'Pd',
  'Vdq',
  'Vps',
  'Vpd',
  'Vss',
  'Vsd',
  'Vq',
]);

interface Form {
  readonly name: string;
  readonly row: OpcodeRow;
  readonly wide: boolean;
  readonly bytes: number[];
  readonly uses: readonly Use[];
}

/** One stretch of memory that an instruction uses. */
interface Use {
  readonly segment: number;
  readonly first: number;
  readonly size: number;
  readonly reads: boolean;
  readonly writes: boolean;
}

const REGISTERS = new Map<Register, number>([
  [Register.EAX, EAX],
  [Register.ECX, ECX],
  [Register.EDX, EDX],
  [Register.EBX, EBX],
  [Register.ESP, ESP],
  [Register.EBP, EBP],
  [Register.ESI, ESI],
  [Register.EDI, EDI],
]);
const SEGMENTS = new Map<Register, number>([
  [Register.ES, ES],
  [Register.SS, SS],
  [Register.DS, DS],
  [Register.FS, FS],
  [Register.GS, GS],
]);
/** AL indexes XLAT's table, ECX is BT's bit offset: both small. */
const VALUES: Readonly<Record<number, number>> = {
  [EAX]: 1,
  [ECX]: 3,
  [EDX]: 0,
  [EBX]: AT,
  [ESP]: STACK,
  [EBP]: STACK,
  [ESI]: AT,
  [EDI]: AT,
};

/** Bytes of a row's memory form with operand [EBX], or its only form. */
function encode(row: OpcodeRow, wide: boolean): number[] {
  const bytes: number[] = row.prefix === undefined || row.prefix === 0 ? [] : [row.prefix];
  if (!wide) bytes.push(0x66);
  if (row.map === 2) bytes.push(0x0f);
  bytes.push(row.opcode);
  const modrm = row.ext !== undefined || row.operands.some((o) => MEMORY.has(o) || MODRM.has(o));
  // The register operand is number 1: ECX, CX, CL, MM1, XMM1; DS for MOV Sreg would be 3.
  const reg = row.ext ?? (row.operands.includes('Sw') ? GS : 1);
  if (modrm) bytes.push((reg << 3) | 3);
  for (const operand of row.operands) {
    let count = IMMEDIATES[operand] ?? 0;
    if (!wide && (operand === 'Iz' || operand === 'Jz')) count = 2;
    if (operand === 'Ob' || operand === 'Ov') bytes.push(AT & 0xff, AT >> 8, 0, 0);
    else for (let i = 0; i < count; i++) bytes.push(i === 0 ? 1 : 0);
  }
  return bytes;
}

const factory = new InstructionInfoFactory();
const READS = new Set([OpAccess.Read, OpAccess.CondRead, OpAccess.ReadWrite, OpAccess.ReadCondWrite]);
const WRITES = new Set([OpAccess.Write, OpAccess.CondWrite, OpAccess.ReadWrite, OpAccess.ReadCondWrite]);

function use(memory: UsedMemory): Use | undefined {
  const segment = SEGMENTS.get(memory.segment);
  const size = MemorySizeExt.size(memory.memorySize);
  const reads = READS.has(memory.access);
  const writes = WRITES.has(memory.access);
  if (segment === undefined || size === 0 || (!reads && !writes)) return undefined;
  const value = (register: Register) => (register === Register.None ? 0 : VALUES[REGISTERS.get(register) ?? EAX]);
  const index = memory.index === Register.None ? 0 : value(memory.index) * memory.scale;
  const first = Number(BigInt.asIntN(32, memory.displacement)) + value(memory.base) + index;
  return { segment, first, size, reads, writes };
}

function usesOf(bytes: readonly number[]): Use[] {
  const decoder = new Decoder(32, Uint8Array.from(bytes), DecoderOptions.None);
  const instruction = decoder.decode();
  const info = factory.info(instruction);
  const uses = info.usedMemory().map(use);
  info.free();
  instruction.free();
  decoder.free();
  return uses.filter((found) => found !== undefined);
}

/**
 * What iced-x86 does not say as we need it. Far pointers and gates go on to other memory; ENTER and the tasks have specs of
 * their own; POP m writes through ESP after the pop.
 */
const ELSEWHERE: ReadonlySet<string> = new Set([
  'enter',
  'leave',
  'iret',
  'retf',
  'callf',
  'jmpf',
  'int',
  'into',
  'int3',
  'int1',
  'sysenter',
  'sysexit',
]);

function forms(): Form[] {
  const found: Form[] = [];
  for (const row of opcodeRows) {
    if (ELSEWHERE.has(row.mnemonic) || row.operands.includes('ST')) continue;
    const { m16, m32, r16, r32 } = row.handlers;
    const modrm = row.operands.some((o) => MEMORY.has(o));
    for (const wide of [true, false]) {
      if (row.fixedSize === 16 && wide) continue;
      if (!wide && (row.prefix !== undefined || row.fixedSize === 32)) continue;
      const handler = wide ? (modrm ? m32 : (m32 ?? r32)) : modrm ? (m16 ?? m32) : (m16 ?? m32 ?? r16 ?? r32);
      if (handler === undefined) continue;
      const bytes = encode(row, wide);
      const uses = usesOf(bytes);
      if (uses.length === 0) continue;
      const digits = bytes.map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
      found.push({ name: `${row.mnemonic} ${row.operands.join(',')} (${digits})`, row, wide, bytes, uses });
    }
  }
  return found;
}

/** Operands whose contents would otherwise raise #GP(0) by themselves. */
const ZEROED: ReadonlySet<string> = new Set(['fxrstor', 'ldmxcsr']);

function bench(form: Form): BenchCpu {
  const c = new BenchCpu(PENTIUM4);
  for (const [register, value] of Object.entries(VALUES)) c.s[Number(register)] = value;
  c.setSegment(CS, 0, 0xffffffff, FLAT_CODE);
  for (const seg of [ES, SS, DS, FS, GS]) c.setSegment(seg, BASE, 0xffff, RW);
  c.writeCr4(0x600); // OSFXSR, OSXMMEXCPT
  c.fpu.init();
  if (!ZEROED.has(form.row.mnemonic)) c.poke(BASE, ...new Array<number>(0x1000).fill(1));
  return c;
}

function outcome(c: BenchCpu, form: Form): string {
  const before = [...c.s.subarray(0, 8)];
  const vector = c.one(...form.bytes);
  if (vector === -1) return 'done';
  expect([...c.s.subarray(0, 8)], `${form.name}: registers after a fault`).toEqual(before);
  return `#${vector}(${c.faultError})`;
}

const violation = (segment: number) => `#${segment === SS ? VEC_SS : VEC_GP}(0)`;
const all = forms();

describe(`every memory access of the table (${all.length} forms)`, () => {
  it('covers the table', () => {
    expect(all.length).toBeGreaterThan(700);
  });

  it('may end at the limit, and not one byte beyond', () => {
    const wrong: string[] = [];
    for (const form of all) {
      const free = outcome(bench(form), form);
      for (const { segment, first, size } of form.uses) {
        if (first < 0) continue;
        // Another use of the same segment that lies higher decides on its own.
        if (form.uses.some((other) => other.segment === segment && other.first + other.size > first + size)) continue;
        const fits = bench(form);
        fits.setSegment(segment, BASE, first + size - 1, RW);
        const at = outcome(fits, form);
        if (at !== free) wrong.push(`${form.name}: at the limit ${at}, without ${free}`);
        const beyond = bench(form);
        beyond.setSegment(segment, BASE, first + size - 2, RW);
        const over = outcome(beyond, form);
        if (over !== violation(segment)) wrong.push(`${form.name}: one byte beyond ${over}`);
      }
    }
    expect(wrong).toEqual([]);
  });

  it('may not begin at or below the limit of an expand-down segment', () => {
    const wrong: string[] = [];
    for (const form of all) {
      const free = outcome(bench(form), form);
      for (const { segment, first } of form.uses) {
        if (first <= 0 || form.uses.some((other) => other.segment === segment && other.first < first)) continue;
        const fits = bench(form);
        fits.setSegment(segment, BASE, first - 1, RW | 4);
        const above = outcome(fits, form);
        if (above !== free) wrong.push(`${form.name}: above the limit ${above}, without ${free}`);
        const beyond = bench(form);
        beyond.setSegment(segment, BASE, first, RW | 4);
        const below = outcome(beyond, form);
        if (below !== violation(segment)) wrong.push(`${form.name}: at the limit ${below}`);
      }
    }
    expect(wrong).toEqual([]);
  });

  it('needs the right to do it', () => {
    const wrong: string[] = [];
    for (const form of all) {
      for (const { segment, reads, writes } of form.uses) {
        if (segment === SS) continue; // a stack segment is always writable data
        const cases: [string, number][] = [['null', UNUSABLE]];
        if (writes) cases.push(['read-only', READ_ONLY]);
        if (writes) cases.push(['readable code', 0x409b]);
        // CLFLUSH may name an execute-only segment (SDM Vol. 2, "CLFLUSH—Flush Cache Line").
        if (reads && !form.name.includes('(0f ae 3b)')) cases.push(['execute-only', EXECUTE_ONLY]);
        for (const [name, access] of cases) {
          const c = bench(form);
          c.setSegment(segment, BASE, 0xffff, access);
          const found = outcome(c, form);
          if (found !== violation(segment)) wrong.push(`${form.name}: ${name} ${found}`);
        }
        if (reads && !writes) {
          const c = bench(form);
          const free = outcome(bench(form), form);
          c.setSegment(segment, BASE, 0xffff, READ_ONLY);
          if (form.uses.every((other) => !other.writes || other.segment !== segment)) {
            const found = outcome(c, form);
            if (found !== free) wrong.push(`${form.name}: read-only ${found}, without ${free}`);
          }
        }
      }
    }
    expect(wrong).toEqual([]);
  });
});
