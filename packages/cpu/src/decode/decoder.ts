/**
 * Bytes to `Op`: prefixes, opcode, ModR/M, SIB, displacement, immediates (SDM Vol. 2A, 2.1 "Instruction Format for
 * Protected Mode, Real-Address Mode, and Virtual-8086 Mode"; Vol. 2D, appendix A "Opcode Map"). It reads from an array of
 * bytes and knows no memory: who calls it deals with pages, limits and faults. An encoding that does not exist becomes an
 * operation that raises #UD; one of more than 15 bytes becomes one that raises #GP(0).
 */
import { CS, DS, EAX, EBP, EBX, EDI, ES, ESI, ESP, FS, GS, SS, ZERO } from '@ringfence/sdk';
import { Op, REP_E, REP_NE, REP_NONE, type Handler } from '../op.js';
import type { OpcodeRow } from '../table/row.js';
import {
  IMM_BYTE,
  IMM_FAR,
  IMM_MOFFS,
  IMM_NONE,
  IMM_SBYTE,
  IMM_WORD,
  REG_BYTE,
  REG_DWORD,
  REG_PLAIN,
  REG_V,
  REG_WORD,
  prefixIndex,
  type DecodeTable,
  type Form,
} from './form.js';

export const MAX_INSTRUCTION = 15;

const BAD_ROW: OpcodeRow = { mnemonic: '(bad)', map: 1, opcode: 0, operands: [], handlers: {}, ends: true };
const badOpcode: Handler = (c) => c.ud();
const tooLong: Handler = (c) => c.gp(0);

/** Base and index registers of 16-bit addressing by the r/m field. */
const BASE16 = [EBX, EBX, EBP, EBP, ESI, EDI, EBP, EBX];
const INDEX16 = [ESI, EDI, ESI, EDI, ZERO, ZERO, ZERO, ZERO];
const SEG16 = [DS, DS, SS, SS, DS, DS, SS, DS];

export class Decoder {
  private bytes: Uint8Array = new Uint8Array(0);
  private at = 0;
  private start = 0;
  private stop = 0;
  /** Ran over `stop`: the instruction needs more bytes than there are. */
  private short = false;

  constructor(
    private readonly table: DecodeTable,
    /** What stands before the handlers of sensitive rows, when the core has an assist. */
    private readonly sensitiveGate: ((row: OpcodeRow) => Handler) | undefined,
  ) {}

  /**
   * Decodes the instruction at `bytes[at]`; `stop` bounds what may be read. Answers undefined when the instruction goes
   * beyond `stop`. `mode`: 1 for 32-bit code.
   */
  decode(bytes: Uint8Array, at: number, stop: number, mode: number): Op | undefined {
    this.bytes = bytes;
    this.at = at;
    this.start = at;
    this.stop = Math.min(stop, at + MAX_INSTRUCTION);
    this.short = false;
    const op = this.instruction(mode);
    if (!this.short) {
      op.length = this.at - at;
      return op;
    }
    if (stop - at < MAX_INSTRUCTION) return undefined;
    const long = new Op(BAD_ROW, tooLong);
    long.length = MAX_INSTRUCTION;
    return long;
  }

  private byte(): number {
    if (this.at >= this.stop) {
      this.short = true;
      return 0;
    }
    return this.bytes[this.at++];
  }

  private word(): number {
    const low = this.byte();
    return low | (this.byte() << 8);
  }

  private dword(): number {
    const low = this.word();
    return low | (this.word() << 16);
  }

  private instruction(mode: number): Op {
    let wide = mode === 1;
    let mask = mode === 1 ? -1 : 0xffff;
    let override = -1;
    let rep = REP_NONE;
    let lock = false;
    let prefix = 0;
    let opcode = 0;
    for (;;) {
      opcode = this.byte();
      if (this.short) return this.bad();
      if (opcode === 0x66) {
        wide = mode !== 1;
        if (prefix === 0) prefix = 0x66;
      } else if (opcode === 0x67) mask = mode === 1 ? 0xffff : -1;
      else if (opcode === 0x26) override = ES;
      else if (opcode === 0x2e) override = CS;
      else if (opcode === 0x36) override = SS;
      else if (opcode === 0x3e) override = DS;
      else if (opcode === 0x64) override = FS;
      else if (opcode === 0x65) override = GS;
      else if (opcode === 0xf0) lock = true;
      else if (opcode === 0xf2 || opcode === 0xf3) {
        rep = opcode === 0xf3 ? REP_E : REP_NE;
        prefix = opcode;
      } else break;
    }
    let index = opcode;
    if (opcode === 0x0f) index = 256 + this.byte();
    let entry = this.table[index];
    if (entry?.byPrefix !== undefined) entry = entry.byPrefix[prefixIndex(prefix)];
    if (entry === undefined) return this.bad();

    let modrm = 0;
    let form: Form | undefined;
    let memory = false;
    if (entry.modrm) {
      modrm = this.byte();
      memory = modrm < 0xc0 && !entry.alwaysRegister;
      const reg = (modrm >> 3) & 7;
      form = memory ? entry.memoryForms[reg] : (entry.rmForms[modrm & 0x3f] ?? entry.registerForms[reg]);
    } else {
      form = entry.registerForms[0] ?? entry.memoryForms[0];
      memory = form !== undefined && form.imm === IMM_MOFFS;
    }
    if (form === undefined) return this.bad();
    if (form.fixedSize !== 0) wide = form.fixedSize === 32;
    const handler = memory ? (wide ? form.m32 : form.m16) : wide ? form.r32 : form.r16;
    if (handler === undefined) return this.bad();
    // LOCK where it may not stand: #UD, but only once the whole instruction could be fetched.
    const refused = lock && !(form.lockable && memory);
    const op = refused ? new Op(BAD_ROW, badOpcode) : new Op(form.row, handler);
    op.wide = wide;
    op.mask = mask;
    op.lock = lock;
    op.mem = memory;
    if (form.string) op.rep = rep;
    if (form.modrm) {
      if (memory) this.memoryOperand(op, modrm, mask);
      else op.dst = registerIndex(form.rm, modrm & 7, wide);
      op.src = registerIndex(form.reg, (modrm >> 3) & 7, wide);
    } else if (form.opcodeReg !== 0) {
      op.dst = registerIndex(form.opcodeReg, index & 7, wide);
    }
    if (override >= 0) op.seg = override;
    if (form.imm !== IMM_NONE) this.immediate(op, form);
    if (form.escape) op.imm = ((opcode & 7) << 8) | modrm;
    if (form.sensitive && !refused && this.sensitiveGate !== undefined) op.exec = this.sensitiveGate(form.row);
    return op;
  }

  private memoryOperand(op: Op, modrm: number, mask: number): void {
    const mod = modrm >> 6;
    const rm = modrm & 7;
    if (mask === 0xffff) {
      if (mod === 0 && rm === 6) {
        op.disp = this.word();
        return;
      }
      op.base = BASE16[rm];
      op.index = INDEX16[rm];
      op.seg = SEG16[rm];
      if (mod === 1) op.disp = (this.byte() << 24) >> 24;
      else if (mod === 2) op.disp = this.word();
      return;
    }
    let base = rm;
    if (rm === 4) {
      const sib = this.byte();
      base = sib & 7;
      const scaled = (sib >> 3) & 7;
      if (scaled !== 4) {
        op.index = scaled;
        op.scale = sib >> 6;
      }
    }
    if (base === 5 && mod === 0) {
      op.disp = this.dword();
      return;
    }
    op.base = EAX + base;
    if (base === ESP || base === EBP) op.seg = SS;
    if (mod === 1) op.disp = (this.byte() << 24) >> 24;
    else if (mod === 2) op.disp = this.dword();
  }

  private immediate(op: Op, form: Form): void {
    switch (form.imm) {
      case IMM_BYTE:
        op.imm = this.byte();
        break;
      case IMM_SBYTE:
        op.imm = (this.byte() << 24) >> 24;
        break;
      case IMM_WORD:
        op.imm = this.word();
        break;
      case IMM_FAR:
        op.imm = op.wide ? this.dword() : this.word();
        op.imm2 = this.word();
        break;
      case IMM_MOFFS:
        op.disp = op.mask === -1 ? this.dword() : this.word();
        break;
      default:
        op.imm = op.wide ? this.dword() : (this.word() << 16) >> 16;
    }
    if (form.imm2 !== IMM_NONE) op.imm2 = this.byte();
  }

  /** An encoding that does not exist: as long as what was read of it so far. */
  private bad(): Op {
    return new Op(BAD_ROW, badOpcode);
  }
}

function registerIndex(kind: number, number: number, wide: boolean): number {
  switch (kind) {
    case REG_BYTE:
      return number < 4 ? number * 4 : (number - 4) * 4 + 1;
    case REG_WORD:
      return number * 2;
    case REG_V:
      return wide ? number : number * 2;
    case REG_DWORD:
    case REG_PLAIN:
      return number;
    default:
      return 0;
  }
}
