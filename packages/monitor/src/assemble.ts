/**
 * Builds a monitor: its hardware (a core in slot 0 that sees all memory and no device), its emulator (the reference
 * interpreter in slot 1 over the guest's space and the board's bus), and its parts around them.
 * Everything comes by constructor injection; after this nothing resolves anything.
 */
import {
  CR4_TSD,
  PhysicalSpace,
  Tokens,
  inject,
  injectable,
  type Bus,
  type CpuModel,
  type GuestExecutor,
  type MachineMemory,
  type MmuFactory,
  type MonitorFactory,
  type MonitorOptions,
  type MonitorPolicy,
  type ProcessorFactory,
  type ProtectionStrategy,
  type SensitiveStrategy,
  type ShadowCacheStrategy,
} from '@ringfence/sdk';
import { CPL, RingfenceError } from '@ringfence/sdk';
import { Counters } from './counters.js';
import { DebugTraps } from './debug-traps.js';
import { Descriptors } from './descriptors.js';
import { Emulation } from './emulation.js';
import { Follower } from './follower.js';
import { GuestWalk } from './guest-walk.js';
import { Interrupts } from './interrupts.js';
import { HOST_INTERRUPT_VECTOR, MONITOR_BYTES } from './layout.js';
import { Monitor } from './monitor.js';
import { Pager } from './pager.js';
import { Stepper } from './stepper.js';
import { TRACE_DESCRIPTORS, TRACE_PAGE_TABLE } from './traces.js';
import { Window } from './window.js';
import { World } from './world.js';

/** CPL 0 is the monitor: only rings 1 to 3 count as guest instructions. */
const GUEST_RINGS = 0b1110;

@injectable()
export class MonitorAssembly implements MonitorFactory {
  constructor(
    @inject(Tokens.MachineMemory) private readonly memory: MachineMemory,
    @inject(Tokens.GuestSpace) private readonly guestSpace: PhysicalSpace,
    @inject(Tokens.GuestBus) private readonly board: Bus,
    @inject(Tokens.MmuFactory) private readonly mmus: MmuFactory,
    @inject(Tokens.HardwareCore) private readonly hardwareCore: ProcessorFactory,
    @inject(Tokens.EmulatorCore) private readonly emulatorCore: ProcessorFactory,
    @inject(Tokens.CpuModel) private readonly model: CpuModel,
    @inject(Tokens.MonitorOptions) private readonly options: MonitorOptions,
    @inject(Tokens.MonitorPolicy) private readonly policy: MonitorPolicy,
    @inject(Tokens.ShadowCacheStrategy) private readonly strategy: ShadowCacheStrategy,
    @inject(Tokens.SensitiveStrategy) private readonly sensitive: SensitiveStrategy,
    @inject(Tokens.ProtectionStrategy) private readonly protection: ProtectionStrategy,
  ) {}

  create(): GuestExecutor {
    const { memory, guestSpace, board, model, policy } = this;
    const space = new PhysicalSpace(memory);
    space.mapRam(0, memory.ramBytes + MONITOR_BYTES);
    const features = model.features;
    const hardware = this.hardwareCore.create({
      memory,
      space,
      mmu: this.mmus.create({ memory, space, slot: 0, features }),
      bus: hostBus(board),
      slot: 0,
      model,
      assist: this.options.assist,
    });
    const guestMmu = this.mmus.create({ memory, space: guestSpace, slot: 1, features });
    const emulator = this.emulatorCore.create({
      memory,
      space: guestSpace,
      mmu: guestMmu,
      bus: board,
      slot: 1,
      model,
      assist: 'none',
    });
    emulator.reset();
    hardware.reset();
    hardware.setCountedRings(GUEST_RINGS);
    const window = new Window(hardware, memory, this.protection);
    window.boot();
    this.sensitive.prepare(hardware);
    const walk = new GuestWalk(emulator.state, guestSpace);
    const pager = new Pager(window, walk, emulator.state, guestSpace, this.strategy, memory.ramBytes);
    const descriptors = new Descriptors(
      window,
      memory,
      emulator.state,
      guestMmu,
      guestSpace,
      pager.traces,
      policy.placement,
    );
    const world = new World(hardware, emulator, window, walk, pager, descriptors, this.sensitive);
    // RDTSC of ring 1 then raises #GP as that of ring 3 does; the emulator goes by the guest's own CR4.
    const forcedCr4 = this.options.rdtsc === 'trap' && features.tsc ? CR4_TSD : 0;
    const follower = new Follower(hardware, emulator, guestMmu, guestSpace, window, pager, descriptors, forcedCr4);
    const counters = new Counters();
    const interrupts = new Interrupts(hardware, emulator, world);
    const emulation = new Emulation(hardware, emulator, world, interrupts, follower, counters);
    /** Guest bytes of a traced page changed, by the emulator or in a step. */
    const changed = (address: number, bytes: number): void => {
      const traces = pager.traces;
      if (traces.has(address, TRACE_PAGE_TABLE)) pager.tableWritten(address, bytes);
      if (traces.has(address, TRACE_DESCRIPTORS)) descriptors.written(address, bytes);
    };
    guestSpace.onWatchedWrite = changed;
    world.revealLdt = (on) => descriptors.reveal(on, pager);
    const stepper = new Stepper(
      memory,
      window,
      world,
      pager,
      descriptors,
      policy,
      counters,
      () => emulation.one('structure'),
      () => emulator.state[CPL] === 3,
      changed,
    );
    const debugTraps = new DebugTraps(hardware, emulator, world, stepper, emulation, follower);
    return new Monitor({
      hardware,
      emulator,
      guestMmu,
      guestSpace,
      window,
      walk,
      pager,
      descriptors,
      world,
      follower,
      interrupts,
      emulation,
      stepper,
      debugTraps,
      counters,
      policyName: policy.name,
      strategyName: this.strategy.name,
    });
  }
}

/** What the hardware's core sees of the board: no port, one interrupt vector, and the time. */
function hostBus(board: Bus): Bus {
  return {
    ioRead: (_port, size) => (size === 4 ? -1 : size === 2 ? 0xffff : 0xff),
    ioWrite: () => {},
    acknowledge: () => HOST_INTERRUPT_VECTOR,
    // The hardware's CR0.NE is 1, whatever the guest's is: only a 386 has no such bit and asks.
    floatError: () => {
      throw new RingfenceError('RF_MONITOR_FAULT', {
        message: 'an x87 error cannot be made to trap on a processor without CR0.NE',
        fix: 'run this guest bare, or choose a model from i486 on',
      });
    },
    now: () => board.now(),
  };
}
