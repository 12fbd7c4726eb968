/**
 * A machine at run time: the loop that fires timers and gives the executor exactly the instructions it may run, sleep,
 * endings, and everything one can read off a machine. What it is made of was decided in create.ts.
 */
import {
  RingfenceError,
  STOP_HALT,
  STOP_REQUESTED,
  STOP_SHUTDOWN,
  checkedState,
  stateBytes,
  type Device,
  type DeviceFacet,
  type Drive,
  type GuestExecutor,
  type GuestObserver,
  type GuestView,
  type MachineConfig,
  type MachineMemory,
  type MonitorReport,
  type Network,
  type PhysicalSpace,
  type Screen,
  type PixelFrame,
  type PowerButton,
  type ScreenFrame,
  type StateRecord,
} from '@ringfence/sdk';
import type { Board } from './board.js';
import type { ChannelTap } from './channel-tap.js';
import type { PlacedDevice } from './devices.js';
import type { BoardShadowRam } from './shadow-ram.js';
import { hashMachine } from './state-hash.js';
import type { Machine, MachineEnd, ResetEvent, SavedMachine, SliceOutcome } from './types.js';

/** A sleeping guest retires nothing: after so many wake-ups a slice ends all the same. */
const MAX_SLEEPS = 10_000;
/** So does one that only takes faults, whose executor comes back without an instruction so many times. */
const MAX_BARREN = 10;
/** Who receives interrupts, from the lines to the processor. */
const RECEIVERS: readonly DeviceFacet[] = ['interrupt-controller', 'io-apic', 'local-apic'];
export const EXIT_DEAD = 125;

export interface MachineParts {
  readonly config: MachineConfig;
  readonly assist: string;
  readonly ramBytes: number;
  readonly kernelName: string;
  readonly firmwareName: string | undefined;
  readonly awaitsInput: () => boolean;
  readonly pacesSleep: boolean;
  readonly memory: MachineMemory;
  readonly space: PhysicalSpace;
  readonly board: Board;
  readonly executor: GuestExecutor;
  readonly devices: readonly PlacedDevice[];
  readonly shadowRam: BoardShadowRam;
  readonly drives: readonly Drive[];
  readonly network: Network | undefined;
  readonly taps: ReadonlyMap<string, ChannelTap>;
  /** Puts chips, kernel and processor where they are at power-on; memory keeps what the kernel does not overwrite. */
  readonly start: () => void;
  readonly onReset: (event: ResetEvent) => void;
}

export class PcMachine implements Machine {
  /** Instructions retired before a snapshot that was loaded. */
  private retiredBefore = 0;
  /** Whoever let the guest sleep hears of buttons too. */
  private wake: () => void = () => {};
  /** Resets that started the machine again. */
  resets = 0;

  constructor(readonly parts: MachineParts) {}

  get config(): MachineConfig {
    return this.parts.config;
  }

  get retired(): number {
    return this.retiredBefore + this.parts.executor.retired();
  }

  get ticks(): number {
    return this.parts.board.now();
  }

  get end(): MachineEnd | undefined {
    return this.parts.board.end;
  }

  get serialBytes(): number {
    return this.parts.taps.get('serial')?.bytes ?? 0;
  }

  runSlice(maxInstructions: number): SliceOutcome {
    const { board, executor } = this.parts;
    const { scheduler } = board;
    const goal = executor.retired() + maxInstructions;
    let sleeps = 0;
    let barren = 0;
    for (;;) {
      if (board.end !== undefined) return 'ended';
      if (board.resetReason !== undefined) return this.reset(board.resetReason);
      scheduler.fireDue();
      if (board.end !== undefined) return 'ended';
      if (board.resetReason !== undefined) return this.reset(board.resetReason);
      const left = goal - executor.retired();
      if (left <= 0) return 'budget';
      board.running = true;
      const before = executor.retired();
      let stop;
      try {
        stop = executor.run(Math.min(left, scheduler.next - scheduler.now()));
      } finally {
        board.running = false;
      }
      if (stop === STOP_REQUESTED) {
        barren = executor.retired() === before ? barren + 1 : 0;
        if (barren >= MAX_BARREN && board.end === undefined) return 'budget';
      } else if (stop === STOP_SHUTDOWN) {
        return this.tripleFault();
      } else if (stop === STOP_HALT && board.end === undefined) {
        // Sleep is for the next slice when this one ends with the HLT, whatever kind of executor says so first.
        if (goal - executor.retired() <= 0) return 'budget';
        // A deadline may have come due with the HLT itself; then it is not sleep yet.
        const wait = scheduler.next - scheduler.now();
        if (wait <= 0) continue;
        if (!executor.interruptsEnabled() && !board.interrupts.routesNmi) this.halt('HLT with interrupts off');
        else if (wait !== Infinity) {
          if (this.parts.pacesSleep && this.parts.awaitsInput()) return 'asleep';
          scheduler.idleTicks += wait;
        } else if (this.parts.awaitsInput()) return 'idle';
        else this.halt('HLT with no timer running and no input to wait for');
        if (++sleeps >= MAX_SLEEPS) return board.end === undefined ? 'budget' : 'ended';
      }
    }
  }

  pressPowerButton(): boolean {
    const found = this.parts.devices.find(({ part }) => part.provides?.includes('power-button'));
    (found?.device as unknown as PowerButton | undefined)?.pressPowerButton();
    this.wake();
    return found !== undefined;
  }

  nmi(): void {
    this.parts.board.interrupts.pulseNmi();
    this.wake();
  }

  get sleepTicks(): number {
    const { scheduler } = this.parts.board;
    return Math.max(0, scheduler.next - scheduler.now());
  }

  passTime(ticks: number): void {
    this.parts.board.scheduler.idleTicks += Math.min(Math.max(0, Math.floor(ticks)), this.sleepTicks);
  }

  onInput(wake: () => void): void {
    this.wake = wake;
    for (const tap of this.parts.taps.values()) tap.onInput = wake;
    this.parts.network?.onWake(wake);
  }

  watchSerial(pattern: RegExp): void {
    const { taps, board } = this.parts;
    taps
      .get('serial')
      ?.watch(pattern, () =>
        board.finish({ outcome: 'until-serial', exitStatus: 0, detail: `serial output matches ${pattern.source}` }),
      );
  }

  channelText(name: string): string {
    return this.parts.taps.get(name)?.text() ?? '';
  }

  screen(): string | undefined {
    return this.display()?.text();
  }

  frame(): ScreenFrame | undefined {
    return this.display()?.frame?.();
  }

  picture(): PixelFrame | undefined {
    return this.display()?.picture?.();
  }

  private display(): Screen | undefined {
    const found = this.parts.devices.find(({ part }) => part.provides?.includes('screen'));
    return found?.device as unknown as Screen | undefined;
  }

  device(name: string): Device | undefined {
    return this.parts.devices.find(({ part }) => part.name === name)?.device;
  }

  monitorReport(): MonitorReport | undefined {
    return this.parts.executor.monitorReport();
  }

  serialSha256(): string {
    return this.parts.taps.get('serial')!.sha256();
  }

  dump(): string {
    return this.parts.executor.dump();
  }

  get view(): GuestView {
    const { executor } = this.parts;
    return { processor: executor.guest, settle: () => executor.settle(), retired: () => this.retired };
  }

  observe(observer: GuestObserver | undefined): void {
    const { executor, board, space } = this.parts;
    executor.guest.observer = observer;
    board.observer = observer;
    space.observer = observer;
  }

  stateHash(): string {
    const { executor, memory } = this.parts;
    executor.settle();
    return hashMachine(memory.ram(), executor.pageTableFrames(), this.records());
  }

  saveState(): SavedMachine {
    const { executor, memory } = this.parts;
    executor.settle();
    const ram: StateRecord = { component: 'memory', version: 1, data: { bytes: memory.ram().slice() } };
    const clock: StateRecord = { component: 'clock', version: 1, data: { retired: this.retired } };
    // A set is equal whatever its order; sorted, so that equal machines give equal snapshots.
    const roots: StateRecord = {
      component: 'page-table-roots',
      version: 1,
      data: { roots: [...(executor.pageTableRoots ?? [])].sort((a, b) => a - b) },
    };
    return { version: 1, components: { ...this.records(), memory: ram, clock, roots } };
  }

  loadState(saved: SavedMachine): void {
    const { executor, memory, board, devices, shadowRam, drives, network } = this.parts;
    const record = (name: string): StateRecord => {
      const found = saved.components[name];
      if (found !== undefined) return found;
      throw new RingfenceError('RF_BAD_STATE', {
        message: `the saved machine has no state of "${name}"`,
        value: name,
        fix: 'load it into a machine with the same configuration',
      });
    };
    const ram = stateBytes(checkedState(record('memory'), 'memory', 1), 'bytes');
    if (ram.length !== memory.ramBytes) {
      throw new RingfenceError('RF_BAD_STATE', {
        message: `the saved machine has ${ram.length} bytes of memory, this one ${memory.ramBytes}`,
        value: ram.length,
        fix: 'load it into a machine with the same memory size',
      });
    }
    const retired = Number(checkedState(record('clock'), 'clock', 1).retired);
    const { roots } = checkedState(record('roots'), 'page-table-roots', 1);
    for (const { part } of devices) record(`device:${part.name}`);
    for (const drive of drives) record(driveName(drive));
    if (network !== undefined) record('network');
    memory.writeBytes(0, ram);
    shadowRam.loadState(record('shadow-ram'));
    for (const drive of drives) drive.storage.loadState(record(driveName(drive)));
    executor.loadGuestState(record('processor'));
    executor.pageTableRoots?.clear();
    for (const root of Array.isArray(roots) ? (roots as readonly number[]) : []) executor.pageTableRoots?.add(root);
    this.retiredBefore = retired - executor.retired();
    board.loadState(record('board'));
    network?.loadState(record('network'));
    this.loadDevices(record);
    board.end = undefined;
  }

  /** Who receives interrupts comes last: what other chips do to their lines while they are loaded must leave no trace. */
  private loadDevices(record: (name: string) => StateRecord): void {
    const { board, devices } = this.parts;
    const load = (wanted: (provides: readonly DeviceFacet[]) => boolean): void => {
      for (const { part, device } of devices) {
        if (wanted(part.provides ?? [])) device.loadState(record(`device:${part.name}`));
      }
    };
    board.interrupts.restoring = true;
    try {
      load((provides) => !RECEIVERS.some((facet) => provides.includes(facet)));
      for (const facet of RECEIVERS) load((provides) => provides.includes(facet));
    } finally {
      board.interrupts.restoring = false;
    }
  }

  private records(): Record<string, StateRecord> {
    const { executor, board, devices, shadowRam, drives, network } = this.parts;
    const records: Record<string, StateRecord> = { processor: executor.guestState(), board: board.saveState() };
    records['shadow-ram'] = shadowRam.saveState();
    for (const drive of drives) records[driveName(drive)] = drive.storage.saveState();
    if (network !== undefined) records.network = network.saveState();
    for (const { part, device } of devices) records[`device:${part.name}`] = device.saveState();
    return records;
  }

  /** A slice ends with a reset, so that a guest that does nothing else cannot keep the host from its limits. */
  private reset(reason: string, dump?: string): SliceOutcome {
    const { board, config, start, onReset } = this.parts;
    board.resetReason = undefined;
    if (config.onReset === 'end') {
      board.finish({ outcome: 'reset', exitStatus: 0, detail: reason });
      return 'ended';
    }
    this.resets++;
    onReset({ reason, retired: this.retired, resets: this.resets, dump });
    start();
    return 'budget';
  }

  /** The processor shuts down, and a PC's board answers with a reset. */
  private tripleFault(): SliceOutcome {
    const { board, config } = this.parts;
    const detail = 'the guest died of a triple fault';
    if (board.end !== undefined) return 'ended';
    if (config.onReset === 'restart') return this.reset(detail, this.dump());
    board.finish({ outcome: 'triple-fault', exitStatus: EXIT_DEAD, detail });
    return 'ended';
  }

  private halt(detail: string): void {
    this.parts.board.finish({ outcome: 'halted', exitStatus: EXIT_DEAD, detail });
  }
}

function driveName(drive: Drive): string {
  return `drive:${drive.interface}${drive.unit}`;
}
