/**
 * A core on a bench, for specs of handlers: 1 MiB of RAM, no paging, flat 32-bit segments, and `one(bytes)` that decodes and
 * executes one instruction without fetching it or delivering its fault. `run` and `step` are the core's own.
 */
import {
  CPL,
  CR0,
  CR0_PE,
  EFLAGS,
  EIP,
  ES,
  GS,
  PHYS_BASE,
  SEG,
  SEG_ACCESS,
  SEG_BASE,
  SEG_LIMIT,
  LAZY_OP,
  type CpuModel,
} from '@ringfence/sdk';
import { FakeBus, FlatMmu, makeMemory } from '@ringfence/testkit';
import { Cpu } from '../cpu.js';
import { Decoder } from '../decode/decoder.js';
import { buildTable } from '../decode/form.js';
import { GuestFault } from '../core/fault.js';
import { getEflags } from '../flags.js';
import { P6 } from '../models.js';
import type { Op } from '../op.js';
import { refreshAll } from '../segments/derived.js';
import { rowsOf } from '../table/index.js';

const ACCESS_DATA32 = 0xc093;

export class BenchCpu extends Cpu {
  declare readonly mmu: FlatMmu;
  declare readonly bus: FakeBus;
  /** 1: 32-bit code, 0: 16-bit code. */
  mode = 1;
  private readonly decoder: Decoder;

  constructor(model: CpuModel = P6) {
    const { memory, space } = makeMemory();
    const mmu = new FlatMmu(memory, space);
    super({ memory, space, mmu, bus: new FakeBus(), slot: 0, model, assist: 'none' });
    this.decoder = new Decoder(buildTable(rowsOf(model), model), undefined);
    for (let seg = ES; seg <= GS; seg++) this.setSegment(seg, 0, 0xffffffff, ACCESS_DATA32);
    this.s[CR0] |= CR0_PE;
    this.s[EFLAGS] = 2;
    this.s[EIP] = 0;
    for (const register of [0, 1, 2, 3, 4, 5, 6, 7]) this.s[register] = 0;
    this.s[CPL] = 0;
    this.left = 1_000_000;
    refreshAll(this);
  }

  setSegment(seg: number, base: number, limit: number, access = ACCESS_DATA32): void {
    const at = SEG + seg * 4;
    this.s[at + SEG_BASE] = base;
    this.s[at + SEG_LIMIT] = limit;
    this.s[at + SEG_ACCESS] = access;
    refreshAll(this);
  }

  setFlags(flags: number): void {
    this.s[EFLAGS] = 2 | flags;
    this.s[LAZY_OP] = 0;
  }

  get flags(): number {
    return getEflags(this);
  }

  decode(bytes: readonly number[]): Op {
    const padded = Uint8Array.from([...bytes, ...new Array<number>(16).fill(0)]);
    const op = this.decoder.decode(padded, 0, padded.length, this.mode);
    if (op === undefined) throw new Error('cannot decode');
    op.next = op.length;
    return op;
  }

  /** Executes one operation at the present EIP; answers the vector of the fault it raised, or -1. EIP moves on. */
  execute(op: Op): number {
    this.ops = [op];
    this.i = 0;
    this.end = 1;
    try {
      op.exec(this, op);
    } catch (thrown) {
      if (!(thrown instanceof GuestFault)) throw thrown;
      return this.faultVector;
    }
    if (this.end >= 0) this.s[EIP] += op.next;
    return -1;
  }

  one(...bytes: number[]): number {
    return this.execute(this.decode(bytes));
  }

  /** Memory as bytes from physical address `at`. */
  bytes(at: number, count: number): number[] {
    return [...this.memory.u8.subarray(PHYS_BASE + at, PHYS_BASE + at + count)];
  }

  poke(at: number, ...bytes: number[]): void {
    this.memory.writeBytes(at, Uint8Array.from(bytes));
  }
}
