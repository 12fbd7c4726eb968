/**
 * The monitor's window: its pool of frames as the hardware sees it at CPL 0, and the writing of it.
 *
 * Every write goes through the processor's own translation, so it faults unless the protection in use has opened the
 * window; the first write after an exit opens it and the next entry into the guest closes it. The window occupies one 4 MiB slot of linear space, and
 * moves when the guest wants that slot; descriptor tables and TSS base move with it.
 * It does not decide where to move: see world.ts.
 */
import {
  CR0,
  CR0_ET,
  CR0_NE,
  CR0_PE,
  CR0_PG,
  CR0_WP,
  PHYS_BASE,
  PTE_A,
  PTE_D,
  PTE_P,
  PTE_W,
  TR,
  SEG,
  SEG_WORDS,
  type MachineMemory,
  type Processor,
  type ProtectionContext,
  type ProtectionStrategy,
} from '@ringfence/sdk';
import {
  FIRST_WINDOW_SLOT,
  FRAME_GDT,
  FRAME_IDT,
  FRAME_LDT,
  FRAME_MONITOR_DIRECTORY,
  FRAME_MONITOR_TABLE,
  FRAME_NUB,
  FRAME_STACK,
  FRAME_TOP_TABLE,
  FRAME_TSS,
  FRAME_USER_GDT,
  FRAME_WINDOW_TABLE,
  MONITOR_CS,
  MONITOR_SS,
  MONITOR_TR,
  STACK_TOP,
  TOP_SLOT,
} from './layout.js';
import { STUB_BYTES, interruptGate, nubCode, poolTable } from './nub.js';

const PRESENT = PTE_P | PTE_A | PTE_D;
const TSS_LIMIT = 103;

export class Window implements ProtectionContext {
  /** Linear address of the pool's frame 0. */
  base = (FIRST_WINDOW_SLOT << 22) | 0;
  slot = FIRST_WINDOW_SLOT;
  /** The guest has the window's addresses mapped (onto nothing): it must not even read there. */
  exposed = false;
  relocations = 0;
  /** Physical address of the pool. */
  readonly pool: number;
  /** Physical address of the shadow directory the guest is to run under. */
  guestRoot: number;
  private isOpen = false;
  /** The hardware's GDTR points at the table for ring 3. */
  private userTable = false;

  constructor(
    readonly hardware: Processor,
    private readonly memory: MachineMemory,
    private readonly protection: ProtectionStrategy,
  ) {
    this.pool = memory.ramBytes;
    this.guestRoot = this.monitorCr3();
  }

  monitorCr3(): number {
    return this.physical(FRAME_MONITOR_DIRECTORY) | 0;
  }

  guestCr3(): number {
    return this.guestRoot | 0;
  }

  physical(frame: number): number {
    return this.pool + frame * 4096;
  }

  /** Linear address of a byte of the pool. */
  linear(frame: number, offset = 0): number {
    return (this.base + frame * 4096 + offset) | 0;
  }

  /** Writes a word of the pool the way ring-0 code must. */
  write(frame: number, offset: number, value: number): void {
    if (!this.isOpen) {
      this.protection.open(this);
      this.isOpen = true;
    }
    this.hardware.writeLinear(this.linear(frame, offset), 4, value);
  }

  /** Writes a word of both GDTs. */
  writeGdt(offset: number, value: number): void {
    this.write(FRAME_GDT, offset, value);
    this.write(FRAME_USER_GDT, offset, value);
  }

  /** The GDT that the guest is to run with: ring 3's own, or the one that is right for every ring. */
  chooseGdt(user: boolean): void {
    if (user === this.userTable) return;
    this.userTable = user;
    this.hardware.lgdt(this.linear(user ? FRAME_USER_GDT : FRAME_GDT), 0xffff);
  }

  close(): void {
    if (!this.isOpen) return;
    this.protection.close(this);
    this.isOpen = false;
  }

  contains(linear: number): boolean {
    return linear >>> 22 === this.slot;
  }

  /**
   * Power-up: fills the pool while the hardware still runs without paging, switches paging and protection on under the
   * monitor's own directory, and loads the descriptor-table and task registers.
   */
  boot(): void {
    const { hardware: hw } = this;
    this.memory.u8.fill(0, PHYS_BASE + this.pool, PHYS_BASE + this.pool + 1024 * 4096);
    this.store(FRAME_NUB, 0, nubCode());
    this.store(FRAME_WINDOW_TABLE, 0, poolTable(this.pool, PRESENT));
    this.store(FRAME_MONITOR_TABLE, 0, poolTable(this.pool, PRESENT | PTE_W));
    this.store(FRAME_TOP_TABLE, TOP_SLOT * 4, Int32Array.of(this.physical(FRAME_STACK) | PRESENT | PTE_W));
    const directory = new Int32Array(1024);
    directory[this.slot] = this.physical(FRAME_MONITOR_TABLE) | PRESENT | PTE_W;
    directory[TOP_SLOT] = this.physical(FRAME_TOP_TABLE) | PRESENT | PTE_W;
    this.store(FRAME_MONITOR_DIRECTORY, 0, directory);
    hw.writeCr3(this.monitorCr3());
    hw.state[CR0] = CR0_PE | CR0_ET | CR0_NE;
    hw.writeCr0(CR0_PE | CR0_ET | CR0_NE | CR0_WP | CR0_PG);
    // The monitor's own descriptors: flat ring-0 code and data, both with the Accessed bit already set, and the TSS.
    this.writeGdt(0xffe0, 0x0000ffff);
    this.writeGdt(0xffe4, 0x00cf9b00);
    this.writeGdt(0xffe8, 0x0000ffff);
    this.writeGdt(0xffec, 0x00cf9300);
    this.write(FRAME_TSS, 4, STACK_TOP);
    this.write(FRAME_TSS, 8, MONITOR_SS);
    this.write(FRAME_TSS, 100, (TSS_LIMIT + 1) << 16);
    this.pointAtTables();
    this.close();
    const s = hw.state;
    s.set([MONITOR_CS, 0, -1, 0xc09b], SEG + 1 * SEG_WORDS);
    s.set([MONITOR_SS, 0, -1, 0xc093], SEG + 2 * SEG_WORDS);
    for (const register of [0, 3, 4, 5]) s.set([0, 0, 0, 0x10000], SEG + register * SEG_WORDS);
    hw.stateChanged();
  }

  /**
   * Moves the window to another slot. `hook` and `unhook` put the window's table into, and take it out of, every shadow
   * directory; they write through this window, at the old place and the new one respectively.
   */
  relocate(slot: number, hook: (slot: number) => void, unhook: (slot: number) => void): void {
    const old = this.slot;
    hook(slot);
    this.write(FRAME_MONITOR_DIRECTORY, slot * 4, this.physical(FRAME_MONITOR_TABLE) | PRESENT | PTE_W);
    this.slot = slot;
    this.base = (slot << 22) | 0;
    this.pointAtTables();
    unhook(old);
    this.write(FRAME_MONITOR_DIRECTORY, old * 4, 0);
    this.relocations++;
  }

  /** What a shadow directory holds in the window's slot. */
  directoryEntry(): number {
    return this.physical(FRAME_WINDOW_TABLE) | PRESENT;
  }

  /** What a shadow directory holds in slot 1023 while the guest has nothing there. */
  topEntry(): number {
    return this.physical(FRAME_TOP_TABLE) | PRESENT | PTE_W;
  }

  /** Physical address of the shadow LDT. */
  ldtBase(): number {
    return this.linear(FRAME_LDT);
  }

  private pointAtTables(): void {
    const { hardware: hw } = this;
    for (let vector = 0; vector < 256; vector++) {
      const [low, high] = interruptGate(MONITOR_CS, this.linear(FRAME_NUB, vector * STUB_BYTES));
      this.write(FRAME_IDT, vector * 8, low);
      this.write(FRAME_IDT, vector * 8 + 4, high);
    }
    const tss = this.linear(FRAME_TSS);
    this.writeGdt(MONITOR_TR, (tss << 16) | TSS_LIMIT | 0);
    this.writeGdt(MONITOR_TR + 4, ((tss >>> 16) & 0xff) | 0x8900 | (tss & 0xff000000));
    hw.lgdt(this.linear(this.userTable ? FRAME_USER_GDT : FRAME_GDT), 0xffff);
    hw.lidt(this.linear(FRAME_IDT), 0x7ff);
    hw.state[SEG + TR * SEG_WORDS] = 0;
    hw.ltr(MONITOR_TR);
  }

  private store(frame: number, offset: number, data: Uint8Array | Int32Array): void {
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    this.memory.writeBytes(this.physical(frame) + offset, bytes);
  }
}
