/**
 * The segment registers of the two sides of the world switch: what the guest's hold when the hardware's were loaded
 * directly, whether the hardware can have what the guest's hold, and which of its data segments must be loaded for that.
 * CS and SS reach the hardware by the IRET that enters the guest, the data segments by the nub's pops: doing either is
 * world.ts. What a descriptor table's entry becomes is descriptors.ts; arithmetic on descriptors is segments.ts.
 */
import {
  AR_CODE,
  AR_DC,
  AR_DPL,
  AR_UNUSABLE,
  CPL,
  CS,
  DS,
  ES,
  FS,
  GS,
  SEG,
  SEG_ACCESS,
  SEG_BASE,
  SEG_LIMIT,
  SEG_SELECTOR,
  SEG_WORDS,
  SS,
} from '@ringfence/sdk';
import type { Descriptors } from './descriptors.js';
import { wrapsAround } from './segments.js';

export const DATA_SEGMENTS = [DS, ES, FS, GS] as const;
/**
 * The null selector a data-segment register gets when the hardware cannot be given its contents. One that a deprivileged
 * kernel cannot load unnoticed (ADR 0010); user code can load each of the four, so in ring 3 nothing stands in.
 */
const STAND_IN = 1;
const CONFORMING = AR_CODE | AR_DC;

export class SegmentRegisters {
  /** CS and SS as the guest was last entered with them. */
  codeSelector = 0;
  stackSelector = 0;
  /** Limit of the hardware's code segment for the guest, unsigned. */
  codeLimit = 0;
  /** By register: the selectors that `choose` wants loaded. */
  readonly wanted = new Int32Array(6);
  /** The hardware's four data-segment registers as they were at the last look, 4 words each. */
  private readonly seenHardware = new Int32Array(4 * SEG_WORDS);
  /** The guest's, at the same moment; a register is reloaded when it differs. */
  private readonly seenGuest = new Int32Array(4 * SEG_WORDS);
  /** The guest's privilege level when its data segments were last chosen. */
  private seenRing = -1;
  /** A data-segment register of the hardware holds the stand-in. */
  standsIn = false;
  /**
   * Data segments (bit i for DATA_SEGMENTS[i]) from the guest's GDT that wrap round the end of linear space, and those of them that the
   * hardware holds whole. Ring 1 must not have them whole; ring 3 gets them so once it has used what the cut leaves out.
   */
  private wrapping = 0;
  private whole = 0;
  private wantsWhole = false;
  /** A segment register of the guest was set from the hardware's. */
  private adopted = false;
  /** CS and SS words, descriptor version and CPL for which `holdsCodeAndStack` last said yes. */
  private readonly heldWords = new Int32Array(2 * SEG_WORDS + 2);

  /** `h` and `g`: the states of the hardware and of the guest's processor. */
  constructor(
    private readonly h: Int32Array,
    private readonly g: Int32Array,
    private readonly descriptors: Descriptors,
  ) {
    this.forget();
  }

  /** Takes over what the guest has loaded directly. True when that is anything: the emulator must look at its state anew. */
  take(codeSelector: number, stackSelector: number): boolean {
    this.adopted = false;
    if (codeSelector !== this.codeSelector) this.adoptCode(codeSelector);
    if (stackSelector !== this.stackSelector) this.adopt(SS, stackSelector);
    this.takeData();
    return this.adopted;
  }

  /** The data segments on both sides belong together as they are now. */
  noteData(): void {
    for (let i = 0; i < 4; i++) this.note(i);
  }

  /** The data segments must be loaded again. */
  forgetData(): void {
    this.seenGuest.fill(-1);
  }

  /** Nothing seen so far holds. */
  forget(): void {
    this.seenGuest.fill(-1);
    this.heldWords.fill(-1);
  }

  /** Registers the guest has loaded directly since the last look were loaded from entries we still hold. */
  private takeData(): void {
    const { h, seenHardware } = this;
    for (let i = 0; i < 4; i++) {
      const from = SEG + DATA_SEGMENTS[i] * SEG_WORDS;
      const to = i * SEG_WORDS;
      if (
        h[from] === seenHardware[to] &&
        h[from + 1] === seenHardware[to + 1] &&
        h[from + 2] === seenHardware[to + 2] &&
        h[from + 3] === seenHardware[to + 3]
      ) {
        continue;
      }
      this.adopt(DATA_SEGMENTS[i], h[from] & 0xffff);
      this.note(i);
    }
  }

  /** An IRET of ring 1, to itself or to ring 3, was carried out by the hardware. */
  private adoptCode(selector: number): void {
    const ring = selector & 3;
    this.adopt(CS, ring === 3 ? selector : selector & 0xfffc);
    // What the data segments hold they hold rightly: the hardware kept, or took away, what the guest's own would.
    this.g[CPL] = this.seenRing = ring === 3 ? 3 : 0;
  }

  /** The hardware loaded `selector` directly: the guest's register holds what the guest's own descriptor says. */
  private adopt(register: number, selector: number): void {
    const { g, h } = this;
    this.adopted = true;
    const to = SEG + register * SEG_WORDS;
    const contents = (selector & 0xfffc) === 0 ? undefined : this.descriptors.guestContents(selector);
    if (contents === undefined) {
      // A null selector: the same on both sides.
      for (let word = 0; word < SEG_WORDS; word++) g[to + word] = h[to + word];
      g[to + SEG_SELECTOR] = selector;
      g[to + SEG_ACCESS] |= AR_UNUSABLE;
      return;
    }
    g[to + SEG_SELECTOR] = selector;
    g[to + SEG_BASE] = contents.base;
    g[to + SEG_LIMIT] = contents.limit;
    g[to + SEG_ACCESS] = contents.access;
  }

  private note(i: number): void {
    const { h, g } = this;
    const from = SEG + DATA_SEGMENTS[i] * SEG_WORDS;
    if (!this.sameAsSeen(i, from)) this.noteWrapping(i, from);
    for (let word = 0; word < SEG_WORDS; word++) {
      this.seenHardware[i * SEG_WORDS + word] = h[from + word];
      this.seenGuest[i * SEG_WORDS + word] = g[from + word];
    }
    const bit = 1 << i;
    const isWhole = (this.wrapping & bit) !== 0 && h[from + SEG_LIMIT] === g[from + SEG_LIMIT];
    this.whole = isWhole ? this.whole | bit : this.whole & ~bit;
  }

  /** The guest's data segment `i` holds something new. */
  private noteWrapping(i: number, words: number): void {
    const { g } = this;
    const bit = 1 << i;
    const contents = { base: g[words + SEG_BASE], limit: g[words + SEG_LIMIT], access: g[words + SEG_ACCESS] };
    const wraps = (contents.access & AR_UNUSABLE) === 0 && (g[words + SEG_SELECTOR] & 4) === 0 && wrapsAround(contents);
    if (wraps) this.wantsWhole = false;
    this.wrapping = wraps ? this.wrapping | bit : this.wrapping & ~bit;
  }

  /** User code ran into a limit, perhaps one that was cut. True: there is such a one, and the next entry will bring it back whole. */
  restoresLimit(): boolean {
    if (this.g[CPL] !== 3 || (this.wrapping & ~this.whole) === 0) return false;
    this.wantsWhole = true;
    return true;
  }

  /** Whether ring 3's own GDT is to be in force. */
  get userTable(): boolean {
    return this.wantsWhole && this.g[CPL] === 3;
  }

  /** Whether the hardware can have the guest's CS and SS; sets `codeLimit`. */
  holdsCodeAndStack(): boolean {
    const { g, heldWords } = this;
    const words = SEG + CS * SEG_WORDS;
    let same = heldWords[8] === this.descriptors.version && heldWords[9] === g[CPL];
    for (let i = 0; same && i < 8; i++) same = heldWords[i] === g[words + i];
    if (same) return true;
    if (!this.holds(CS) || !this.holds(SS)) return false;
    for (let i = 0; i < 8; i++) heldWords[i] = g[words + i];
    heldWords[8] = this.descriptors.version;
    heldWords[9] = g[CPL];
    this.codeLimit = this.descriptors.hardwareContents(g[words + SEG_SELECTOR])!.limit >>> 0;
    return true;
  }

  /** Whether ring 3 can have its data segments as they are. What it has from an earlier entry it keeps. */
  holdsUserData(): boolean {
    const { g } = this;
    for (let i = 0; i < 4; i++) {
      const at = SEG + DATA_SEGMENTS[i] * SEG_WORDS;
      if (this.seenRing === 3 && this.sameAsSeen(i, at)) continue;
      const selector = g[at + SEG_SELECTOR];
      if ((selector & 0xfffc) === 0) continue;
      const access = g[at + SEG_ACCESS];
      if ((access & AR_UNUSABLE) !== 0 || this.isInner(at)) return false;
      if (!this.descriptors.hold(selector, { base: g[at + SEG_BASE], limit: g[at + SEG_LIMIT], access })) return false;
    }
    return true;
  }

  /** Whether the guest's words at `at` are those of data segment `i` when it was last looked at. */
  private sameAsSeen(i: number, at: number): boolean {
    const { g, seenGuest } = this;
    const seen = i * SEG_WORDS;
    return (
      g[at] === seenGuest[seen] &&
      g[at + 1] === seenGuest[seen + 1] &&
      g[at + 2] === seenGuest[seen + 2] &&
      g[at + 3] === seenGuest[seen + 3]
    );
  }

  private holds(register: number): boolean {
    const { g } = this;
    const at = SEG + register * SEG_WORDS;
    const selector = g[at + SEG_SELECTOR];
    const access = g[at + SEG_ACCESS];
    if ((access & AR_UNUSABLE) !== 0 || this.descriptors.usesInPlace(selector)) return false;
    // Conforming code runs at the caller's level: its descriptor's DPL says nothing about the ring.
    if (register === CS && (access & CONFORMING) === CONFORMING) return false;
    return this.descriptors.hold(selector, { base: g[at + SEG_BASE], limit: g[at + SEG_LIMIT], access });
  }

  /**
   * Decides what the hardware's data-segment registers must hold: what they hold already (0), or a reload through the nub
   * (1), or a reload with the in-place LDT in sight (2). `wanted` is what to load. A register the hardware cannot be given is loaded with null: each use of it
   * then traps and is done by the emulator.
   */
  choose(): number {
    const { g } = this;
    // For a stand-in another level may have the segment itself.
    let reload = this.standsIn && this.seenRing !== g[CPL] ? 1 : 0;
    this.seenRing = g[CPL];
    for (let i = 0; i < 4; i++) if (!this.sameAsSeen(i, SEG + DATA_SEGMENTS[i] * SEG_WORDS)) reload = 1;
    if (this.whole !== (this.userTable ? this.wrapping : 0)) reload = 1;
    if (reload === 0) return 0;
    this.standsIn = false;
    for (let i = 0; i < 4; i++) {
      const register = DATA_SEGMENTS[i];
      const from = SEG + register * SEG_WORDS;
      const selector = g[from + SEG_SELECTOR] & 0xffff;
      let wanted = selector;
      if ((selector & 0xfffc) !== 0) {
        const contents = { base: g[from + SEG_BASE], limit: g[from + SEG_LIMIT], access: g[from + SEG_ACCESS] };
        if ((contents.access & AR_UNUSABLE) !== 0 || !this.descriptors.hold(selector, contents)) {
          wanted = STAND_IN;
          this.standsIn = true;
        } else if (this.descriptors.usesInPlace(selector)) {
          reload = 2;
        }
      }
      this.wanted[register] = wanted;
    }
    return reload;
  }

  /**
   * Whether the data-segment register at these words holds what user code could not load. SYSEXIT and task switches
   * leave such a segment to ring 3; the nub's IRET would take it away (SDM Vol. 2A, "IRET", return to outer privilege level).
   */
  private isInner(words: number): boolean {
    const access = this.g[words + SEG_ACCESS];
    return (access & AR_UNUSABLE) === 0 && (access & AR_DPL) !== AR_DPL && (access & CONFORMING) !== CONFORMING;
  }
}
