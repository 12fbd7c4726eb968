/**
 * A whole core for specs of everything beyond single handlers: 1 MiB of RAM, FlatMmu (linear = physical, pages can be made
 * to fault), FakeBus, P6. `protectedMode` lays out a small system: GDT, IDT whose handlers all halt, one TSS, code and
 * data segments of ring 0 and ring 3, stacks. Code is given as bytes.
 *
 *   1000h GDT   2000h IDT   3000h TSS   4000h handlers (one HLT per vector, 16 bytes apart)   6000h LDT
 *   10000h code   20000h data   80000h ring-3 stack top   90000h ring-0 stack top
 */
import {
  CPL,
  CR0,
  CS,
  DS,
  EFLAGS,
  EIP,
  ES,
  ESP,
  FS,
  GS,
  HALTED,
  PHYS_BASE,
  SEG,
  SS,
  STOP_HALT,
  type Assist,
  type CpuModel,
} from '@ringfence/sdk';
import { FakeBus, FlatMmu, makeMemory } from '@ringfence/testkit';
import { Cpu } from '../cpu.js';
import { P6 } from '../models.js';

export const GDT = 0x1000;
export const IDT = 0x2000;
export const TSS = 0x3000;
export const HANDLERS = 0x4000;
export const LDT = 0x6000;
export const CODE = 0x10000;
export const DATA = 0x20000;
export const USER_STACK = 0x80000;
export const KERNEL_STACK = 0x90000;

// Selectors of the standard GDT
export const KCODE = 0x08;
export const KDATA = 0x10;
export const UCODE = 0x1b;
export const UDATA = 0x23;
export const TSS_SEL = 0x28;
export const LDT_SEL = 0x30;
/** First free GDT entry. */
export const FREE = 0x38;

export interface MachineOptions {
  readonly model?: CpuModel;
  readonly assist?: Assist;
}

/** What an exception frame on the ring-0 stack says, once a handler has halted. */
export interface Frame {
  readonly vector: number;
  readonly errorCode?: number;
  readonly eip: number;
  readonly cs: number;
  readonly flags: number;
  readonly esp?: number;
  readonly ss?: number;
}

const WITH_CODE = new Set([8, 10, 11, 12, 13, 14, 17]);

export class TestMachine {
  readonly bus = new FakeBus();
  readonly mmu: FlatMmu;
  readonly cpu: Cpu;
  private readonly bytesOf: Uint8Array;
  private readonly view: DataView;

  constructor(options: MachineOptions = {}) {
    const { memory, space } = makeMemory();
    this.mmu = new FlatMmu(memory, space);
    this.cpu = new Cpu({
      memory,
      space,
      mmu: this.mmu,
      bus: this.bus,
      slot: 0,
      model: options.model ?? P6,
      assist: options.assist ?? 'none',
    });
    this.bytesOf = memory.ram();
    this.view = new DataView(memory.buffer, PHYS_BASE, memory.ramBytes);
    this.bus.time = () => this.cpu.retired();
  }

  get s(): Int32Array {
    return this.cpu.state;
  }

  poke(at: number, ...bytes: readonly number[]): void {
    this.cpu.memory.writeBytes(at, Uint8Array.from(bytes));
  }

  poke16(at: number, value: number): void {
    this.poke(at, value & 0xff, (value >> 8) & 0xff);
  }

  poke32(at: number, value: number): void {
    this.poke16(at, value);
    this.poke16(at + 2, value >>> 16);
  }

  peek8(at: number): number {
    return this.bytesOf[at];
  }

  peek16(at: number): number {
    return this.view.getUint16(at, true);
  }

  peek32(at: number): number {
    return this.view.getUint32(at, true);
  }

  /** Writes a descriptor; `access` in the AR_* layout (type, S, DPL, P, AVL, D/B, G), limit in the descriptor's own unit. */
  descriptor(table: number, selector: number, base: number, limit: number, access: number): void {
    const at = table + (selector & 0xfff8);
    this.poke32(at, (limit & 0xffff) | (base << 16));
    const high = ((base >>> 16) & 0xff) | ((access & 0xf0ff) << 8) | (limit & 0xf0000) | (base & 0xff000000);
    this.poke32(at + 4, high);
  }

  /** A gate: `type` with P and DPL, like 8Eh for a 32-bit interrupt gate. */
  gate(table: number, index: number, selector: number, offset: number, type: number, parameters = 0): void {
    this.poke32(table + index * 8, (offset & 0xffff) | (selector << 16));
    this.poke32(table + index * 8 + 4, (offset & 0xffff0000) | (type << 8) | parameters);
  }

  /** The system described above, at CPL 0 with CS:EIP = 8:CODE. */
  protectedMode(): this {
    const { cpu, s } = this;
    this.descriptor(GDT, KCODE, 0, 0xfffff, 0xc09b);
    this.descriptor(GDT, KDATA, 0, 0xfffff, 0xc093);
    this.descriptor(GDT, UCODE, 0, 0xfffff, 0xc0fb);
    this.descriptor(GDT, UDATA, 0, 0xfffff, 0xc0f3);
    this.descriptor(GDT, TSS_SEL, TSS, 0x67, 0x0089);
    this.descriptor(GDT, LDT_SEL, LDT, 0xff, 0x0082);
    for (let vector = 0; vector < 64; vector++) {
      this.gate(IDT, vector, KCODE, HANDLERS + vector * 16, 0x8e);
      this.poke(HANDLERS + vector * 16, 0xf4, 0xcf);
    }
    this.poke32(TSS + 4, KERNEL_STACK);
    this.poke32(TSS + 8, KDATA);
    this.poke16(TSS + 0x66, 0x68);
    s[CR0] = 0x11;
    cpu.mmu.load(0x11, 0, 0);
    cpu.lgdt(GDT, 0xff);
    cpu.lidt(IDT, 64 * 8 - 1);
    s[CPL] = 0;
    s[EFLAGS] = 2;
    this.flatSegment(CS, KCODE, 0xc09b);
    for (const seg of [SS, DS, ES, FS, GS]) this.flatSegment(seg, KDATA, 0xc093);
    s[ESP] = KERNEL_STACK;
    s[EIP] = CODE;
    cpu.stateChanged();
    cpu.ltr(TSS_SEL);
    return this;
  }

  /** As `protectedMode`, at CPL 3. */
  userMode(): this {
    this.protectedMode();
    const { cpu, s } = this;
    s[CPL] = 3;
    this.flatSegment(CS, UCODE, 0xc0fb);
    for (const seg of [SS, DS, ES, FS, GS]) this.flatSegment(seg, UDATA, 0xc0f3);
    s[ESP] = USER_STACK;
    cpu.stateChanged();
    return this;
  }

  /** Real mode at 0:CODE... in a segment of its own: CS = 1000h, IP = 0; IVT at 0 whose handlers halt. */
  realMode(): this {
    const { cpu, s } = this;
    for (let vector = 0; vector < 256; vector++) {
      this.poke16(vector * 4, HANDLERS + (vector & 63) * 16);
      this.poke16(vector * 4 + 2, 0);
      this.poke(HANDLERS + (vector & 63) * 16, 0xf4, 0xcf);
    }
    s[CR0] = 0x10;
    cpu.lidt(0, 0x3ff);
    this.segment(CS, CODE >> 4, CODE, 0xffff, 0x93);
    for (const seg of [SS, DS, ES, FS, GS]) this.segment(seg, DATA >> 4, DATA, 0xffff, 0x93);
    s[EIP] = 0;
    s[ESP] = 0x8000;
    cpu.stateChanged();
    return this;
  }

  segment(seg: number, selector: number, base: number, limit: number, access: number): void {
    this.s.set([selector, base, limit, access], SEG + seg * 4);
  }

  private flatSegment(seg: number, selector: number, access: number): void {
    this.segment(seg, selector, 0, -1, access);
  }

  selector(seg: number): number {
    return this.s[SEG + seg * 4];
  }

  /** Puts code at CODE, runs until a HLT; fails after 10000 instructions. */
  runToHalt(...code: readonly number[]): this {
    this.poke(CODE, ...code);
    const stop = this.cpu.run(10000);
    if (stop !== STOP_HALT) throw new Error(`expected HLT, stopped with ${stop} at EIP ${this.s[EIP].toString(16)}`);
    return this;
  }

  /** Runs code that must end in a handler of `protectedMode`; answers the frame it left. */
  trap(...code: readonly number[]): Frame {
    return this.runToHalt(...code).frame();
  }

  /** The exception frame, when the core halted in a handler on the ring-0 stack. */
  frame(): Frame {
    const { s } = this;
    const vector = (s[EIP] - 1 - HANDLERS) >> 4;
    if (s[HALTED] !== 1 || vector < 0 || vector > 63) throw new Error(`not in a handler: EIP ${s[EIP].toString(16)}`);
    let at = s[ESP];
    const errorCode = WITH_CODE.has(vector) ? this.peek32(at) : undefined;
    if (errorCode !== undefined) at += 4;
    const cs = this.peek32(at + 4);
    const flags = this.peek32(at + 8);
    const outer =
      (cs & 3) !== 0 || (flags & 0x20000) !== 0 ? { esp: this.peek32(at + 12), ss: this.peek32(at + 16) } : {};
    return { vector, ...(errorCode === undefined ? {} : { errorCode }), eip: this.peek32(at), cs, flags, ...outer };
  }
}
