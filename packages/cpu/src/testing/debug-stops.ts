/**
 * Where a core stopped: arms breakpoints, runs to the next handler and says what its frame and DR6 tell. For the contract tests of
 * debug exceptions. It knows nothing of what should have happened.
 */
import { DR, EFLAGS, EIP, ESP, FLAG_RF, FLAG_TF, HALTED } from '@ringfence/sdk';
import { CODE, HANDLERS, TestMachine } from './machine.js';

export const NOP = 0x90;
export const DB_HANDLER = HANDLERS + 16;
export const B0 = 1;
export const B1 = 2;
export const B2 = 4;
export const B3 = 8;
export const BD = 0x2000;
export const BS = 0x4000;
export const BT = 0x8000;
export const DR6_BITS = 0xe00f;

export interface Stop {
  /** Handler entered. */
  readonly vector: number;
  /** Saved EIP minus CODE. */
  readonly at: number;
  readonly dr6: number;
  readonly rf: boolean;
  readonly tf: boolean;
}

export function machine(flags = 2): TestMachine {
  const m = new TestMachine().protectedMode();
  m.s[EFLAGS] = flags;
  m.cpu.stateChanged();
  return m;
}

/** Arms breakpoint n: `rw` 0 code, 1 write, 2 I/O, 3 read or write; `length` in bytes. */
export function arm(m: TestMachine, n: number, linear: number, rw: number, length = 1): TestMachine {
  const code = length === 4 ? 3 : length === 2 ? 1 : 0;
  m.cpu.writeDr(n, linear);
  m.cpu.writeDr(7, m.s[DR + 7] | (2 << (n * 2)) | (rw << (16 + n * 4)) | (code << (18 + n * 4)));
  return m;
}

/** Runs to the next handler. */
export function stop(m: TestMachine): Stop {
  for (let i = 0; i < 200 && (m.s[EIP] < HANDLERS || m.s[EIP] >= HANDLERS + 0x400); i++) m.cpu.run(1);
  return here(m);
}

/** The frame of the handler whose first instruction is next, or which has halted. */
export function here(m: TestMachine): Stop {
  const eip = m.s[EIP] - (m.s[HALTED] !== 0 ? 1 : 0);
  const vector = (eip - HANDLERS) >> 4;
  if (vector < 0 || vector > 63) throw new Error(`no handler at ${eip.toString(16)}`);
  const at = m.s[ESP] + ([8, 10, 11, 12, 13, 14, 17].includes(vector) ? 4 : 0);
  const flags = m.peek32(at + 8);
  return {
    vector,
    at: m.peek32(at) - CODE,
    dr6: m.s[DR + 6] & DR6_BITS,
    rf: (flags & FLAG_RF) !== 0,
    tf: (flags & FLAG_TF) !== 0,
  };
}

/** Executes code single-stepped from its first byte: the places where it stopped, up to `count` of them. */
export function steps(m: TestMachine, code: readonly number[], count: number): Stop[] {
  m.poke(CODE, ...code);
  const stops: Stop[] = [];
  for (let i = 0; i < count; i++) {
    const next = stop(m);
    stops.push(next);
    if (next.vector !== 1) break;
    m.cpu.writeDr(6, 0);
    // Return from the handler.
    m.s[HALTED] = 0;
    m.s[EIP] = DB_HANDLER + 1;
    m.cpu.stateChanged();
    m.cpu.step();
  }
  return stops;
}
