/**
 * Opcode rows prepared for decoding: what bytes follow the opcode, where each operand goes in an `Op`, which handler serves
 * which size. Made once per processor model from the rows of table/index.ts; rows of a later instruction set or of a
 * CPUID feature the model lacks are left out, so their opcodes raise #UD.
 */
import type { CpuModel } from '@ringfence/sdk';
import type { Handler } from '../op.js';
import type { Operand, OpcodeRow } from '../table/row.js';

/** How a register number becomes an operand index. */
export const REG_NONE = 0;
export const REG_BYTE = 1;
export const REG_WORD = 2;
/** By operand size. */
export const REG_V = 3;
export const REG_DWORD = 4;
/** The number itself: segment, control, debug registers. */
export const REG_PLAIN = 5;

export const IMM_NONE = 0;
export const IMM_BYTE = 1;
export const IMM_SBYTE = 2;
export const IMM_WORD = 3;
export const IMM_Z = 4;
export const IMM_FAR = 5;
export const IMM_MOFFS = 6;

const RM: Partial<Record<Operand, number>> = {
  Eb: REG_BYTE,
  Ew: REG_WORD,
  Ev: REG_V,
  Ed: REG_DWORD,
  ST: REG_PLAIN,
  M: REG_NONE,
  Mb: REG_NONE,
  Mw: REG_NONE,
  Md: REG_NONE,
  Mq: REG_NONE,
  Mp: REG_NONE,
  Ma: REG_NONE,
  Ms: REG_NONE,
  Mdq: REG_NONE,
  Qq: REG_PLAIN,
  Qd: REG_PLAIN,
  Nq: REG_PLAIN,
  Wdq: REG_PLAIN,
  Wps: REG_PLAIN,
  Wpd: REG_PLAIN,
  Wss: REG_PLAIN,
  Wsd: REG_PLAIN,
  Wq: REG_PLAIN,
  Udq: REG_PLAIN,
  Ups: REG_PLAIN,
  Upd: REG_PLAIN,
};
const REG: Partial<Record<Operand, number>> = {
  Gb: REG_BYTE,
  Gw: REG_WORD,
  Gv: REG_V,
  Gd: REG_DWORD,
  Sw: REG_PLAIN,
  Cd: REG_PLAIN,
  Dd: REG_PLAIN,
  Pq: REG_PLAIN,
  Pd: REG_PLAIN,
  Vdq: REG_PLAIN,
  Vps: REG_PLAIN,
  Vpd: REG_PLAIN,
  Vss: REG_PLAIN,
  Vsd: REG_PLAIN,
  Vq: REG_PLAIN,
};
const IN_OPCODE: Partial<Record<Operand, number>> = { Zb: REG_BYTE, Zv: REG_V };
const IMM: Partial<Record<Operand, number>> = {
  Ib: IMM_BYTE,
  Ibs: IMM_SBYTE,
  Jb: IMM_SBYTE,
  Iw: IMM_WORD,
  Iz: IMM_Z,
  Jz: IMM_Z,
  Ap: IMM_FAR,
  Ob: IMM_MOFFS,
  Ov: IMM_MOFFS,
};

export class Form {
  readonly row: OpcodeRow;
  readonly modrm: boolean;
  /** Kind of the r/m register operand, or of the register in the opcode. */
  readonly rm: number = REG_NONE;
  readonly reg: number = REG_NONE;
  readonly opcodeReg: number = REG_NONE;
  readonly imm: number = IMM_NONE;
  readonly imm2: number = IMM_NONE;
  readonly r16: Handler | undefined;
  readonly r32: Handler | undefined;
  readonly m16: Handler | undefined;
  readonly m32: Handler | undefined;
  /** 0, or the operand size that prefixes cannot change. */
  readonly fixedSize: number;
  readonly string: boolean;
  readonly lockable: boolean;
  readonly ends: boolean;
  readonly sensitive: boolean;
  /** D8..DF: `Op.imm` gets the eleven opcode bits that the x87 remembers. */
  readonly escape: boolean;

  constructor(row: OpcodeRow) {
    this.row = row;
    let modrm = row.ext !== undefined;
    for (const operand of row.operands) {
      if (RM[operand] !== undefined) {
        this.rm = RM[operand];
        modrm = true;
      } else if (REG[operand] !== undefined) {
        this.reg = REG[operand];
        modrm = true;
      } else if (IN_OPCODE[operand] !== undefined) {
        this.opcodeReg = IN_OPCODE[operand];
      } else if (IMM[operand] !== undefined) {
        if (this.imm === IMM_NONE) this.imm = IMM[operand];
        else this.imm2 = IMM[operand];
      }
    }
    this.modrm = modrm;
    const h = row.handlers;
    this.r32 = h.r32;
    this.r16 = h.r16 ?? h.r32;
    this.m32 = h.m32;
    this.m16 = h.m16 ?? h.m32;
    this.fixedSize = row.fixedSize ?? 0;
    this.string = row.string ?? false;
    this.lockable = row.lockable ?? false;
    this.ends = row.ends ?? false;
    this.sensitive = row.sensitive ?? false;
    this.escape = row.map === 1 && (row.opcode & 0xf8) === 0xd8;
  }
}

/** Index of a mandatory prefix in `Entry.byPrefix`. */
export function prefixIndex(prefix: number): number {
  return prefix === 0xf3 ? 3 : prefix === 0xf2 ? 2 : prefix === 0x66 ? 1 : 0;
}

/** What the decoder finds under one opcode byte. */
export class Entry {
  modrm = false;
  /** MOV to and from control and debug registers: the mod field is ignored. */
  alwaysRegister = false;
  /** By the reg field, for register and memory forms; index 0 alone when there is no ModR/M. */
  readonly registerForms: (Form | undefined)[] = new Array<Form | undefined>(8).fill(undefined);
  readonly memoryForms: (Form | undefined)[] = new Array<Form | undefined>(8).fill(undefined);
  /** Register forms that the r/m field tells apart, by reg * 8 + r/m; they win over `registerForms`. */
  readonly rmForms: (Form | undefined)[] = [];
  /** Where a mandatory prefix chooses the instruction: the entry for each, by `prefixIndex`. */
  byPrefix: (Entry | undefined)[] | undefined;

  /** The entry that takes a row. */
  place(row: OpcodeRow): Entry {
    if (row.prefix === undefined) return this;
    this.byPrefix ??= [undefined, undefined, undefined, undefined];
    return (this.byPrefix[prefixIndex(row.prefix)] ??= new Entry());
  }

  add(form: Form): void {
    const ext = form.row.ext;
    this.modrm ||= form.modrm;
    this.alwaysRegister ||= form.row.operands.some((operand) => operand === 'Cd' || operand === 'Dd');
    const hasRegister = form.r32 !== undefined || form.r16 !== undefined;
    const hasMemory = form.m32 !== undefined || form.m16 !== undefined;
    for (let reg = 0; reg < 8; reg++) {
      if (ext !== undefined && ext !== reg) continue;
      if (hasRegister) {
        if (form.row.rm !== undefined) this.rmForms[reg * 8 + form.row.rm] ??= form;
        else this.registerForms[reg] ??= form;
      }
      if (hasMemory) this.memoryForms[reg] ??= form;
    }
  }
}

/** Entries 0..255: the one-byte map; 256..511: the 0F map. */
export type DecodeTable = readonly (Entry | undefined)[];

/** Builds the decode table of a model. */
export function buildTable(rows: readonly OpcodeRow[], model: CpuModel): DecodeTable {
  const table = new Array<Entry | undefined>(512).fill(undefined);
  const features = model.features as Readonly<Record<string, boolean>>;
  for (const row of rows) {
    if ((row.isa ?? 3) > model.isa) continue;
    if (row.feature !== undefined && features[row.feature] !== true) continue;
    const index = (row.map - 1) * 256 + row.opcode;
    const form = new Form(row);
    (table[index] ??= new Entry()).place(row).add(form);
    // A register in the opcode takes eight opcodes in a row.
    if (form.opcodeReg === REG_NONE) continue;
    for (let i = 1; i < 8 && (row.opcode & 7) === 0; i++) (table[index + i] ??= new Entry()).add(form);
  }
  return table;
}
