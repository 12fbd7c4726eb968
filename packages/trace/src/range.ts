/**
 * Which part of a run is traced: a range of counts, or the surroundings of the times an address is executed. Everything
 * before is run at full speed, in slices between which the event loop turns, so that a signal can end it.
 *
 * For an address two machines of the same configuration run one behind the other: the scout steps ahead and looks at
 * CS:EIP only; the other follows at full speed to `context` before each find and is traced there. So no snapshot and no
 * record is kept. It knows nothing of files and formats.
 */
import { setImmediate } from 'node:timers/promises';
import { CS, EIP, RingfenceError, SEG, SEG_BASE, SEG_SELECTOR, SEG_WORDS } from '@ringfence/sdk';
import { Disassembler } from './disassembler.js';
import { Tracer } from './tracer.js';
import type { TraceableMachine, TraceRecord } from './types.js';

const SLICE = 200_000;
const STEPS_PER_TURN = 512;

/** Where to look: linear, or an offset within the code segment of that selector. */
export type CodeAddress =
  | { readonly kind: 'linear'; readonly linear: number }
  | { readonly kind: 'far'; readonly selector: number; readonly offset: number };

export type Emit = (record: TraceRecord) => void;

/** How far it came: to the end of what was asked, to the guest's end, or to the signal. */
export type RangeOutcome = 'done' | 'ended' | 'aborted';

/** Runs to `count` retired instructions at full speed. */
export async function advance(machine: TraceableMachine, count: number, signal?: AbortSignal): Promise<RangeOutcome> {
  while (machine.retired < count) {
    if (machine.runSlice(Math.min(SLICE, count - machine.retired)) !== 'budget') return 'ended';
    await setImmediate();
    if (signal?.aborted === true) return 'aborted';
  }
  return 'done';
}

export interface RangeOptions {
  readonly from: number;
  /** Count of the last instruction shown; Infinity: to the end. */
  readonly to: number;
  readonly signal?: AbortSignal;
  /** Names of linear addresses, for the records. */
  readonly nameOf?: (linear: number) => string | undefined;
}

/** Traces the instructions with counts `from` to `to`. Throws RF_NOT_REACHED when the guest ends before `from`. */
export async function traceRange(machine: TraceableMachine, emit: Emit, options: RangeOptions): Promise<RangeOutcome> {
  const { from, to, signal } = options;
  const outcome = await advance(machine, from, signal);
  if (outcome === 'aborted') return outcome;
  if (outcome === 'ended') throw endedBefore(machine, from);
  return traceOn(new Tracer(machine, emit, new Disassembler(), options.nameOf), machine, to, signal);
}

async function traceOn(
  tracer: Tracer,
  machine: TraceableMachine,
  to: number,
  signal: AbortSignal | undefined,
): Promise<RangeOutcome> {
  for (let steps = 1; machine.retired <= to; steps++) {
    if (!tracer.step()) return 'ended';
    if (steps % STEPS_PER_TURN === 0) await setImmediate();
    if (signal?.aborted === true) return 'aborted';
  }
  return 'done';
}

export interface AroundOptions extends RangeOptions {
  readonly address: CodeAddress;
  /** Instructions shown before and after each execution. */
  readonly context: number;
  /** Executions shown. */
  readonly hits: number;
}

/**
 * Traces around the first `hits` executions of an address between `from` and `to`. `scout` and `machine` are alike and
 * have not run. Throws RF_NOT_REACHED when the address is not executed there.
 */
export async function traceAround(
  scout: TraceableMachine,
  machine: TraceableMachine,
  emit: Emit,
  options: AroundOptions,
): Promise<RangeOutcome> {
  const { address, context, hits, from, to, signal } = options;
  const outcome = await advance(scout, from, signal);
  if (outcome === 'aborted') return outcome;
  if (outcome === 'ended') throw endedBefore(scout, from);
  const tracer = new Tracer(machine, emit, new Disassembler(), options.nameOf);
  let found = 0;
  for (let steps = 1; found < hits && scout.retired <= to; steps++) {
    if (isAt(scout, address)) {
      found++;
      const at = scout.retired;
      if (machine.retired <= at + context) {
        if ((await advance(machine, at - context, signal)) === 'aborted') return 'aborted';
        const traced = await traceOn(tracer, machine, at + context, signal);
        if (traced !== 'done') return traced;
      }
    }
    if (scout.runSlice(1) !== 'budget') break;
    if (steps % STEPS_PER_TURN === 0) await setImmediate();
    if (signal?.aborted === true) return 'aborted';
  }
  if (found > 0) return 'done';
  throw new RingfenceError('RF_NOT_REACHED', {
    message: `the guest does not execute ${addressText(address)} between counts ${from} and ${scout.retired}`,
    value: addressText(address),
    fix: 'check the address (linear, or CS:EIP, hexadecimal), and --from and --to',
  });
}

function isAt(machine: TraceableMachine, address: CodeAddress): boolean {
  machine.view.settle();
  const { state } = machine.view.processor;
  const cs = SEG + CS * SEG_WORDS;
  if (address.kind === 'linear') return ((state[cs + SEG_BASE] + state[EIP] - address.linear) | 0) === 0;
  return state[EIP] >>> 0 === address.offset && (state[cs + SEG_SELECTOR] & 0xffff) === address.selector;
}

function addressText(address: CodeAddress): string {
  const text = (value: number): string => value.toString(16);
  return address.kind === 'linear' ? `0x${text(address.linear)}` : `${text(address.selector)}:${text(address.offset)}`;
}

function endedBefore(machine: TraceableMachine, from: number): RingfenceError {
  return new RingfenceError('RF_NOT_REACHED', {
    message: `the guest ended (${machine.end?.outcome ?? 'idle'}) after ${machine.retired} instructions, before count ${from}`,
    value: from,
    fix: `choose --from below ${machine.retired}`,
  });
}
