/**
 * The guest's 16-bit modes on the hardware: its real mode and its own virtual-8086 mode both run there in virtual-8086 mode,
 * at CPL 3 with IOPL 0, so that whatever is not plain computation traps: CLI, STI, PUSHF, POPF, INT n, IRET, HLT, IN, OUT and all
 * that asks for CPL 0; SGDT, SIDT and SMSW by the assist (SDM Vol. 3B, 20.2.7 "Sensitive Instructions"). The emulator then does it
 * in the guest's view: by the guest's own IOPL, VME and maps, or through its vector table.
 *
 * Segment registers of that mode follow from their selectors alone. So it can be had only while the guest's do (not in "unreal" mode,
 * with limits or sizes left over from protected mode), and what the guest loads directly is known from the selector. Its
 * addresses end at 10FFEFh, short of the stack page, and U/S keeps it from the window. The way in and out is an IRET and a trap
 * with nine words instead of five (20.2.1, 20.3 "Interrupt and Exception Handling"); doing them is world.ts.
 */
import {
  AR_DB,
  AR_G,
  CR0,
  CR0_PE,
  CS,
  DS,
  EFLAGS,
  EIP,
  ES,
  ESP,
  FLAGS_ARITH,
  FLAG_AC,
  FLAG_DF,
  FLAG_RF,
  FLAG_VM,
  FS,
  GS,
  SEG,
  SEG_ACCESS,
  SEG_BASE,
  SEG_LIMIT,
  SEG_SELECTOR,
  SEG_WORDS,
  SS,
  type Processor,
} from '@ringfence/sdk';
import { STACK_TOP } from './layout.js';

/** Present, DPL 3, read/write data, accessed: every segment in virtual-8086 mode. */
const V86_ACCESS = 0xf3;
/** The same with DPL 0: what a load in real mode leaves, but for D and G, which stay. */
const REAL_ACCESS = 0x93;
const LIMIT = 0xffff;
/** POPF and IRET trap, so the guest's other flags are its own business. */
const DIRECT_FLAGS = FLAGS_ARITH | FLAG_DF | FLAG_RF;

/** EIP CS EFLAGS ESP SS ES DS FS GS, as IRET pops it. */
export const V86_FRAME = STACK_TOP - 36;
/** Where a segment register's selector stands in such a frame. */
const OFFSETS: readonly (readonly [register: number, offset: number])[] = [
  [CS, 4],
  [SS, 16],
  [ES, 20],
  [DS, 24],
  [FS, 28],
  [GS, 32],
];

export class Virtual8086 {
  private readonly g: Int32Array;
  private readonly h: Int32Array;

  constructor(
    private readonly hardware: Processor,
    private readonly emulator: Processor,
  ) {
    this.g = emulator.state;
    this.h = hardware.state;
  }

  /** The guest is in real mode or in virtual-8086 mode: where the hardware can have that at all, it is virtual-8086 mode. */
  get wanted(): boolean {
    return this.realMode || (this.g[EFLAGS] & FLAG_VM) !== 0;
  }

  get realMode(): boolean {
    return (this.g[CR0] & CR0_PE) === 0;
  }

  /** Whether the guest's segment registers are what loads of their selectors give in virtual-8086 mode. */
  holdsSegments(): boolean {
    const { g, realMode } = this;
    const access = realMode ? REAL_ACCESS : V86_ACCESS;
    const ignored = realMode ? ~(AR_DB | AR_G) : -1;
    for (let at = SEG; at < SEG + 6 * SEG_WORDS; at += SEG_WORDS) {
      if (
        g[at + SEG_BASE] !== g[at + SEG_SELECTOR] << 4 ||
        g[at + SEG_LIMIT] !== LIMIT ||
        (g[at + SEG_ACCESS] & ignored) !== access
      ) {
        return false;
      }
    }
    // 32-bit code and a 32-bit stack are what D means to these two; of other segments it changes nothing.
    return ((g[SEG + CS * SEG_WORDS + SEG_ACCESS] | g[SEG + SS * SEG_WORDS + SEG_ACCESS]) & AR_DB) === 0;
  }

  /** IRET would fault in the nub; the guest's own fetch must. */
  holdsEip(): boolean {
    return this.g[EIP] >>> 0 <= LIMIT;
  }

  /** EFLAGS for the hardware. In real mode nothing checks alignment, whatever AC and CR0.AM say. */
  flags(direct: number): number {
    return (this.realMode ? direct & ~FLAG_AC : direct) | FLAG_VM;
  }

  /** Takes over the flags that the guest can change without a trap. */
  takeFlags(direct: number): void {
    this.emulator.setEflags((this.g[EFLAGS] & ~DIRECT_FLAGS) | (direct & DIRECT_FLAGS));
  }

  /** Writes the frame from which the nub's IRET enters the guest. */
  writeFrame(flags: number): void {
    const { g, hardware: hw } = this;
    hw.writeLinear(V86_FRAME, 4, g[EIP]);
    hw.writeLinear(V86_FRAME + 8, 4, flags);
    hw.writeLinear(V86_FRAME + 12, 4, g[ESP]);
    for (const [register, offset] of OFFSETS) {
      hw.writeLinear(V86_FRAME + offset, 4, g[SEG + register * SEG_WORDS + SEG_SELECTOR]);
    }
  }

  /** Takes over what the guest has loaded directly, from the trap frame that begins at `frame`. */
  takeFrame(frame: number): void {
    let changed = false;
    for (const [register, offset] of OFFSETS) {
      if (this.take(register, this.hardware.readLinear(frame + offset, 4) & 0xffff)) changed = true;
    }
    if (changed) this.emulator.stateChanged();
  }

  /** The same from the registers of the hardware, which stands between two guest instructions. */
  takeLive(): void {
    let changed = false;
    for (const [register] of OFFSETS) {
      if (this.take(register, this.h[SEG + register * SEG_WORDS + SEG_SELECTOR])) changed = true;
    }
    if (changed) this.emulator.stateChanged();
  }

  /** Limit and rights are those the register had when the guest was entered: a load gives the same again. */
  private take(register: number, selector: number): boolean {
    const { g } = this;
    const at = SEG + register * SEG_WORDS;
    if (g[at + SEG_SELECTOR] === selector) return false;
    g[at + SEG_SELECTOR] = selector;
    g[at + SEG_BASE] = selector << 4;
    return true;
  }
}
