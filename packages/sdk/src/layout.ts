/**
 * Where everything lies in a machine's one WebAssembly memory: processor state, software TLBs, physical memory.
 * TypeScript sees it through typed arrays; compiled code (cpu-jit, later) sees the same bytes directly.
 * A machine has two core slots: slot 0 is the hardware's processor; slot 1 is the monitor's instruction emulator
 * (the same interpreter over the guest's view). A bare machine uses slot 0 alone.
 * Indices of processor state are in units of 32-bit words from the slot's state base.
 */

// General registers, in encoding order. Word 8 always holds zero, so that "no base" and "no index" need no branch.
export const EAX = 0;
export const ECX = 1;
export const EDX = 2;
export const EBX = 3;
export const ESP = 4;
export const EBP = 5;
export const ESI = 6;
export const EDI = 7;
export const ZERO = 8;

/** Offset of the next instruction within CS; while a block runs, of the block's first instruction (see `cpu`). */
export const EIP = 9;
/** EFLAGS; the six arithmetic flags are valid only while LAZY_OP is 0. Read through `Processor.getEflags()`. */
export const EFLAGS = 10;
export const LAZY_OP = 11;
export const LAZY_RES = 12;
export const LAZY_DST = 13;
export const LAZY_SRC = 14;
export const CPL = 15;

/** Segment registers: 4 words each (selector, base, limit in bytes, access rights), in encoding order, then LDTR, TR. */
export const SEG = 16;
export const SEG_WORDS = 4;
export const SEG_SELECTOR = 0;
export const SEG_BASE = 1;
export const SEG_LIMIT = 2;
export const SEG_ACCESS = 3;
export const ES = 0;
export const CS = 1;
export const SS = 2;
export const DS = 3;
export const FS = 4;
export const GS = 5;
export const LDTR = 6;
export const TR = 7;

export const GDTR_BASE = 48;
export const GDTR_LIMIT = 49;
export const IDTR_BASE = 50;
export const IDTR_LIMIT = 51;
export const CR0 = 52;
export const CR2 = 53;
export const CR3 = 54;
export const CR4 = 55;
/** DR0..DR7 stand at DR + n (DR4 and DR5 unused). */
export const DR = 56;
/** 1 while the processor sits in HLT. */
export const HALTED = 64;
/** Interrupt shadow left by the last instruction: 0 none, 1 STI, 2 MOV/POP SS (which also holds off #DB). */
export const SHADOW = 65;
/** 1 from the delivery of an NMI to the next IRET. */
export const NMI_BLOCKED = 66;
/** 1 after a triple fault, until reset. */
export const SHUTDOWN = 67;
export const MSR_SYSENTER_CS = 68;
export const MSR_SYSENTER_ESP = 69;
export const MSR_SYSENTER_EIP = 70;
/** The assist control MSR (see `ASSIST_*` in processor.ts); exists only where the `assist` option offers it. */
export const MSR_ASSIST = 71;
/** TSC minus virtual time, 64 bits, low word first. */
export const TSC_OFFSET = 72;
export const MSR_APIC_BASE = 74;
export const MSR_MISC_ENABLE = 75;
/** Words 76..119 are the core's own; 128..255 are kept for x87/MMX/SSE state. */
export const CORE_PRIVATE = 76;
/** The four PAE page-directory-pointer registers, 2 words each (low, high); loaded by CR3 writes, owned by the MMU. */
export const PDPTE = 120;
export const FPU = 128;
export const STATE_WORDS = 256;

// x87 state: indices into `MachineMemory.fpuWords()`, the words from FPU up of slot 0. There is one FPU, of both core slots.
export const FPU_WORDS = STATE_WORDS - FPU;
export const FPU_CONTROL = 0;
/** The status word without its TOP field. */
export const FPU_STATUS = 1;
export const FPU_TOP = 2;
/** Bit n set: register n (not ST(n)) holds a value, as in the tag byte of FXSAVE. */
export const FPU_TAGS = 3;
/** Last instruction: its 11 opcode bits, its address, the address of its memory operand. */
export const FPU_OPCODE = 4;
export const FPU_IP = 5;
export const FPU_CS = 6;
export const FPU_DP = 7;
export const FPU_DS = 8;
/** 1: the pending exception was reported by FERR#, which is still asserted. */
export const FPU_FERR = 9;
/** Registers R0..R7, 4 words each: significand low and high, sign and exponent (16 bits), nothing. */
export const FPU_REGISTERS = 16;
export const FPU_REGISTER_WORDS = 4;
/** XMM0..XMM7, 4 words each, low first; 16-byte aligned in memory. */
export const XMM = 48;
export const XMM_WORDS = 4;
export const MXCSR = 80;

/** Access rights as the VMX literature packs them (SDM Vol. 3C, 25.4.1 "Guest Register State"). */
export const AR_TYPE = 0x000f;
export const AR_ACCESSED = 0x0001;
export const AR_RW = 0x0002; // writable data, readable code
export const AR_DC = 0x0004; // expand-down data, conforming code
export const AR_CODE = 0x0008;
export const AR_S = 0x0010; // code or data, not system
export const AR_DPL_SHIFT = 5;
export const AR_DPL = 0x0060;
export const AR_P = 0x0080;
export const AR_AVL = 0x1000;
export const AR_DB = 0x4000;
export const AR_G = 0x8000;
/** Set in a segment register that holds a null selector (or was never loaded): any use faults. */
export const AR_UNUSABLE = 0x10000;

// EFLAGS
export const FLAG_CF = 0x0001;
export const FLAG_PF = 0x0004;
export const FLAG_AF = 0x0010;
export const FLAG_ZF = 0x0040;
export const FLAG_SF = 0x0080;
export const FLAG_TF = 0x0100;
export const FLAG_IF = 0x0200;
export const FLAG_DF = 0x0400;
export const FLAG_OF = 0x0800;
export const FLAG_IOPL = 0x3000;
export const FLAG_NT = 0x4000;
export const FLAG_RF = 0x10000;
export const FLAG_VM = 0x20000;
export const FLAG_AC = 0x40000;
export const FLAG_VIF = 0x80000;
export const FLAG_VIP = 0x100000;
export const FLAG_ID = 0x200000;
export const FLAGS_ARITH = FLAG_CF | FLAG_PF | FLAG_AF | FLAG_ZF | FLAG_SF | FLAG_OF;

// Control registers
export const CR0_PE = 0x1;
export const CR0_MP = 0x2;
export const CR0_EM = 0x4;
export const CR0_TS = 0x8;
export const CR0_ET = 0x10;
export const CR0_NE = 0x20;
export const CR0_WP = 0x10000;
export const CR0_AM = 0x40000;
export const CR0_NW = 0x20000000;
export const CR0_CD = 0x40000000;
export const CR0_PG = 0x80000000 | 0;
export const CR4_VME = 0x1;
export const CR4_PVI = 0x2;
export const CR4_TSD = 0x4;
export const CR4_DE = 0x8;
export const CR4_PSE = 0x10;
export const CR4_PAE = 0x20;
export const CR4_MCE = 0x40;
export const CR4_PGE = 0x80;
export const CR4_PCE = 0x100;
export const CR4_OSFXSR = 0x200;
export const CR4_OSXMMEXCPT = 0x400;

// Page-table entries and page-fault error codes
export const PTE_P = 0x1;
export const PTE_W = 0x2;
export const PTE_U = 0x4;
export const PTE_A = 0x20;
export const PTE_D = 0x40;
export const PTE_PS = 0x80;
export const PTE_G = 0x100;
export const PF_PRESENT = 0x1;
export const PF_WRITE = 0x2;
export const PF_USER = 0x4;
export const PF_RESERVED = 0x8;

// Exception vectors
export const VEC_DE = 0;
export const VEC_DB = 1;
export const VEC_NMI = 2;
export const VEC_BP = 3;
export const VEC_OF = 4;
export const VEC_BR = 5;
export const VEC_UD = 6;
export const VEC_NM = 7;
export const VEC_DF = 8;
export const VEC_TS = 10;
export const VEC_NP = 11;
export const VEC_SS = 12;
export const VEC_GP = 13;
export const VEC_PF = 14;
export const VEC_MF = 16;
export const VEC_AC = 17;
export const VEC_MC = 18;
/** SIMD floating-point exception. */
export const VEC_XM = 19;

/** True for the vectors that push an error code (SDM Vol. 3A, 6.15 "Exception and Interrupt Reference"). */
export function pushesErrorCode(vector: number): boolean {
  return vector === VEC_DF || (vector >= VEC_TS && vector <= VEC_PF) || vector === VEC_AC;
}

// The software TLB: TLB_ENTRIES words per bank, direct mapped by linear page number.
export const TLB_ENTRIES = 2048;
export const TLB_MASK = TLB_ENTRIES - 1;
/**
 * Tag banks. An access hits when `tlb[bank + index] === ((linear & 0xFFFFF000) | generation)`: a hit grants the access
 * outright, on plain memory. Whatever needs a closer look (rights, dirty bit, device memory, code or watched pages,
 * data breakpoints) simply has no tag in that bank and goes to `Mmu.translate`.
 */
export const TLB_READ_SUPERVISOR = 0;
export const TLB_READ_USER = 1 * TLB_ENTRIES;
/** Supervisor writes with CR0.WP = 1. */
export const TLB_WRITE_SUPERVISOR = 2 * TLB_ENTRIES;
export const TLB_WRITE_USER = 3 * TLB_ENTRIES;
/** Supervisor writes with CR0.WP = 0. */
export const TLB_WRITE_UNPROTECTED = 4 * TLB_ENTRIES;
/** What to add to a linear address (modulo 2^32) to get its byte offset in the WebAssembly memory. */
export const TLB_ADDEND = 5 * TLB_ENTRIES;
/** The MMU's own record of the entry: linear page | flags; and its physical page | flags. Private to `mmu`. */
export const TLB_META = 6 * TLB_ENTRIES;
export const TLB_PHYS = 7 * TLB_ENTRIES;
export const TLB_WORDS = 8 * TLB_ENTRIES;

// Byte offsets in the memory
export const CORE_SLOTS = 2;
export const STATE_BASE = 0x1000;
export const STATE_BYTES = 0x1000;
export const TLB_BASE = 0x10000;
export const TLB_BYTES = TLB_WORDS * 4;
/** Physical address 0 of the machine. */
export const PHYS_BASE = 0x40000;

/** Byte offset of a core slot's state. */
export function stateOffset(slot: number): number {
  return STATE_BASE + slot * STATE_BYTES;
}

/** Byte offset of a core slot's TLB. */
export function tlbOffset(slot: number): number {
  return TLB_BASE + slot * TLB_BYTES;
}
