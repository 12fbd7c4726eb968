/**
 * Follows the guest: after the emulator has done something in the guest's view, the hardware and the shadows are brought
 * into line with it. Control registers, the A20 gate, invalidations, descriptor-table and debug registers, the TSC.
 * Guest bytes that change are not its business; they come through traces (assemble.ts).
 */
import {
  CR0,
  CR0_AM,
  CR0_EM,
  CR0_MP,
  CR0_PG,
  CR0_TS,
  CR0_WP,
  CR4,
  CR4_DE,
  CR4_OSFXSR,
  CR4_OSXMMEXCPT,
  CR4_PAE,
  CR4_PSE,
  CR4_TSD,
  DR,
  GDTR_BASE,
  GDTR_LIMIT,
  LDTR,
  PDPTE,
  SEG,
  SEG_WORDS,
  TSC_OFFSET,
  type Mmu,
  type PhysicalSpace,
  type Processor,
} from '@ringfence/sdk';
import { debugRegistersFor } from './debug-registers.js';
import type { Descriptors } from './descriptors.js';
import type { Pager } from './pager.js';
import type { Window } from './window.js';

const LDTR_WORDS = SEG + LDTR * SEG_WORDS;
/** What the shadow descriptor tables depend on. */
const TABLES = [GDTR_BASE, GDTR_LIMIT, LDTR_WORDS, LDTR_WORDS + 1, LDTR_WORDS + 2, LDTR_WORDS + 3];
/**
 * Guest bits that the hardware has as they are. Not CR0.NE, which stays 1: an x87 error must trap, so that the emulator can report it as the
 * guest's own NE says, by #MF or by FERR# on the guest's board.
 */
const CR0_SHARED = CR0_MP | CR0_EM | CR0_TS | CR0_AM;
const CR4_SHARED = CR4_DE | CR4_TSD | CR4_OSFXSR | CR4_OSXMMEXCPT;

export class Follower {
  private readonly h: Int32Array;
  private readonly g: Int32Array;
  private controlWritten = false;
  private rootWritten = false;
  /** CR0.PG, CR0.WP, CR4.PSE and CR4.PAE under which the shadows were made, and the state of the A20 gate. */
  private pagingMode = -1;
  private a20Mask = -1;
  /** The guest's memory map under which the shadows were made. */
  private mapEpoch = -1;
  /** The guest's PDPTE registers as last seen: a write of CR0 or CR4 may load them as well. */
  private readonly seenPdptes = new Int32Array(8);
  private readonly invalidated: number[] = [];
  private readonly seenTables = new Int32Array(TABLES.length);
  private readonly seenDebug = new Int32Array(8);
  private seenWindow = -1;
  private tscLow = 0;
  private tscHigh = 0;

  constructor(
    private readonly hardware: Processor,
    emulator: Processor,
    guestMmu: Mmu,
    private readonly guestSpace: PhysicalSpace,
    private readonly window: Window,
    private readonly pager: Pager,
    private readonly descriptors: Descriptors,
    /** Bits that are always set in the hardware's CR4, whatever the guest's are. */
    private readonly forcedCr4: number,
  ) {
    this.h = hardware.state;
    this.g = emulator.state;
    guestMmu.observer = {
      controlWritten: (register) => {
        this.controlWritten = true;
        if (register === 3) this.rootWritten = true;
      },
      invalidated: (linear) => this.invalidated.push(linear),
    };
  }

  /** After each doing of the emulator. */
  follow(): void {
    const { g, seenTables, descriptors } = this;
    const { guestSpace } = this;
    if (this.controlWritten || guestSpace.a20Mask !== this.a20Mask || guestSpace.mapEpoch !== this.mapEpoch) {
      this.followControl();
    }
    for (let linear = this.invalidated.pop(); linear !== undefined; linear = this.invalidated.pop()) {
      this.hardware.invlpg(linear);
      descriptors.revalidate();
    }
    let moved = false;
    for (let i = 0; i < TABLES.length; i++) {
      if (seenTables[i] === g[TABLES[i]]) continue;
      seenTables[i] = g[TABLES[i]];
      moved = true;
    }
    if (moved) descriptors.reload();
    this.followDebugRegisters();
    if (g[TSC_OFFSET] !== this.tscLow || g[TSC_OFFSET + 1] !== this.tscHigh) {
      // The hardware's TSC is the guest's: same clock, same offset.
      this.tscLow = this.h[TSC_OFFSET] = g[TSC_OFFSET];
      this.tscHigh = this.h[TSC_OFFSET + 1] = g[TSC_OFFSET + 1];
    }
  }

  /** The guest's state was replaced as a whole: nothing made for the old one is kept. */
  followAll(): void {
    this.pagingMode = -1;
    this.controlWritten = true;
    this.follow();
  }

  private followControl(): void {
    const { g, h, pager, hardware: hw } = this;
    const mode = (g[CR0] & (CR0_PG | CR0_WP)) ^ (g[CR4] & (CR4_PSE | CR4_PAE));
    const { a20Mask, mapEpoch } = this.guestSpace;
    if (this.pdptesMoved()) this.rootWritten = true;
    if (mode !== this.pagingMode || a20Mask !== this.a20Mask || mapEpoch !== this.mapEpoch) {
      this.pagingMode = mode;
      this.mapEpoch = mapEpoch;
      this.a20Mask = a20Mask;
      pager.reset();
    } else if (this.rootWritten && (g[CR0] & CR0_PG) !== 0) {
      pager.reload();
    } else {
      pager.flushPending = true;
    }
    this.controlWritten = false;
    this.rootWritten = false;
    this.descriptors.revalidate();
    const cr0 = (h[CR0] & ~CR0_SHARED) | (g[CR0] & CR0_SHARED);
    if (cr0 !== h[CR0]) hw.writeCr0(cr0);
    const cr4 = (g[CR4] & CR4_SHARED) | this.forcedCr4;
    if (cr4 !== h[CR4]) hw.writeCr4(cr4);
  }

  private pdptesMoved(): boolean {
    const { g, seenPdptes } = this;
    let moved = false;
    for (let i = 0; i < 8; i++) {
      if (seenPdptes[i] !== g[PDPTE + i]) moved = true;
      seenPdptes[i] = g[PDPTE + i];
    }
    return moved;
  }

  private followDebugRegisters(): void {
    const { g, seenDebug, window, hardware: hw } = this;
    let moved = window.slot !== this.seenWindow;
    for (let i = 0; i < 8; i++) {
      if (i === 6 || seenDebug[i] === g[DR + i]) continue;
      seenDebug[i] = g[DR + i];
      moved = true;
    }
    if (!moved) return;
    this.seenWindow = window.slot;
    const wanted = debugRegistersFor(g, (linear) => window.contains(linear));
    for (let i = 0; i < 4; i++) hw.writeDr(i, wanted[i]);
    hw.writeDr(7, wanted[4]);
  }
}
