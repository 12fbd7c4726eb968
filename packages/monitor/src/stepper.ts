/**
 * The services a monitor policy drives (sdk: `PolicyServices`): mappings opened for one instruction, single steps, bytes
 * swapped in and out, and acting on what the instruction changed.
 *
 * What a step must survive, and where it is seen to:
 *   - several protected pages, or one access across two: the instruction faults again, the policy is asked again, and
 *     everything opened so far stays open until `stepped`;
 *   - REP strings: TF traps after each iteration, each is a step of its own;
 *   - a fault of the guest's own in mid-step: the monitor calls `abandon` before it reflects the fault;
 *   - tables dropped or evicted between opening and restoring: a mapping is restored only where it still stands.
 */
import type { MonitorPolicy, PolicyServices, SavedMapping, StructureAccess } from '@ringfence/sdk';
import { PHYS_BASE, type MachineMemory } from '@ringfence/sdk';
import type { Counters } from './counters.js';
import type { Descriptors } from './descriptors.js';
import type { Pager } from './pager.js';
import type { Table } from './shadow-table.js';
import type { Window } from './window.js';
import type { World } from './world.js';

interface Saved extends SavedMapping {
  readonly table: Table | undefined;
  readonly entry: number;
}

export class Stepper implements PolicyServices {
  /** The guest's pages opened for the instruction, with their words as they were before it. */
  private readonly before = new Map<number, Int32Array>();
  private access: StructureAccess | undefined;

  constructor(
    private readonly memory: MachineMemory,
    private readonly window: Window,
    private readonly world: World,
    private readonly pager: Pager,
    private readonly descriptors: Descriptors,
    private readonly policy: MonitorPolicy,
    private readonly counters: Counters,
    /** Completes the faulting instruction on the emulator. */
    private readonly emulateInstruction: () => void,
    /** Whether the guest runs at CPL 3. */
    private readonly atUserLevel: () => boolean,
    /** Tells every shadow that guest bytes changed. */
    private readonly changed: (address: number, bytes: number) => void,
  ) {}

  /** The guest touched a protected page. */
  structureAccess(access: StructureAccess): void {
    this.access = access;
    this.policy.access(access, this);
    this.access = undefined;
  }

  /** The single-step trap has come. */
  completed(): void {
    this.counters.steps++;
    this.finish();
  }

  /** The instruction will not complete: a fault of the guest's own, or the emulator takes over. */
  abandon(): void {
    if (this.world.stepping) this.finish();
  }

  private finish(): void {
    this.world.stepping = false;
    this.policy.stepped(this);
  }

  // ------------------------------------------------------------------------------- PolicyServices

  saveMapping(linear: number): SavedMapping {
    const { table, entry } = this.pager.entryAt(linear);
    const saved: Saved = { linear, table, entry };
    return saved;
  }

  mapGuestPage(access: StructureAccess): void {
    const { frame, linear } = access;
    if (!this.before.has(frame)) {
      const words = new Int32Array(this.memory.buffer, PHYS_BASE + frame, 1024);
      this.before.set(frame, words.slice());
    }
    this.pager.map(linear, access.write, this.atUserLevel(), true);
  }

  restoreMapping(saved: SavedMapping): void {
    const { linear, table, entry } = saved as Saved;
    const now = this.pager.entryAt(linear);
    if (now.table === undefined) return;
    const index = (linear >>> 12) & 0x3ff;
    // The leaf was made for this instruction, or made anew since: nothing was mapped there before.
    now.table.set(index, now.table === table ? entry : 0);
  }

  invlpg(linear: number): void {
    this.window.hardware.invlpg(linear);
  }

  singleStep(): void {
    this.world.stepping = true;
  }

  swapIn(frame: number): void {
    this.counters.swaps++;
    this.descriptors.swapIn(frame);
  }

  swapOut(frame: number): void {
    this.descriptors.swapOut(frame);
  }

  actOnChange(): void {
    for (const [frame, old] of this.before) {
      const now = new Int32Array(this.memory.buffer, PHYS_BASE + frame, 1024);
      for (let word = 0; word < 1024; word++) {
        if (now[word] === old[word]) continue;
        let end = word + 1;
        while (end < 1024 && now[end] !== old[end]) end++;
        this.changed(frame + word * 4, (end - word) * 4);
        word = end;
      }
    }
    this.before.clear();
  }

  emulate(): void {
    if (this.access !== undefined) this.emulateInstruction();
  }
}
