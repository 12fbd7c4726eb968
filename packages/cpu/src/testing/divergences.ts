/**
 * Where the recorded processor (AMD, in a virtual machine, under 64-bit Linux) goes another way than Intel's manual says: ours follows
 * the manual there. An entry says of which vectors it takes out what, and cites what ours goes by; it counts only where a vector would
 * differ otherwise. undefined.ts has what the manual leaves open. Nothing here compares anything.
 */
import { C1 } from '../fpu/fpu.js';
import type { Op } from '../op.js';
import type { UserOutcome } from './user-environment.js';
import type { Vector } from './vector-file.js';

/** What is taken out of the comparison of one vector. */
export interface Divergence {
  /** What the recorded processor does. */
  readonly why: string;
  /** The whole vector. */
  readonly everything?: boolean;
  readonly eip?: boolean;
  /** The address of a page fault. */
  readonly cr2?: boolean;
  /** All general registers. */
  readonly registers?: boolean;
  /** Bytes of memory, by linear address. */
  readonly memory?: (at: number) => boolean;
  /** Status word bits of the x87. */
  readonly fsw?: number;
  /** The x87 tag word. */
  readonly tags?: boolean;
}

interface Entry extends Divergence {
  readonly mnemonics: RegExp;
  readonly cite: string;
  readonly when?: (op: Op, vector: Vector, ours: UserOutcome) => boolean;
  /** In place of a fixed `memory`. */
  readonly where?: (op: Op, vector: Vector) => (at: number) => boolean;
}

const [NP, SS, GP, PF, AC] = [11, 12, 13, 14, 17];
const MEMORY_FAULTS = new Set([SS, GP, PF, AC]);
const FAULTS = new Set([NP, SS, GP, PF, AC]);
const faulted = (_op: Op, { outcome }: Vector) => MEMORY_FAULTS.has(outcome.vector);
const anywhere = () => true;
const TOP = 0x3800;

const ENTRIES: readonly Entry[] = [
  {
    mnemonics: /^(pusha|enter|callf)$/,
    why: 'what was pushed before the push that faults stays in memory; ours writes nothing',
    cite: 'SDM Vol. 3A, 6.5 "Exception Classifications": a fault restores the state before the instruction',
    when: faulted,
    memory: anywhere,
    cr2: true,
  },
  {
    mnemonics: /^popa$/,
    why: 'registers popped before the pop that faults stay changed, and the slot of ESP is read',
    cite: 'SDM Vol. 3A, 6.5 "Exception Classifications"; Vol. 2, "POPA/POPAD", Operation: the slot of ESP is skipped',
    when: faulted,
    registers: true,
    cr2: true,
  },
  {
    mnemonics: /^(retf|iret)$/,
    why: 'the last of the words popped is read first, and SS:ESP of an outer level before the selector of CS is looked at',
    cite: 'SDM Vol. 2, "RET" and "IRET/IRETD/IRETQ", Operation: EIP is popped first',
    when: (_op, { outcome }, ours) =>
      outcome.vector !== GP && MEMORY_FAULTS.has(outcome.vector) && FAULTS.has(ours.vector),
    everything: true,
  },
  {
    mnemonics: /^call$/,
    why: 'a stack that cannot take the return address wins over a target beyond the limit',
    cite: 'SDM Vol. 2, "CALL—Call Procedure", Operation: the limit of CS is checked before the push',
    when: (_op, { outcome }, ours) => MEMORY_FAULTS.has(outcome.vector) && ours.vector === GP,
    everything: true,
  },
  {
    mnemonics: /^int1$/,
    why: 'the virtual machine reports INT1 at its own address',
    cite: 'SDM Vol. 3A, 6.15 "Interrupt 1—Debug Exception (#DB)": a trap saves the address of the next instruction',
    eip: true,
  },
  {
    mnemonics: /^(ins|outs)$/,
    why: 'REP asks for the right to the port even if its count is zero',
    cite: 'SDM Vol. 2, "REP/REPE/REPZ/REPNE/REPNZ", Operation: with a count of zero the string instruction is not executed',
    when: (op, { outcome }, ours) => op.rep !== 0 && outcome.vector === GP && ours.vector !== GP,
    everything: true,
  },
  {
    mnemonics: /^fu?comip?$/,
    why: 'C1 stays as it was',
    cite: 'SDM Vol. 2, "FCOMI/FCOMIP/FUCOMI/FUCOMIP", FPU Flags Affected: C1 is set to 0',
    fsw: C1,
  },
  {
    mnemonics: /^(fldenv|fnstenv|frstor|fnsave)$/,
    why: 'the image is moved piece by piece, each wrapping at 64 KiB with 16-bit addresses, and pieces before the fault stay',
    cite: 'SDM Vol. 2, "FLDENV", "FSTENV", "FRSTOR" and "FSAVE": #GP(0) or #SS(0) if the operand is outside the segment limit; Vol. 3A, 6.5',
    when: (op, { outcome }, ours) => {
      return MEMORY_FAULTS.has(ours.vector) && (MEMORY_FAULTS.has(outcome.vector) || op.mask === 0xffff);
    },
    everything: true,
  },
  {
    mnemonics: /^(fld|fstp|fbld|fbstp)$/,
    why: 'ten bytes are eight and two, the two wrapping at 64 KiB with 16-bit addresses; each part has its own faults',
    cite: 'SDM Vol. 2, "FLD" and "FSTP": #GP(0) or #SS(0) if the operand is outside the segment limit',
    when: (op, { outcome }, ours) => {
      const limit = ours.vector === GP || ours.vector === SS || outcome.vector === GP || outcome.vector === SS;
      return op.row.operands[0] === 'M' && limit && MEMORY_FAULTS.has(ours.vector);
    },
    everything: true,
  },
  {
    mnemonics: /^(fxsave|fxrstor)$/,
    why: 'which of the pages of the image is looked at first',
    cite: 'SDM Vol. 2, "FXSAVE" and "FXRSTOR": #PF(fault-code) for a page fault, of no particular byte',
    when: faulted,
    cr2: true,
  },
  {
    mnemonics: /^(fxsave|fxrstor|maskmovdqu)$/,
    why: 'the limit is asked for the first byte only: what lies beyond wraps, or is paged',
    cite: 'SDM Vol. 2, "FXSAVE", "FXRSTOR" and "MASKMOVDQU": #GP(0) for an illegal memory operand effective address',
    when: (_op, { outcome }, ours) =>
      (outcome.vector === 3 || outcome.vector === PF) && (ours.vector === GP || ours.vector === SS),
    everything: true,
  },
  {
    mnemonics: /^(fxsave|fxrstor)$/,
    why: '#AC comes before the rights of the segment',
    cite: 'SDM Vol. 2, "FXSAVE" and "FXRSTOR", #AC: signaling of it is not guaranteed and may vary with implementation',
    when: (_op, { outcome }, ours) => outcome.vector === AC && (ours.vector === GP || ours.vector === SS),
    everything: true,
  },
  {
    mnemonics: /^fxsave$/,
    why: 'MXCSR_MASK has a bit more (misaligned SSE mode)',
    cite: 'SDM Vol. 1, 11.6.6 "Guidelines for Writing to the MXCSR Register"',
    where: (_op, vector) => (at) => at === imageEnd(vector, 30),
  },
  {
    mnemonics: /^(cvt(t?p[sd]2pi|pi2p[sd])|maskmovq)$/,
    why: 'the x87 goes over to MMX also when the instruction faults',
    cite: 'SDM Vol. 3A, 6.5 "Exception Classifications"; Vol. 1, 11.6.7 "Interaction of SSE/SSE2 Instructions with x87 FPU and MMX Instructions"',
    when: faulted,
    fsw: TOP,
    tags: true,
  },
];

/** Address of byte `offset` of the image that a vector's instruction wrote: its operand begins where its patches do. */
function imageEnd({ input, outcome }: Vector, offset: number): number {
  const first = input.patches.length > 0 ? input.patches[0].at : outcome.changes[0];
  return first + offset;
}

/** All entries, for printing. */
export const divergences: readonly { readonly mnemonics: RegExp; readonly why: string; readonly cite: string }[] =
  ENTRIES;

/** The entries that have something to say about this vector. */
export function* divergencesOf(op: Op, vector: Vector, ours: UserOutcome): Generator<Divergence> {
  for (const entry of ENTRIES) {
    if (!entry.mnemonics.test(op.row.mnemonic)) continue;
    if (entry.when !== undefined && !entry.when(op, vector, ours)) continue;
    yield entry.where === undefined ? entry : { ...entry, memory: entry.where(op, vector) };
  }
}
