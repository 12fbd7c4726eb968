/**
 * The guest's registers at one moment, and what changed between two. EIP is left out (every record says where it is), and
 * so are the x87's last-instruction pointers and everything a core keeps for itself.
 * It reads state words; whoever takes a snapshot has settled the guest before.
 */
import {
  CPL,
  CR0,
  CR2,
  CR3,
  CR4,
  CS,
  DR,
  EFLAGS,
  EIP,
  FPU_CONTROL,
  FPU_REGISTERS,
  FPU_REGISTER_WORDS,
  FPU_STATUS,
  FPU_TAGS,
  FPU_TOP,
  FLAG_VM,
  CR0_PE,
  AR_DB,
  GDTR_BASE,
  GDTR_LIMIT,
  HALTED,
  IDTR_BASE,
  IDTR_LIMIT,
  MSR_SYSENTER_CS,
  MSR_SYSENTER_EIP,
  MSR_SYSENTER_ESP,
  MXCSR,
  SEG,
  SEG_ACCESS,
  SEG_BASE,
  SEG_LIMIT,
  SEG_WORDS,
  XMM,
  XMM_WORDS,
  type Processor,
} from '@ringfence/sdk';
import { hex } from './hex.js';
import type { Change } from './types.js';

/** State words up to and with DR7, HALTED and the SYSENTER MSRs. */
const WORDS = 72;

export interface Snapshot {
  readonly words: Int32Array;
  readonly fpu: Int32Array;
}

/** Copies what the guest sees; `words[EFLAGS]` holds the flags worked out. */
export function takeSnapshot(processor: Processor): Snapshot {
  const words = processor.state.slice(0, WORDS);
  words[EFLAGS] = processor.getEflags();
  return { words, fpu: processor.space.memory.fpuWords().slice() };
}

interface Register {
  readonly name: string;
  readonly fpu: boolean;
  readonly word: number;
  readonly count: number;
  readonly digits: number;
}

const register = (name: string, word: number, digits = 8): Register => ({ name, fpu: false, word, count: 1, digits });
const fpu = (name: string, word: number, count = 1, digits = 4): Register => ({ name, fpu: true, word, count, digits });

const SEGMENTS = ['es', 'cs', 'ss', 'ds', 'fs', 'gs', 'ldtr', 'tr'];
/** In the order in which they print. */
const REGISTERS: readonly Register[] = [
  ...['eax', 'ecx', 'edx', 'ebx', 'esp', 'ebp', 'esi', 'edi'].map((name, i) => register(name, i)),
  register('eflags', EFLAGS),
  register('cpl', CPL, 1),
  ...SEGMENTS.flatMap((name, i) => {
    const at = SEG + i * SEG_WORDS;
    return [
      register(name, at, 4),
      register(`${name}.base`, at + SEG_BASE),
      register(`${name}.limit`, at + SEG_LIMIT),
      register(`${name}.access`, at + SEG_ACCESS, 5),
    ];
  }),
  register('cr0', CR0),
  register('cr2', CR2),
  register('cr3', CR3),
  register('cr4', CR4),
  register('gdtr.base', GDTR_BASE),
  register('gdtr.limit', GDTR_LIMIT, 4),
  register('idtr.base', IDTR_BASE),
  register('idtr.limit', IDTR_LIMIT, 4),
  ...[0, 1, 2, 3, 6, 7].map((n) => register(`dr${n}`, DR + n)),
  register('sysenter.cs', MSR_SYSENTER_CS),
  register('sysenter.esp', MSR_SYSENTER_ESP),
  register('sysenter.eip', MSR_SYSENTER_EIP),
  register('halted', HALTED, 1),
  fpu('fpu.control', FPU_CONTROL),
  fpu('fpu.status', FPU_STATUS),
  fpu('fpu.top', FPU_TOP, 1, 1),
  fpu('fpu.tags', FPU_TAGS, 1, 2),
  ...Array.from({ length: 8 }, (_, n) => fpu(`fpr${n}`, FPU_REGISTERS + n * FPU_REGISTER_WORDS, 3, 4)),
  ...Array.from({ length: 8 }, (_, n) => fpu(`xmm${n}`, XMM + n * XMM_WORDS, 4, 8)),
  fpu('mxcsr', MXCSR, 1, 8),
];

/** What changed, by register name. A register of several words prints its highest word first, `digits` wide. */
export function changes(before: Snapshot, after: Snapshot): Record<string, Change> {
  const found: Record<string, Change> = {};
  for (const r of REGISTERS) {
    const old = r.fpu ? before.fpu : before.words;
    const now = r.fpu ? after.fpu : after.words;
    for (let i = r.word; i < r.word + r.count; i++) {
      if (old[i] === now[i]) continue;
      found[r.name] = [textOf(r, old), textOf(r, now)];
      break;
    }
  }
  return found;
}

/** Every register as text, for comparing two machines. */
export function registerTexts(snapshot: Snapshot): Record<string, string> {
  const texts: Record<string, string> = { eip: hex(snapshot.words[EIP]) };
  for (const r of REGISTERS) texts[r.name] = textOf(r, r.fpu ? snapshot.fpu : snapshot.words);
  return texts;
}

function textOf({ word, count, digits }: Register, words: Int32Array): string {
  let text = hex(words[word + count - 1], digits);
  for (let i = word + count - 2; i >= word; i--) text += hex(words[i]);
  return text;
}

/** `real`, `v86`, or the size of code and the privilege level. */
export function modeOf({ words }: Snapshot): string {
  if ((words[CR0] & CR0_PE) === 0) return 'real';
  if ((words[EFLAGS] & FLAG_VM) !== 0) return 'v86';
  return `${is32(words) ? 32 : 16}/${words[CPL]}`;
}

/** Whether CS.D is set. */
export function is32(words: Int32Array): boolean {
  return (words[SEG + CS * SEG_WORDS + SEG_ACCESS] & AR_DB) !== 0;
}

/** `CS:EIP`. */
export function placeOf({ words }: Snapshot): string {
  return `${hex(words[SEG + CS * SEG_WORDS], 4)}:${hex(words[EIP])}`;
}
