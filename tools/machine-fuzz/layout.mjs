/**
 * Where everything of a fuzzed kernel lies. One flat image from 64 KiB up, below 640 KiB, identity mapped; linear addresses
 * from 4 MiB up are the playground, whose page tables the program edits while it runs. Offsets in 16-bit code count from
 * CODE. It says nothing of what the tables contain (tables.mjs) or who uses them.
 */
export const CODE = 0x10000;
export const CODE_BYTES = 0x20000;
export const LENGTHS = 0x30000;
export const GDT = 0x50000;
export const GDT_COPY = 0x50800;
export const IDT = 0x51000;
export const IDT_COPY = 0x51800;
/** TSSs, 256 bytes each but the first, which has an interrupt redirection and an I/O permission map. */
export const TSS_MAIN = 0x52000;
export const TSS_IOMAP = 0x88;
export const TSS_MAIN_LIMIT = TSS_IOMAP + 0x100;
export const TSS_DF = 0x52800;
export const TSS_A = 0x52900;
export const TSS_B = 0x52a00;
export const TSS_16 = 0x52b00;
export const TSS_COPY = 0x53000;
export const LDT = 0x54000;
export const STACK0 = 0x55f00;
export const STACK_DF = 0x56400;
export const STACK_TASK = 0x56800;
export const STACK_INNER1 = 0x56b00;
export const STACK_INNER2 = 0x56e00;
export const STACK_USER = 0x57f00;
/** Base of the 16-bit stack segment. */
export const STACK_16 = 0x57000;
export const VARS = 0x58000;
export const LOG = 0x59000;
export const LOG_END = 0x5a000;

export const BLOCK_INDEX = VARS;
export const LOG_AT = VARS + 4;
export const SUM = VARS + 8;
export const EVENTS = VARS + 12;
export const SKIPS = VARS + 16;
export const STEPS = VARS + 20;
export const ROOT = VARS + 24;
export const BLOCKS = VARS + 28;
/** 6-byte images for LGDT and LIDT. */
export const GDTR_IMAGE = VARS + 0x40;
export const IDTR_IMAGE = VARS + 0x48;
export const GDTR_SHORT = VARS + 0x50;
export const IDTR_SHORT = VARS + 0x58;
export const GDTR_OTHER = VARS + 0x60;
export const IDTR_OTHER = VARS + 0x68;
export const IDTR_REAL = VARS + 0x70;
export const MARKS = VARS + 0x80;
export const BLOCK_TABLE = VARS + 0x200;
export const BLOCK_SEEN = VARS + 0x800;

// Two-level tables: two directories that share the low table and have a playground table each.
export const PD_A = 0x5a000;
export const PD_B = 0x5b000;
export const PT_LOW = 0x5c000;
export const PT_PLAY_A = 0x5d000;
export const PT_PLAY_B = 0x5e000;
// PAE: two pointer tables in one page, likewise.
export const PDPT_A = 0x5f000;
export const PDPT_B = 0x5f020;
export const PAE_PD_A = 0x60000;
export const PAE_PD_B = 0x61000;
export const PAE_PT_LOW = 0x62000;
export const PAE_PT_PLAY_A = 0x63000;
export const PAE_PT_PLAY_B = 0x64000;
export const PAE_PD_TOP = 0x65000;
export const PT_TOP = 0x66000;
export const PAE_PT_TOP = 0x67000;

export const PLAY_FRAMES = 0x70000;
export const PLAY_PAGES = 16;
export const IMAGE_END = 0x80000;

export const PLAY = 0x400000;
/** Linear: a large page (or whatever CR4 makes of it) over physical 0. */
export const LARGE = 0x800000;
/** Linear: the playground once more, in some programs. The monitor's window is there otherwise. */
export const WINDOW_SLOT = 0xff800000;
export const UNMAPPED = [0x440000, 0x40000000, 0x7ffffff0, 0xc0000000];
export const VIDEO = 0xb8000;
export const ROM = 0xf0000;

// Selectors
export const SEL = {
  code0: 0x08,
  data0: 0x10,
  code3: 0x18,
  data3: 0x20,
  tss: 0x28,
  tssDf: 0x30,
  ldt: 0x38,
  code16: 0x40,
  code16user: 0x48,
  stack16: 0x50,
  code1: 0x58,
  data1: 0x60,
  code2: 0x68,
  data2: 0x70,
  tssA: 0x78,
  tssB: 0x80,
  tss16: 0x88,
  gate: 0x90,
  gateWords: 0x98,
  taskGate: 0xa0,
  conforming: 0xa8,
  gate1: 0xb0,
  data16: 0xb8,
  /** 64 KiB, 16 bits, ring 0: what real mode's segments are like. */
  real16: 0xc0,
};
export const FIRST_PLAY_SELECTOR = 0xc8;
export const GDT_LIMIT = 0x13f;
export const LDT_LIMIT = 0xff;
/** INT 80h ends a block. */
export const END_VECTOR = 0x80;
export const IRQ_BASE = 0x20;
