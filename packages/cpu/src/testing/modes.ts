/**
 * One instruction in each mode the processor has: rings 0 to 3, real mode, virtual-8086 mode. `machineIn` makes the machine,
 * `outcome` executes one instruction at CODE and says as text what came of it: `runs`, or the exception with its error code
 * as the handler finds it (`#GP(0)`, `#UD`). A saved EIP that is not the instruction's own shows up in the text.
 */
import {
  CPL,
  CS,
  DS,
  EFLAGS,
  EIP,
  ES,
  ESP,
  FLAG_VM,
  FS,
  GS,
  SEG,
  SEG_BASE,
  SS,
  STEP_FAULTED,
  STEP_SHUTDOWN,
} from '@ringfence/sdk';
import { CODE, DATA, FREE, GDT, HANDLERS, TestMachine, USER_STACK, type MachineOptions } from './machine.js';

export const MODES = ['ring 0', 'ring 1', 'ring 2', 'ring 3', 'real', 'v86'] as const;
export type Mode = (typeof MODES)[number];

/** Code and data segments of rings 1 and 2: entries behind the standard ones. */
const INNER = [0, FREE, FREE + 0x10];
const NAMES = ['#DE', '#DB', 'NMI', '#BP', '#OF', '#BR', '#UD', '#NM', '#DF', '', '#TS', '#NP', '#SS', '#GP', '#PF'];
const CODED = new Set([8, 10, 11, 12, 13, 14, 17]);

export function is16Bit(mode: Mode): boolean {
  return mode === 'real' || mode === 'v86';
}

/** A machine in `mode` at CODE, with that IOPL. Data segments reach DATA: at offset 0 in 16-bit modes, flat in the others. */
export function machineIn(mode: Mode, iopl = 0, options: MachineOptions = {}): TestMachine {
  const m = new TestMachine(options);
  if (mode === 'real') {
    m.realMode();
  } else if (mode === 'v86') {
    m.userMode();
    m.s[EFLAGS] |= FLAG_VM;
    m.segment(CS, CODE >> 4, CODE, 0xffff, 0xf3);
    for (const seg of [SS, DS, ES, FS, GS]) m.segment(seg, DATA >> 4, DATA, 0xffff, 0xf3);
    m.s[EIP] = 0;
    m.s[ESP] = 0x8000;
  } else if (mode === 'ring 0') {
    m.protectedMode();
  } else if (mode === 'ring 3') {
    m.userMode();
  } else {
    m.protectedMode();
    const ring = mode === 'ring 1' ? 1 : 2;
    const code = INNER[ring] | ring;
    const data = (INNER[ring] + 8) | ring;
    m.descriptor(GDT, code, 0, 0xfffff, 0xc09b | (ring << 5));
    m.descriptor(GDT, data, 0, 0xfffff, 0xc093 | (ring << 5));
    m.s[CPL] = ring;
    m.segment(CS, code, 0, -1, 0xc09b | (ring << 5));
    for (const seg of [SS, DS, ES, FS, GS]) m.segment(seg, data, 0, -1, 0xc093 | (ring << 5));
    m.s[ESP] = USER_STACK;
  }
  m.s[EFLAGS] |= iopl << 12;
  m.cpu.stateChanged();
  return m;
}

/** Executes one instruction at CODE; says what came of it. */
export function outcome(m: TestMachine, code: readonly number[]): string {
  const eip = m.s[EIP];
  const real = (m.s[52] & 1) === 0;
  m.poke(CODE, ...code);
  const step = m.cpu.step();
  if (step === STEP_SHUTDOWN) return 'shutdown';
  if (step !== STEP_FAULTED) return 'runs';
  return described(m, eip, real);
}

/** The exception whose handler the machine has just entered. */
export function described(m: TestMachine, eip: number, real = false): string {
  const vector = (m.s[EIP] - HANDLERS) >> 4;
  const name = NAMES[vector] ?? `vector ${vector}`;
  let at = m.s[SEG + SS * 4 + SEG_BASE] + m.s[ESP];
  let text = name;
  if (!real && CODED.has(vector)) {
    text = `${name}(${m.peek32(at).toString(16)})`;
    at += 4;
  }
  const saved = real ? m.peek16(at) : m.peek32(at);
  return saved === eip ? text : `${text} at ${(saved - eip).toString()}`;
}
