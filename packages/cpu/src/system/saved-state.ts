/**
 * The core's saved state: what software can observe of the processor, nothing of caches or counts. Flags are worked out,
 * so that equal guest states give equal records whatever instruction set them lazily.
 */
import {
  checkedState,
  CPL,
  CR0,
  CR2,
  CR3,
  CR4,
  DR,
  EAX,
  EFLAGS,
  EIP,
  GDTR_BASE,
  GDTR_LIMIT,
  HALTED,
  IDTR_BASE,
  IDTR_LIMIT,
  LAZY_OP,
  MSR_ASSIST,
  MSR_MISC_ENABLE,
  MSR_SYSENTER_CS,
  MSR_SYSENTER_EIP,
  MSR_SYSENTER_ESP,
  NMI_BLOCKED,
  PDPTE,
  RingfenceError,
  SEG,
  SHADOW,
  SHUTDOWN,
  stateNumber,
  TSC_OFFSET,
  type StateRecord,
  type StateValue,
} from '@ringfence/sdk';
import type { Cpu } from '../cpu.js';
import { PENDING_DEBUG } from '../core/attention.js';
import { refreshBreakpoints } from '../events/breakpoints.js';
import { PERFORMANCE_WORDS } from './performance.js';
import { readFpuState, saveFpuState } from '../fpu/saved-state.js';
import { readSseState, saveSseState } from '../sse/saved-state.js';

const COMPONENT = 'cpu';
const VERSION = 3;

const SEGMENT_NAMES = ['es', 'cs', 'ss', 'ds', 'fs', 'gs', 'ldtr', 'tr'] as const;

/** Name of each plain word. */
const WORDS: readonly (readonly [string, number])[] = [
  ...['eax', 'ecx', 'edx', 'ebx', 'esp', 'ebp', 'esi', 'edi'].map((name, i) => [name, EAX + i] as const),
  ['eip', EIP],
  ['cpl', CPL],
  ['gdtrBase', GDTR_BASE],
  ['gdtrLimit', GDTR_LIMIT],
  ['idtrBase', IDTR_BASE],
  ['idtrLimit', IDTR_LIMIT],
  ['cr0', CR0],
  ['cr2', CR2],
  ['cr3', CR3],
  ['cr4', CR4],
  ['dr0', DR],
  ['dr1', DR + 1],
  ['dr2', DR + 2],
  ['dr3', DR + 3],
  ['dr6', DR + 6],
  ['dr7', DR + 7],
  ['sysenterCs', MSR_SYSENTER_CS],
  ['sysenterEsp', MSR_SYSENTER_ESP],
  ['sysenterEip', MSR_SYSENTER_EIP],
  ['assist', MSR_ASSIST],
  ['miscEnable', MSR_MISC_ENABLE],
  ...['perfSelect0', 'perfSelect1', 'perfCounter0', 'perfCounter0High', 'perfCounter1', 'perfCounter1High'].map(
    (name, i) => [name, PERFORMANCE_WORDS + i] as const,
  ),
  ['tscOffsetLow', TSC_OFFSET],
  ['tscOffsetHigh', TSC_OFFSET + 1],
  ['halted', HALTED],
  ['shadow', SHADOW],
  ['nmiBlocked', NMI_BLOCKED],
  ['shutdown', SHUTDOWN],
  ['pendingDebug', PENDING_DEBUG],
  ...[0, 1, 2, 3].flatMap((i) => [
    [`pdpte${i}Low`, PDPTE + i * 2] as const,
    [`pdpte${i}High`, PDPTE + i * 2 + 1] as const,
  ]),
];

export function saveCpuState(c: Cpu): StateRecord {
  const data: { [key: string]: StateValue } = {
    eflags: c.getEflags(),
    nmiPending: c.nmiPending,
    fpu: saveFpuState(c.fpu),
    sse: saveSseState(c.sse),
  };
  for (const [name, word] of WORDS) data[name] = c.s[word];
  SEGMENT_NAMES.forEach((name, i) => {
    const at = SEG + i * 4;
    data[name] = { selector: c.s[at], base: c.s[at + 1], limit: c.s[at + 2], access: c.s[at + 3] };
  });
  return { component: COMPONENT, version: VERSION, data };
}

export function loadCpuState(c: Cpu, record: StateRecord): void {
  const data = checkedState(record, COMPONENT, VERSION);
  // Read everything before anything changes: a bad record must leave the core as it was.
  const words = WORDS.map(([name, word]) => [word, stateNumber(data, name)] as const);
  const eflags = stateNumber(data, 'eflags');
  const segments = SEGMENT_NAMES.map((name) => segmentWords(data, name));
  const fpu = readFpuState(data);
  const sse = readSseState(data);
  for (const [word, value] of words) c.s[word] = value;
  for (const [word, value] of fpu) c.fpu.w[word] = value;
  for (const [word, value] of sse) c.sse.w[word] = value;
  segments.forEach((values, i) => c.s.set(values, SEG + i * 4));
  c.s[EFLAGS] = eflags;
  c.s[LAZY_OP] = 0;
  c.nmiPending = data.nmiPending === true;
  c.mmu.load(c.s[CR0], c.s[CR3], c.s[CR4]);
  c.cache.clear();
  refreshBreakpoints(c);
  c.stateChanged();
}

function segmentWords(data: StateRecord['data'], name: string): number[] {
  const segment = data[name];
  if (segment === null || typeof segment !== 'object' || Array.isArray(segment) || segment instanceof Uint8Array) {
    throw new RingfenceError('RF_BAD_STATE', { message: `state field "${name}" is not a segment`, value: segment });
  }
  const fields = segment as StateRecord['data'];
  return ['selector', 'base', 'limit', 'access'].map((field) => stateNumber(fields, field));
}
