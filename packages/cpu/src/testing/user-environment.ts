/**
 * The place where recorded and fuzzed code runs, the same on real silicon (tools/silicon) and on the user-mode machine beside
 * this file: linear addresses of code and data, contents of the GDT (Linux's, as far as ring 3 can tell) and of the LDT, and
 * the shape of a case and of its outcome. Plain data; it imports nothing, so that tools can load it without a build.
 */

/** Code: read-only pages, filled with INT3 around what a case puts there. What lies around is not mapped. */
export const CODE_BASE = 0x00110000;
export const CODE_BYTES = 0x2000;
/** Data: two writable pages with unmapped neighbours. */
export const DATA_BASE = 0x00200000;
export const DATA_BYTES = 0x2000;
/** A read-only page with unmapped neighbours. */
export const READ_ONLY_BASE = 0x00204000;
/** A third writable page, the last of the 64 KiB that begin at DATA_BASE: 16-bit offsets wrap from here to DATA_BASE. */
export const TOP_BASE = 0x0020f000;
export const PAGE = 0x1000;

/** Memory that a case may find and change, in this order wherever it is kept as one array. */
export const AREAS: readonly { readonly at: number; readonly bytes: number; readonly writable: boolean }[] = [
  { at: DATA_BASE, bytes: DATA_BYTES, writable: true },
  { at: TOP_BASE, bytes: PAGE, writable: true },
  { at: READ_ONLY_BASE, bytes: PAGE, writable: false },
];

/** One LDT entry in the words of modify_ldt(2); `contents`: 0 data, 1 expand-down data, 2 code. */
export interface LdtEntry {
  readonly name: string;
  readonly base: number;
  readonly limit: number;
  readonly wide: boolean;
  readonly contents: 0 | 1 | 2;
  /** Data: not writable. Code: not readable. */
  readonly restricted: boolean;
  readonly pages: boolean;
  readonly present: boolean;
}

function entry(name: string, base: number, limit: number, options: Partial<LdtEntry> = {}): LdtEntry {
  return { wide: true, contents: 0, restricted: false, pages: false, present: true, ...options, name, base, limit };
}

/** The LDT; the selector of entry n is n * 8 + 7. A hole is a descriptor of zeros within the limit. */
export const LDT_ENTRIES: readonly (LdtEntry | undefined)[] = [
  entry('data32', DATA_BASE, 0x1fff),
  entry('data16', DATA_BASE, 0xffff, { wide: false }),
  entry('down32', DATA_BASE, 0x0fff, { contents: 1 }),
  entry('down16', DATA_BASE, 0x07ff, { contents: 1, wide: false }),
  entry('readOnly', DATA_BASE, 0x0fff, { restricted: true }),
  entry('tiny', DATA_BASE + 0x800, 0x17),
  entry('dataAbsent', DATA_BASE, 0x1fff, { present: false }),
  entry('code32', CODE_BASE, 0x1fff, { contents: 2 }),
  entry('execOnly32', 0, 0xfffff, { contents: 2, restricted: true, pages: true }),
  entry('code16', CODE_BASE, 0x1fff, { contents: 2, wide: false }),
  entry('execOnly16', CODE_BASE, 0x1fff, { contents: 2, wide: false, restricted: true }),
  entry('codeAbsent', CODE_BASE, 0x1fff, { contents: 2, present: false }),
  entry('flat', 0, 0xfffff, { pages: true }),
  entry('downPages', DATA_BASE, 0x200, { contents: 1, pages: true, restricted: true }),
  entry('pageEdge', DATA_BASE + 0x1ff0, 0x2f),
  undefined,
  entry('stack16', DATA_BASE, 0x0fff, { wide: false }),
  entry('code16Low', CODE_BASE, 0x10ff, { contents: 2, wide: false }),
];

/** Selectors by name, ring 3. */
export const USER_CS = 0x23;
export const USER_DS = 0x2b;
/** 64-bit code on the native side: a case must never load it into CS. */
export const LONG_CS = 0x33;
export function ldtSelector(name: string): number {
  const index = LDT_ENTRIES.findIndex((each) => each?.name === name);
  if (index < 0) throw new Error(`no LDT entry ${name}`);
  return index * 8 + 7;
}

/** GDT entries that ring 3 can see on Linux, [index, low, high]; its limit is GDT_LIMIT. */
export const GDT_LIMIT = 0x7f;
export const GDT_ENTRIES: readonly (readonly [number, number, number])[] = [
  [1, 0x0000ffff, 0x00cf9b00],
  [2, 0x0000ffff, 0x00af9b00],
  [3, 0x0000ffff, 0x00cf9300],
  [4, 0x0000ffff, 0x00cffb00],
  [5, 0x0000ffff, 0x00cff300],
  [6, 0x0000ffff, 0x00affb00],
  // What getcpu(2) looks at; its limit is the number of the CPU.
  [15, 0x00000000, 0x0040f500],
];

/** What a case starts from. Segment selectors stand in encoding order: ES CS SS DS FS GS. */
export interface UserCase {
  readonly code: Uint8Array;
  /** Linear address of the code. */
  readonly codeAt: number;
  readonly regs: ArrayLike<number>;
  /** Offset in CS where execution begins. */
  readonly eip: number;
  readonly eflags: number;
  readonly seg: ArrayLike<number>;
  /** Memory that differs from the base pattern; within AREAS. */
  readonly patches: readonly { readonly at: number; readonly bytes: Uint8Array }[];
  /** FXSAVE image to begin with; without one the x87 and SSE are as FNINIT and MXCSR = 1F80h leave them, all zero. */
  readonly fx?: Uint8Array;
}

/**
 * How a case ended: `trap` with the first exception (INT3 is vector 3: the normal end, EIP behind it), `hang` after too long,
 * `setup` when the state could not be loaded, `syscall` when the code asked the kernel for something.
 */
export interface UserOutcome {
  kind: 'trap' | 'hang' | 'setup' | 'syscall';
  vector: number;
  errorCode: number;
  /** Meaningful for vector 14 only. */
  cr2: number;
  regs: Uint32Array;
  eip: number;
  /** RF is taken out: it is set in every fault's image and says nothing about the code. */
  eflags: number;
  seg: Uint16Array;
  /** FXSAVE image; instruction and operand pointers are zero in it, kernels hand them on too differently. */
  fx: Uint8Array;
  /** Dwords of memory that changed against the case's initial memory: address, value, address, value ... */
  changes: Uint32Array;
}

/** What AREAS hold before a case's patches: numbers that look like small integers, floats, pointers into the arena, and noise. */
export function baseMemory(): Uint8Array {
  const bytes = AREAS.reduce((sum, area) => sum + area.bytes, 0);
  const words = new Uint32Array(bytes / 4);
  let x = 0x9e3779b9;
  const next = (): number => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return x >>> 0;
  };
  for (let i = 0; i < words.length; i++) {
    const value = next();
    switch (next() & 7) {
      case 0:
        words[i] = value & 0xff;
        break;
      case 1:
        words[i] = DATA_BASE + (value & 0x1fff);
        break;
      case 2:
        words[i] = 0x3f000000 + (value & 0x1ffffff);
        break;
      case 3:
        words[i] = [0, 0xffffffff, 0x80000000, 0x7fffffff, 1, 0x7f800000, 0x3ff00000, 0xffff0000][value & 7];
        break;
      default:
        words[i] = value;
    }
  }
  return new Uint8Array(words.buffer);
}
