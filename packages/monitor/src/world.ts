/**
 * The world switch: between the guest on the hardware (deprivileged, in ring 1 or 3) and the guest's processor as the
 * guest sees it (the emulator's state).
 *
 * `leave` runs after the nub's HLT: it reads the trap frame from the ring-0 stack and brings the emulator's state up to
 * date. `enter` does the reverse and leaves the hardware at an IRET of the nub. What never differs on the two sides
 * (arithmetic flags, general registers, data-segment selectors) is copied; what does is kept on the guest's side only:
 * privilege level, IF, IOPL, CS and SS selectors, all control registers.
 *
 * Why the stack page is safe although it is mapped writable: the hardware's own frame pushes are supervisor writes, so paging
 * cannot keep ring 1 out of the page and let them in. Segment limits do: no descriptor the guest can load reaches above
 * GUEST_LINEAR_LIMIT; an access there is #GP or #SS, and the emulator does it in the guest's view.
 */
import {
  AR_CODE,
  AR_DB,
  AR_DC,
  AR_DPL,
  AR_UNUSABLE,
  CPL,
  CR0,
  CR0_PE,
  CR3,
  CS,
  DS,
  EAX,
  EDI,
  EFLAGS,
  EIP,
  ES,
  ESP,
  FLAGS_ARITH,
  FLAG_DF,
  FLAG_IF,
  FLAG_IOPL,
  FLAG_NT,
  FLAG_RF,
  FLAG_TF,
  FLAG_VIF,
  FLAG_VIP,
  FLAG_VM,
  FS,
  GS,
  HALTED,
  RingfenceError,
  SEG,
  SEG_ACCESS,
  SEG_BASE,
  SEG_LIMIT,
  SEG_SELECTOR,
  SEG_WORDS,
  SS,
  STOP_REQUESTED,
  VEC_BP,
  VEC_DB,
  VEC_DF,
  VEC_NMI,
  VEC_OF,
  pushesErrorCode,
  type Processor,
} from '@ringfence/sdk';
import type { Descriptors } from './descriptors.js';
import { FIRST_WINDOW_SLOT, FRAME_NUB, HOST_INTERRUPT_VECTOR, RESUME_FRAME, RESUME_IRET, STACK_TOP } from './layout.js';
import { RELOAD_STUB, STUB_IRET } from './nub.js';
import type { Pager } from './pager.js';
import type { Window } from './window.js';

/** Flags that direct execution changes in ring 1 exactly as in ring 0. */
const DIRECT_FLAGS = FLAGS_ARITH | FLAG_DF | FLAG_RF;
const VIRTUAL_FLAGS = FLAG_IF | FLAG_IOPL | FLAG_NT | FLAG_VM | FLAG_VIF | FLAG_VIP;
const DATA_SEGMENTS = [DS, ES, FS, GS] as const;
/**
 * The null selector a data-segment register gets when the hardware cannot be given its contents. One that a deprivileged
 * kernel cannot load unnoticed (ADR 0010); user code can load each of the four, so in ring 3 nothing stands in.
 */
const STAND_IN = 1;
const CONFORMING = AR_CODE | AR_DC;
/** What reaches the nub without being a fault: debug traps, NMI, breakpoint and overflow traps, double faults. */
const NO_FAULTS: ReadonlySet<number> = new Set([VEC_DB, VEC_NMI, VEC_BP, VEC_OF, VEC_DF]);
/** Where a data segment's selector stands in the resume frame. */
const FRAME_OFFSET: Readonly<Record<number, number>> = { [GS]: 0, [FS]: 4, [ES]: 8, [DS]: 12 };

export class World {
  /** Vector and error code of the trap that ended the last stay in the guest, and its CR2-style address if #PF. */
  vector = 0;
  errorCode = 0;
  /** Direct execution must trap after one instruction: a policy steps. */
  stepping = false;
  /** Reason why `enter` last refused, for reports. */
  refusal = '';
  private readonly h: Int32Array;
  private readonly g: Int32Array;
  /** The hardware's four data-segment registers as they were at the last look, 4 words each. */
  private readonly seenHardware = new Int32Array(4 * SEG_WORDS);
  /** The guest's, at the same moment; a register is reloaded when it differs. */
  private readonly seenGuest = new Int32Array(4 * SEG_WORDS);
  private seenStackSelector = 0;
  /** The guest's privilege level when its data segments were last chosen. */
  private seenRing = -1;
  /** A data-segment register of the hardware holds the stand-in. */
  private standsIn = false;
  /** EIP and RF with which the guest was last entered. */
  private enteredAt = 0;
  private enteredWithRf = false;
  /** A segment register of the guest was set from the hardware's: the emulator must look at its state anew. */
  private adopted = false;
  /** Limit of the hardware's code segment for the guest, unsigned. */
  private codeLimit = 0;
  /** CS and SS words and descriptor version for which `holdsCodeAndStack` last said yes. */
  private readonly heldWords = new Int32Array(2 * SEG_WORDS + 2);

  constructor(
    private readonly hardware: Processor,
    private readonly emulator: Processor,
    private readonly window: Window,
    private readonly pager: Pager,
    private readonly descriptors: Descriptors,
  ) {
    this.h = hardware.state;
    this.g = emulator.state;
    this.seenGuest.fill(-1);
    this.heldWords.fill(-1);
  }

  // ---------------------------------------------------------------------------------------- leaving the guest

  /** The nub has stopped: brings the emulator's state up to date from the trap frame. */
  leave(): void {
    const { h, g, hardware: hw } = this;
    let at = h[ESP];
    this.vector = hw.readLinear(at, 4);
    at += 4;
    this.errorCode = 0;
    if (pushesErrorCode(this.vector)) {
      this.errorCode = hw.readLinear(at, 4);
      at += 4;
    }
    const cs = hw.readLinear(at + 4, 4);
    if ((cs & 3) === 0) {
      throw new RingfenceError('RF_MONITOR_FAULT', {
        message: `vector ${this.vector} was raised in the monitor's own code at ${hex(hw.readLinear(at, 4))}`,
        value: this.vector,
        fix: 'this is a defect of Ringfence: please report it with the guest',
      });
    }
    for (let register = EAX; register <= EDI; register++) g[register] = h[register];
    g[EIP] = hw.readLinear(at, 4);
    this.takeFlags(hw.readLinear(at + 8, 4));
    // A fault's frame shows RF = 1 whatever it was. It was 1 only if the guest was entered so, and is still at that instruction.
    if (isFault(this.vector) && (!this.enteredWithRf || g[EIP] !== this.enteredAt)) g[EFLAGS] &= ~FLAG_RF;
    g[ESP] = hw.readLinear(at + 12, 4);
    const ss = hw.readLinear(at + 16, 4) & 0xffff;
    if (ss !== this.seenStackSelector) this.adoptSegment(SS, ss);
    this.takeDataSegments();
    this.descriptors.leavePrivate();
    if (this.adopted) this.emulator.stateChanged();
    this.adopted = false;
  }

  /** The hardware stands between two guest instructions, outside the nub: copies its live state for a look. */
  peek(): void {
    const { h, g, hardware: hw } = this;
    for (let register = EAX; register <= EDI; register++) g[register] = h[register];
    g[EIP] = h[EIP];
    this.takeFlags(hw.getEflags());
    const ss = h[SEG + SS * SEG_WORDS + SEG_SELECTOR] & 0xffff;
    if (ss !== this.seenStackSelector) this.adoptSegment(SS, ss);
    this.takeDataSegments();
    this.descriptors.leavePrivate();
    if (this.adopted) this.emulator.stateChanged();
    this.adopted = false;
  }

  private takeFlags(direct: number): void {
    const kept = this.g[EFLAGS] & ~DIRECT_FLAGS;
    this.emulator.setEflags(kept | (direct & DIRECT_FLAGS));
  }

  /** Registers the guest has loaded directly since the last look were loaded from entries we still hold. */
  private takeDataSegments(): void {
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
      this.adoptSegment(DATA_SEGMENTS[i], h[from] & 0xffff);
      this.noteSegment(i);
    }
  }

  /** The hardware loaded `selector` directly: the guest's register holds what the guest's own descriptor says. */
  private adoptSegment(register: number, selector: number): void {
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

  private noteSegment(i: number): void {
    const from = SEG + DATA_SEGMENTS[i] * SEG_WORDS;
    for (let word = 0; word < SEG_WORDS; word++) {
      this.seenHardware[i * SEG_WORDS + word] = this.h[from + word];
      this.seenGuest[i * SEG_WORDS + word] = this.g[from + word];
    }
  }

  // ---------------------------------------------------------------------------------------- entering the guest

  /** Whether the hardware can hold the guest's state; `refusal` says why not. Finds the window a place. */
  canHold(): boolean {
    const { g } = this;
    if ((g[CR0] & CR0_PE) === 0) return this.refuse('real-mode');
    if ((g[EFLAGS] & FLAG_VM) !== 0) return this.refuse('v8086');
    if (g[CPL] === 1 || g[CPL] === 2) return this.refuse('inner-ring');
    if (!this.placeWindow()) return this.refuse('no-window');
    if (!this.holdsCodeAndStack()) return this.refuse('segments');
    if (g[CPL] === 3 && !this.holdsUserData()) return this.refuse('segments');
    // Beyond a limit that we cut (or the guest's own): IRET would fault in the nub, the guest's fetch must.
    if (g[EIP] >>> 0 > this.codeLimit) return this.refuse('code-limit');
    // IRET to a 16-bit stack loads SP alone (SDM Vol. 2A, "IRET"): the upper half of ESP would stay that of our stack.
    if ((g[SEG + SS * SEG_WORDS + SEG_ACCESS] & AR_DB) === 0 && (g[ESP] ^ STACK_TOP) >>> 16 !== 0) {
      return this.refuse('small-stack');
    }
    return true;
  }

  private refuse(why: string): false {
    this.refusal = why;
    return false;
  }

  /** Moves the window out of the guest's way. False when there is no free slot at all. */
  private placeWindow(): boolean {
    const { pager, window } = this;
    pager.activate();
    if (!pager.windowSuspect) return true;
    if (pager.guestUsesSlot(window.slot)) {
      // Best where the guest maps nothing at all; else where it maps nothing that exists, as high up as can be.
      let slot = FIRST_WINDOW_SLOT;
      while (slot >= 0 && pager.guestMapsSlot(slot)) slot--;
      if (slot < 0) for (slot = FIRST_WINDOW_SLOT; slot >= 0 && pager.guestUsesSlot(slot);) slot--;
      if (slot < 0) return false;
      window.relocate(
        slot,
        (to) => pager.hookWindow(to),
        (from) => pager.unhookWindow(from),
      );
      this.descriptors.windowMoved();
    }
    const exposed = pager.guestMapsSlot(window.slot);
    if (exposed !== window.exposed) {
      window.exposed = exposed;
      this.descriptors.windowMoved();
      // What the hardware's registers hold was cut, or not, for what was.
      this.seenGuest.fill(-1);
    }
    pager.windowSuspect = false;
    return true;
  }

  private holdsCodeAndStack(): boolean {
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
  private holdsUserData(): boolean {
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
    if (register === CS && (access & (AR_CODE | 4)) === (AR_CODE | 4)) return false;
    return this.descriptors.hold(selector, { base: g[at + SEG_BASE], limit: g[at + SEG_LIMIT], access });
  }

  /** Preconditions: `canHold()`. Afterwards the hardware stands at the nub's IRET to the guest. */
  enter(): void {
    const { h, g, hardware: hw, pager, window, descriptors } = this;
    pager.activate();
    const reload = this.chooseSegments();
    descriptors.loadLdt();
    window.close();
    if (pager.flushPending || ((h[CR3] ^ window.guestRoot) & 0xfffff000) !== 0) {
      hw.writeCr3(window.guestCr3());
      pager.flushPending = false;
    }
    const ring = g[CPL] === 0 ? 1 : 3;
    let flags = (this.emulator.getEflags() & ~VIRTUAL_FLAGS) | FLAG_IF;
    if (this.stepping) flags |= FLAG_TF;
    const ss = (g[SEG + SS * SEG_WORDS] & 0xfffc) | ring;
    this.seenStackSelector = ss;
    const at = RESUME_IRET;
    this.enteredAt = g[EIP];
    this.enteredWithRf = (flags & FLAG_RF) !== 0;
    hw.writeLinear(at, 4, g[EIP]);
    hw.writeLinear(at + 4, 4, (g[SEG + CS * SEG_WORDS] & 0xfffc) | ring);
    hw.writeLinear(at + 8, 4, flags);
    hw.writeLinear(at + 12, 4, g[ESP]);
    hw.writeLinear(at + 16, 4, ss);
    for (let register = EAX; register <= EDI; register++) h[register] = g[register];
    descriptors.enterPrivate();
    if (reload !== 0) this.reloadSegments(reload === 2);
    else this.startAt(STUB_IRET, RESUME_IRET);
  }

  private startAt(stub: number, stack: number): void {
    const { h } = this;
    h[ESP] = stack | 0;
    h[EIP] = this.window.linear(FRAME_NUB, stub);
    h[HALTED] = 0;
  }

  /**
   * Decides what the hardware's data-segment registers must hold: what they hold already (0), or a reload through the nub
   * (1), or a reload with the in-place LDT in sight (2). A register the hardware cannot be given is loaded with null: each use of it
   * then traps and is done by the emulator.
   */
  private chooseSegments(): number {
    const { g } = this;
    // For a stand-in another level may have the segment itself.
    let reload = this.standsIn && this.seenRing !== g[CPL] ? 1 : 0;
    this.seenRing = g[CPL];
    for (let i = 0; i < 4; i++) if (!this.sameAsSeen(i, SEG + DATA_SEGMENTS[i] * SEG_WORDS)) reload = 1;
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

  private readonly wanted = new Int32Array(6);

  private reloadSegments(pause: boolean): void {
    const { h, hardware: hw, wanted } = this;
    for (const register of DATA_SEGMENTS) hw.writeLinear(RESUME_FRAME + FRAME_OFFSET[register], 4, wanted[register]);
    if (pause) this.revealLdt(true);
    // Run the pops to the stub's HLT, look at what the registers hold now, and go on to the IRET behind it.
    this.startAt(RELOAD_STUB, RESUME_FRAME);
    // A stop asked for while the emulator was at work (a device moved a deadline) is not the nub's.
    while (hw.run(1) === STOP_REQUESTED);
    if (h[HALTED] === 0 || h[CPL] !== 0 || h[ESP] !== (RESUME_IRET | 0)) {
      throw new RingfenceError('RF_MONITOR_FAULT', {
        message: "the nub could not load the guest's data segments",
        value: [...wanted],
        fix: 'this is a defect of Ringfence: please report it with the guest',
      });
    }
    if (pause) this.revealLdt(false);
    for (let i = 0; i < 4; i++) this.noteSegment(i);
    h[HALTED] = 0;
  }

  /** Set by the monitor: maps or hides the pages of the in-place LDT for the hardware's own reads. */
  revealLdt: (on: boolean) => void = () => {};

  /** The guest's state was replaced as a whole: nothing seen so far holds. */
  forget(): void {
    this.seenGuest.fill(-1);
    this.heldWords.fill(-1);
  }
}

/** Exceptions whose frames show RF = 1 (SDM Vol. 3B, 17.3.1.1 "Instruction-Breakpoint Exception Condition"). */
function isFault(vector: number): boolean {
  return vector < HOST_INTERRUPT_VECTOR && !NO_FAULTS.has(vector);
}

function hex(value: number): string {
  return `0x${(value >>> 0).toString(16)}`;
}
