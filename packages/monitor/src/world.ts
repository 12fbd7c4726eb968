/**
 * The world switch: between the guest on the hardware (deprivileged, in ring 1 or 3, or in virtual-8086 mode) and the guest's
 * processor as the guest sees it (the emulator's state).
 *
 * `leave` runs after the nub's HLT: it reads the trap frame from the ring-0 stack and brings the emulator's state up to
 * date. `enter` does the reverse and leaves the hardware at an IRET of the nub. What never differs on the two sides
 * (arithmetic flags, general registers, data-segment selectors) is copied; what does is kept on the guest's side only:
 * privilege level, IF (which the hardware may keep as VIF), IOPL, CS and SS selectors, all control registers. What the segment registers
 * of the two sides have to do with each other is segment-registers.ts; in the guest's 16-bit modes, virtual-8086.ts.
 *
 * Why the stack page is safe although it is mapped writable: the hardware's own frame pushes are supervisor writes, so paging
 * cannot keep ring 1 out of the page and let them in. Segment limits do: no descriptor that ring 1 can load reaches above
 * GUEST_LINEAR_LIMIT; an access there is #GP or #SS, and the emulator does it in the guest's view.
 */
import {
  AR_DB,
  CPL,
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
  FLAG_AC,
  FLAG_DF,
  FLAG_ID,
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
  NMI_BLOCKED,
  RingfenceError,
  SEG,
  SEG_ACCESS,
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
  type SensitiveStrategy,
  type VirtualFlags,
} from '@ringfence/sdk';
import type { Descriptors } from './descriptors.js';
import type { GuestWalk } from './guest-walk.js';
import { FIRST_WINDOW_SLOT, FRAME_NUB, HOST_INTERRUPT_VECTOR, RESUME_FRAME, RESUME_IRET, STACK_TOP } from './layout.js';
import { RELOAD_STUB, STUB_IRET } from './nub.js';
import type { Pager } from './pager.js';
import { DATA_SEGMENTS, SegmentRegisters } from './segment-registers.js';
import { V86_FRAME, Virtual8086 } from './virtual-8086.js';
import type { Window } from './window.js';

/** Flags that the hardware has as the guest has them. */
const DIRECT_FLAGS = FLAGS_ARITH | FLAG_DF | FLAG_RF | FLAG_AC | FLAG_ID;
/** With any of these in its flags the guest's kernel must not handle them unseen (ADR 0022). */
const UNSHARED_FLAGS = FLAG_IOPL | FLAG_NT | FLAG_VIF | FLAG_VIP;
const VIRTUAL_FLAGS = FLAG_IF | FLAG_IOPL | FLAG_NT | FLAG_VM | FLAG_VIF | FLAG_VIP;
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
  /** An interrupt waits for the guest to enable interrupts. */
  interruptWaiting = false;
  /** Reason why `enter` last refused, for reports. */
  refusal = '';
  private readonly h: Int32Array;
  private readonly g: Int32Array;
  /** EIP and RF with which the guest was last entered. */
  private enteredAt = 0;
  private enteredWithRf = false;
  private readonly segments: SegmentRegisters;
  private readonly v8086: Virtual8086;
  /** The hardware keeps the guest's IF, as VIF. */
  private readonly hasVif: boolean;
  /** The flag instructions of ring 1 that do not exit. */
  private virtualFlags: VirtualFlags = 'none';

  constructor(
    private readonly hardware: Processor,
    private readonly emulator: Processor,
    private readonly window: Window,
    private readonly walk: GuestWalk,
    private readonly pager: Pager,
    private readonly descriptors: Descriptors,
    private readonly sensitive: SensitiveStrategy,
  ) {
    this.h = hardware.state;
    this.g = emulator.state;
    this.hasVif = sensitive.virtualFlags !== undefined;
    this.segments = new SegmentRegisters(hardware.state, emulator.state, descriptors);
    this.v8086 = new Virtual8086(hardware, emulator);
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
    const flags = hw.readLinear(at + 8, 4);
    const v8086 = (flags & FLAG_VM) !== 0;
    const cs = hw.readLinear(at + 4, 4);
    if (!v8086 && (cs & 3) === 0) {
      throw new RingfenceError('RF_MONITOR_FAULT', {
        message: `vector ${this.vector} was raised in the monitor's own code at ${hex(hw.readLinear(at, 4))}`,
        value: this.vector,
        fix: 'this is a defect of Ringfence: please report it with the guest',
      });
    }
    for (let register = EAX; register <= EDI; register++) g[register] = h[register];
    g[EIP] = hw.readLinear(at, 4);
    if (v8086) this.v8086.takeFlags(flags);
    else this.takeFlags(flags);
    // A fault's frame shows RF = 1 whatever it was. It was 1 only if the guest was entered so, and is still at that instruction.
    if (isFault(this.vector) && (!this.enteredWithRf || g[EIP] !== this.enteredAt)) g[EFLAGS] &= ~FLAG_RF;
    g[ESP] = hw.readLinear(at + 12, 4);
    if (v8086) this.v8086.takeFrame(at);
    else this.takeSegments(cs & 0xffff, hw.readLinear(at + 16, 4) & 0xffff);
    this.descriptors.leavePrivate();
  }

  /** The hardware stands between two guest instructions, outside the nub: copies its live state for a look. */
  peek(): void {
    const { h, g, hardware: hw } = this;
    for (let register = EAX; register <= EDI; register++) g[register] = h[register];
    g[EIP] = h[EIP];
    const flags = hw.getEflags();
    if ((flags & FLAG_VM) !== 0) {
      this.v8086.takeFlags(flags);
      this.v8086.takeLive();
    } else {
      this.takeFlags(flags);
      const cs = h[SEG + CS * SEG_WORDS + SEG_SELECTOR] & 0xffff;
      this.takeSegments(cs, h[SEG + SS * SEG_WORDS + SEG_SELECTOR] & 0xffff);
    }
    this.descriptors.leavePrivate();
  }

  private takeFlags(direct: number): void {
    let flags = (this.g[EFLAGS] & ~DIRECT_FLAGS) | (direct & DIRECT_FLAGS);
    if (this.hasVif) flags = (flags & ~FLAG_IF) | ((direct & FLAG_VIF) !== 0 ? FLAG_IF : 0);
    this.emulator.setEflags(flags);
  }

  /** Whether the guest has interrupts enabled: as it was entered, or as it has come to have them on the hardware. */
  interruptsEnabled(): boolean {
    const { h, g } = this;
    return (this.hasVif && h[CPL] !== 0 ? h[EFLAGS] & FLAG_VIF : g[EFLAGS] & FLAG_IF) !== 0;
  }

  /** The guest, between two instructions on the hardware, could enable interrupts unnoticed although one waits by now. */
  missesInterrupt(): boolean {
    const { h } = this;
    if (this.virtualFlags === 'none' || !this.interruptWaiting) return false;
    return h[CPL] === 1 && (h[EFLAGS] & (FLAG_VIF | FLAG_VIP)) === 0;
  }

  private takeSegments(codeSelector: number, stackSelector: number): void {
    if (this.segments.take(codeSelector, stackSelector)) this.emulator.stateChanged();
  }

  // ---------------------------------------------------------------------------------------- entering the guest

  /** Whether the hardware can hold the guest's state; `refusal` says why not. Finds the window a place. */
  canHold(): boolean {
    const { g, segments } = this;
    // There every IRET traps, so that the end of NMI blocking does not go unseen.
    if (this.v8086.wanted) return this.canHoldV8086();
    if (g[CPL] === 1 || g[CPL] === 2) return this.refuse('inner-ring');
    // Which IRET ends the blocking of NMIs cannot be seen from outside: those of ring 3 do not trap.
    if (g[NMI_BLOCKED] !== 0) return this.refuse('nmi-blocked');
    if (!this.placeWindow()) return this.refuse('no-window');
    if (!segments.holdsCodeAndStack()) return this.refuse('segments');
    if (g[CPL] === 3 && !segments.holdsUserData()) return this.refuse('segments');
    // Beyond a limit that we cut (or the guest's own): IRET would fault in the nub, the guest's fetch must.
    if (g[EIP] >>> 0 > segments.codeLimit) return this.refuse('code-limit');
    // IRET to a 16-bit stack loads SP alone (SDM Vol. 2A, "IRET"): the upper half of ESP would stay that of our stack.
    if ((g[SEG + SS * SEG_WORDS + SEG_ACCESS] & AR_DB) === 0 && (g[ESP] ^ STACK_TOP) >>> 16 !== 0) {
      return this.refuse('small-stack');
    }
    return true;
  }

  private canHoldV8086(): boolean {
    const { v8086 } = this;
    if (!v8086.holdsSegments()) return this.refuse(v8086.realMode ? 'unreal-mode' : 'v8086');
    if (!v8086.holdsEip()) return this.refuse('code-limit');
    return this.placeWindow() || this.refuse('no-window');
  }

  private refuse(why: string): false {
    this.refusal = why;
    return false;
  }

  /** Moves the window out of the guest's way. False when there is no free slot at all. */
  private placeWindow(): boolean {
    const { pager, walk, window } = this;
    pager.activate();
    if (!pager.windowSuspect) return true;
    if (walk.usesSlot(window.slot)) {
      // Best where the guest maps nothing at all; else where it maps nothing that exists, as high up as can be.
      let slot = FIRST_WINDOW_SLOT;
      while (slot >= 0 && walk.mapsSlot(slot)) slot--;
      if (slot < 0) for (slot = FIRST_WINDOW_SLOT; slot >= 0 && walk.usesSlot(slot);) slot--;
      if (slot < 0) return false;
      window.relocate(
        slot,
        (to) => pager.hookWindow(to),
        (from) => pager.unhookWindow(from),
      );
      this.descriptors.windowMoved();
    }
    const exposed = walk.mapsSlot(window.slot);
    if (exposed !== window.exposed) {
      window.exposed = exposed;
      this.descriptors.windowMoved();
      // What the hardware's registers hold was cut, or not, for what was.
      this.segments.forgetData();
    }
    pager.windowSuspect = false;
    return true;
  }

  /** Preconditions: `canHold()`. Afterwards the hardware stands at the nub's IRET to the guest. */
  enter(): void {
    const { h, g, hardware: hw, pager, window, descriptors, segments } = this;
    pager.activate();
    const v8086 = this.v8086.wanted;
    // A trap out of virtual-8086 mode leaves null selectors behind: protected mode has to load its own again.
    if (v8086) segments.forgetData();
    const reload = v8086 ? 0 : segments.choose();
    window.chooseGdt(segments.userTable);
    descriptors.loadLdt();
    window.close();
    if (pager.flushPending || ((h[CR3] ^ window.guestRoot) & 0xfffff000) !== 0) {
      hw.writeCr3(window.guestCr3());
      pager.flushPending = false;
    }
    let flags = (this.emulator.getEflags() & ~VIRTUAL_FLAGS) | FLAG_IF;
    if (this.stepping) flags |= FLAG_TF;
    if (this.hasVif) flags |= this.virtualize();
    this.enteredAt = g[EIP];
    this.enteredWithRf = (flags & FLAG_RF) !== 0;
    if (v8086) this.v8086.writeFrame(this.v8086.flags(flags));
    else this.writeFrame(flags);
    for (let register = EAX; register <= EDI; register++) h[register] = g[register];
    descriptors.enterPrivate();
    if (reload !== 0) this.reloadSegments(reload === 2);
    else this.startAt(STUB_IRET, v8086 ? V86_FRAME : RESUME_IRET);
  }

  /** The frame from which the nub's IRET enters the guest in ring 1 or 3. */
  private writeFrame(flags: number): void {
    const { g, hardware: hw } = this;
    const ring = g[CPL] === 0 ? 1 : 3;
    const cs = (g[SEG + CS * SEG_WORDS] & 0xfffc) | ring;
    const ss = (g[SEG + SS * SEG_WORDS] & 0xfffc) | ring;
    this.segments.codeSelector = cs;
    this.segments.stackSelector = ss;
    const at = RESUME_IRET;
    hw.writeLinear(at, 4, g[EIP]);
    hw.writeLinear(at + 4, 4, cs);
    hw.writeLinear(at + 8, 4, flags);
    hw.writeLinear(at + 12, 4, g[ESP]);
    hw.writeLinear(at + 16, 4, ss);
  }

  /**
   * The guest's IF as VIF, and whether an interrupt waits for it as VIP. Where the kernel's flags hold what the hardware would not
   * show or keep, its flag instructions exit.
   */
  private virtualize(): number {
    const { g, segments } = this;
    const own = (g[EFLAGS] & UNSHARED_FLAGS) === 0;
    const which = !own ? 'none' : segments.standsIn ? 'inner' : 'all';
    if (which !== this.virtualFlags) {
      this.virtualFlags = which;
      this.sensitive.virtualFlags!(this.hardware, which);
    }
    return (g[EFLAGS] & FLAG_IF) !== 0 ? FLAG_VIF : this.interruptWaiting ? FLAG_VIP : 0;
  }

  /** User code ran into a limit: true when it was cut, and the next entry will give the segment back whole. */
  restoresLimit(): boolean {
    return !this.stepping && this.segments.restoresLimit();
  }

  private startAt(stub: number, stack: number): void {
    const { h } = this;
    h[ESP] = stack | 0;
    h[EIP] = this.window.linear(FRAME_NUB, stub);
    h[HALTED] = 0;
  }

  private reloadSegments(pause: boolean): void {
    const { h, hardware: hw, segments } = this;
    const { wanted } = segments;
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
    segments.noteData();
    h[HALTED] = 0;
  }

  /** Set by the monitor: maps or hides the pages of the in-place LDT for the hardware's own reads. */
  revealLdt: (on: boolean) => void = () => {};

  /** The guest's state was replaced as a whole: nothing seen so far holds. */
  forget(): void {
    this.segments.forget();
  }
}

/** Exceptions whose frames show RF = 1 (SDM Vol. 3B, 17.3.1.1 "Instruction-Breakpoint Exception Condition"). */
function isFault(vector: number): boolean {
  return vector < HOST_INTERRUPT_VECTOR && !NO_FAULTS.has(vector);
}

function hex(value: number): string {
  return `0x${(value >>> 0).toString(16)}`;
}
