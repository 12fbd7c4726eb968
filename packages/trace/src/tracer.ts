/**
 * Turns a run into records: drives the machine one instruction at a time, looks at the guest's registers before and after,
 * and is told of events and device accesses while the instruction runs.
 *
 * One slice retires one instruction, but more may happen in it: interrupts and faults are delivered first, each entering a
 * handler, and a trap follows after. So an instruction is *open* from the look before it until it has retired or faulted,
 * and each delivery closes the open one, makes a record of its own, and opens the handler's first instruction. An open
 * instruction that neither retired nor faulted (an interrupt came before it) leaves no record.
 * Slicing is invisible to the guest; the monitor's view of an instruction it completed itself is the same as of any other.
 */
import {
  CR2,
  CS,
  DR,
  ECX,
  EIP,
  SEG,
  SEG_BASE,
  SEG_WORDS,
  VEC_DB,
  VEC_NMI,
  VEC_PF,
  type GuestObserver,
} from '@ringfence/sdk';
import { Disassembler, MAX_INSTRUCTION_BYTES, type Disassembly } from './disassembler.js';
import { hex } from './hex.js';
import { addressOf, instructionBytes, valueAt } from './operands.js';
import { changes, is32, modeOf, placeOf, takeSnapshot, type Snapshot } from './registers.js';
import type {
  DeviceTouch,
  EventRecord,
  InstructionRecord,
  MemoryTouch,
  TraceableMachine,
  TraceRecord,
} from './types.js';

interface OpenInstruction {
  readonly n: number;
  readonly before: Snapshot;
  readonly bytes: string;
  readonly disassembly: Disassembly;
  /** Address and old value of each recipe that is carried out. */
  readonly places: readonly { readonly linear: number; readonly old: string | undefined }[];
  readonly io: DeviceTouch[];
}

/** Slices without an instruction after which `step` comes back. */
const MAX_SLICES = 100;

export class Tracer implements GuestObserver {
  private open: OpenInstruction | undefined;
  private event: { record: EventRecord; base: Snapshot } | undefined;

  /** One disassembler may serve several tracers. */
  constructor(
    private readonly machine: TraceableMachine,
    private readonly emit: (record: TraceRecord) => void,
    private readonly disassembler = new Disassembler(),
    private readonly nameOf?: (linear: number) => string | undefined,
  ) {}

  /**
   * Runs until one more instruction has retired, or comes back without one from a guest that only sleeps; false when the
   * run is over, with a record that says so.
   */
  step(): boolean {
    const { machine } = this;
    const goal = machine.retired + 1;
    machine.view.settle();
    this.begin();
    machine.observe(this);
    try {
      // A guest may sleep for ever while its timers run: the caller gets a turn now and then.
      for (let slices = 0; machine.retired < goal; slices++) {
        if (slices === MAX_SLICES) return true;
        if (machine.runSlice(1) !== 'budget') return this.over();
      }
      // A trap behind the instruction may come only now.
      machine.view.settle();
      if (this.open !== undefined && machine.retired > this.open.n) this.close(takeSnapshot(machine.view.processor));
      return true;
    } finally {
      machine.observe(undefined);
      this.open = undefined;
    }
  }

  private over(): false {
    const { machine } = this;
    machine.view.settle();
    if (this.open !== undefined && machine.retired > this.open.n) this.close(takeSnapshot(machine.view.processor));
    this.dropEvent();
    const { outcome, detail } = machine.end ?? { outcome: 'idle', detail: 'the guest waits for input' };
    this.emit({ kind: 'end', n: machine.retired, outcome, ...(detail === undefined ? {} : { detail }) });
    return false;
  }

  // ----------------------------------------------------------------------------------------- GuestObserver

  delivering(vector: number, errorCode: number, exception: boolean): void {
    this.dropEvent();
    const { processor } = this.machine.view;
    const now = takeSnapshot(processor);
    let base = now;
    if (this.open !== undefined) {
      const retired = this.machine.view.retired() > this.open.n;
      // A monitor enters INT1's handler by raising #DB; to the guest it is an instruction like INT n (DR6 unchanged).
      if (retired && vector === VEC_DB && this.open.disassembly.text === 'int1') {
        if (now.words[DR + 6] === this.open.before.words[DR + 6]) return;
      }
      // What a fault left in CR2 and DR6 belongs to the event, not to the instruction, which did nothing.
      if (!retired) base = this.open.before;
      if (retired || exception) this.close(retired ? now : undefined);
      this.open = undefined;
    }
    const record: EventRecord = {
      kind: 'event',
      n: this.machine.view.retired(),
      event: exception ? 'exception' : vector === VEC_NMI ? 'nmi' : 'interrupt',
      vector,
      ...(errorCode < 0 ? {} : { error: hex(errorCode, 4) }),
      ...(exception && vector === VEC_PF ? { cr2: hex(now.words[CR2]) } : {}),
      at: placeOf(now),
      regs: {},
    };
    this.event = { record, base };
  }

  delivered(): void {
    if (this.event === undefined) return;
    const { record, base } = this.event;
    this.event = undefined;
    const now = takeSnapshot(this.machine.view.processor);
    this.emit({ ...record, to: placeOf(now), regs: changes(base, now) });
    this.begin();
  }

  portAccess(write: boolean, port: number, size: number, value: number): void {
    this.open?.io.push({ op: write ? 'out' : 'in', addr: hex(port, 4), size, value: sized(value, size) });
  }

  mmioAccess(write: boolean, address: number, size: number, value: number): void {
    this.open?.io.push({ op: write ? 'mmio-w' : 'mmio-r', addr: hex(address), size, value: sized(value, size) });
  }

  /** An event whose delivery faulted: another takes its place. */
  private dropEvent(): void {
    if (this.event === undefined) return;
    this.emit(this.event.record);
    this.event = undefined;
  }

  // ----------------------------------------------------------------------------------------- instructions

  /** Looks at the instruction at CS:EIP. */
  private begin(): void {
    const { machine, disassembler } = this;
    const { processor } = machine.view;
    const before = takeSnapshot(processor);
    const { words } = before;
    const linear = (words[SEG + CS * SEG_WORDS + SEG_BASE] + words[EIP]) | 0;
    const fetched = instructionBytes(processor, linear, MAX_INSTRUCTION_BYTES);
    const disassembly = disassembler.disassemble(fetched, words[EIP], is32(words));
    const { memory, repMask, length } = disassembly;
    const idle = repMask !== 0 && (words[ECX] & repMask) === 0;
    const places = (idle ? [] : memory).map((recipe) => {
      const at = addressOf(recipe, words);
      return { linear: at, old: valueAt(processor, at, recipe.size) };
    });
    const bytes = length === 0 ? fetched : fetched.slice(0, length * 2);
    this.open = { n: machine.view.retired(), before, bytes, disassembly, places, io: [] };
  }

  /** Makes the open instruction's record; `after` is undefined when it faulted. */
  private close(after: Snapshot | undefined): void {
    const open = this.open!;
    this.open = undefined;
    const faulted = after === undefined;
    const { words } = open.before;
    const symbol = this.nameOf?.(words[SEG + CS * SEG_WORDS + SEG_BASE] + words[EIP]);
    const record: InstructionRecord = {
      kind: 'insn',
      n: open.n,
      cs: hex(words[SEG + CS * SEG_WORDS], 4),
      eip: hex(words[EIP]),
      mode: modeOf(open.before),
      bytes: open.bytes,
      text: open.disassembly.text,
      ...(symbol === undefined ? {} : { symbol }),
      ...(faulted ? { faulted } : {}),
      regs: faulted ? {} : changes(open.before, after),
      mem: open.places.map((place, i) => this.touch(open, place, i, faulted)),
      io: open.io,
    };
    this.emit(record);
  }

  private touch(
    open: OpenInstruction,
    place: OpenInstruction['places'][number],
    i: number,
    faulted: boolean,
  ): MemoryTouch {
    const { size, reads, writes } = open.disassembly.memory[i];
    const { linear, old } = place;
    const op = writes ? (reads ? 'rw' : 'w') : 'r';
    const touch = { op, addr: hex(linear), size } as const;
    if (faulted || old === undefined) return touch;
    if (!writes) return { ...touch, value: old };
    return { ...touch, value: valueAt(this.machine.view.processor, linear, size), old };
  }
}

/** A device's value as the width of the access has it. */
function sized(value: number, size: number): string {
  return hex(size === 4 ? value : value & ((1 << (size * 8)) - 1), size * 2);
}
