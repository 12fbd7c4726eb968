/**
 * The transitional virtio PCI transport (VIRTIO 1.1, 4.1 "Virtio Over PCI Bus"): BAR 0 is the legacy interface in ports
 * (4.1.4.8), BAR 1 the modern structures in memory, found by vendor capabilities (4.1.4), with the window of 4.1.4.7 into
 * BAR 1 from configuration space. INTx only: no MSI-X, so the vector registers read "no vector". A notification arms a
 * timer; queues are served from it, between two instructions. A driver that breaks a ring gets DEVICE_NEEDS_RESET and
 * silence until it resets the device. Register semantics are in registers.ts; here are places, time and the pin.
 */
import {
  type AddressWindows,
  type Clock,
  type DmaMemory,
  PCI_COMMAND_IO,
  PCI_COMMAND_MASTER,
  PCI_COMMAND_MEMORY,
  PCI_CONFIG_BYTES,
  type PciBus,
  PciConfig,
  type PciFunction,
  type PciSlot,
  type StateRecord,
  type Timer,
  stateBytes,
  stateFields,
  stateNumber,
} from '@ringfence/sdk';
import {
  CAP_PCI_CFG,
  COMMON_BYTES,
  MEMORY_BAR,
  MEMORY_BAR_BYTES,
  NOTIFY_MULTIPLIER,
  PCI_CFG_DATA,
  REGION_COMMON,
  REGION_DEVICE,
  REGION_ISR,
  REGION_NOTIFY,
  capabilities,
} from './capabilities.js';
import { commonRead, commonWrite, legacyRead, legacyWrite, LEGACY_CONFIG, LEGACY_ISR } from './interfaces.js';
import { NOTHING_LEFT, type VirtioModel } from './model.js';
import { VirtioRegisters } from './registers.js';
import type { SplitQueue } from './split-queue.js';

const VENDOR = 0x1af4;
const STATUS_CAPABILITIES = 0x10;
/** From a notification to the device's first look at the queue. */
const NOTIFY_SECONDS = 5e-6;

export interface VirtioBoard {
  readonly bus: PciBus;
  readonly windows: AddressWindows;
  readonly memory: DmaMemory;
  readonly clock: Clock;
}

export class VirtioPci implements PciFunction {
  readonly name: string;
  readonly registers: VirtioRegisters;
  private readonly config: PciConfig;
  private readonly slot: PciSlot;
  private readonly clock: Clock;
  private readonly notifyTicks: number;
  private readonly timers: readonly Timer[];

  /** Throws RF_RESOURCE_CONFLICT when the place on the bus is taken. */
  constructor(
    private readonly model: VirtioModel,
    board: VirtioBoard,
    pciDevice: number,
  ) {
    this.name = model.name;
    this.clock = board.clock;
    this.notifyTicks = Math.max(1, Math.round(board.clock.hz * NOTIFY_SECONDS));
    this.registers = new VirtioRegisters(model, board.memory, {
      interruptChanged: () => this.slot.setInterrupt(1, this.registers.isr !== 0),
      notified: (queue) => this.wake(queue),
      stopped: () => this.stopped(),
    });
    const { queues } = this.registers;
    this.timers = queues.map((queue, i) => board.clock.createTimer(`${model.name} queue ${i}`, () => this.serve(i)));
    const legacyBytes = 2 ** Math.ceil(Math.log2(LEGACY_CONFIG + model.configBytes));
    this.config = new PciConfig(
      {
        name: model.name,
        vendor: VENDOR,
        device: model.pciDevice,
        classCode: model.classCode,
        status: STATUS_CAPABILITIES,
        commandWritable: PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER,
        interruptPin: 1,
        bars: [
          { index: 0, kind: 'io', bytes: legacyBytes, range: model.name, width: 4, device: this },
          { index: MEMORY_BAR, kind: 'memory', bytes: MEMORY_BAR_BYTES, handler: this },
        ],
        registers: [
          ...[VENDOR & 0xff, VENDOR >> 8, model.type, 0].map((value, i) => [0x2c + i, value, 0] as const),
          ...capabilities(queues.length, model.configBytes),
        ],
      },
      board.windows,
    );
    this.slot = board.bus.attach(pciDevice, 0, this);
  }

  /** Whether the driver took a feature. */
  negotiated(feature: number): boolean {
    return this.registers.negotiated(feature);
  }

  queue(index: number): SplitQueue {
    return this.registers.queues[index];
  }

  /** Has the model serve a queue after `ticks`: something has come for it from outside. An earlier call stands. */
  wake(index: number, ticks = this.notifyTicks): void {
    const at = this.clock.now() + Math.max(1, ticks);
    const { deadline } = this.timers[index];
    if (deadline === undefined || deadline > at) this.timers[index].arm(at);
  }

  /** The device's configuration structure has changed: the driver is told. */
  configChanged(): void {
    this.registers.configChanged();
  }

  /** RESET#. */
  reset(): void {
    this.config.reset();
    this.registers.reset();
  }

  configRead(register: number, size: number): number {
    if (overlaps(register, size)) {
      const [bar, at, bytes] = this.cfgWindow();
      const value = bar ? this.mmioRead(at, bytes) : 0;
      for (let i = 0; i < 4; i++) this.config.bytes[PCI_CFG_DATA + i] = i < bytes ? value >>> (8 * i) : 0;
    }
    return this.config.configRead(register, size);
  }

  configWrite(register: number, size: number, value: number): void {
    this.config.configWrite(register, size, value);
    if (!overlaps(register, size)) return;
    const [bar, at, bytes] = this.cfgWindow();
    if (bar) this.mmioWrite(at, bytes, this.config.configRead(PCI_CFG_DATA, bytes));
  }

  portRead(_range: string, offset: number, size: number): number {
    if (offset === LEGACY_ISR) return this.registers.takeIsr();
    return gather(size, (i) =>
      offset + i < LEGACY_CONFIG ? legacyRead(this.registers, offset + i) : this.own(offset + i - LEGACY_CONFIG),
    );
  }

  portWrite(_range: string, offset: number, size: number, value: number): void {
    if (offset < LEGACY_CONFIG) legacyWrite(this.registers, offset, size, value);
    else this.setOwn(offset - LEGACY_CONFIG, size, value);
  }

  mmioRead(offset: number, size: number): number {
    const inside = offset % REGION_ISR;
    switch (offset - inside) {
      case REGION_COMMON:
        return gather(size, (i) => (inside + i < COMMON_BYTES ? commonRead(this.registers, inside + i) : 0));
      case REGION_ISR:
        return inside === 0 ? this.registers.takeIsr() : 0;
      case REGION_DEVICE:
        return gather(size, (i) => this.own(inside + i));
      default:
        return 0; // a notification address is written only
    }
  }

  mmioWrite(offset: number, size: number, value: number): void {
    const inside = offset % REGION_ISR;
    const region = offset - inside;
    if (region === REGION_COMMON) commonWrite(this.registers, inside, size, value);
    else if (region === REGION_DEVICE) this.setOwn(inside, size, value);
    else if (region === REGION_NOTIFY) this.registers.notify(Math.floor(inside / NOTIFY_MULTIPLIER));
  }

  save(): StateRecord['data'] {
    const deadlines = Object.fromEntries(this.timers.map((timer, i) => [`deadline${i}`, timer.deadline ?? -1]));
    return { config: this.config.bytes.slice(), registers: this.registers.save(), ...deadlines };
  }

  /** Throws RF_BAD_STATE; changes nothing. */
  check(data: StateRecord['data']): void {
    stateBytes(data, 'config', PCI_CONFIG_BYTES);
    this.registers.check(stateFields(data, 'registers'));
    this.timers.forEach((_timer, i) => stateNumber(data, `deadline${i}`));
  }

  /** Preconditions: `check` has passed. */
  load(data: StateRecord['data']): void {
    this.config.load(stateBytes(data, 'config', PCI_CONFIG_BYTES));
    this.registers.load(stateFields(data, 'registers'));
    this.timers.forEach((timer, i) => {
      const deadline = stateNumber(data, `deadline${i}`);
      if (deadline < 0) timer.disarm();
      else timer.arm(deadline);
    });
    this.slot.setInterrupt(1, this.registers.isr !== 0);
  }

  private serve(index: number): void {
    const { registers } = this;
    // Without bus mastering there is no way to the rings; what waits is looked at when the driver notifies again.
    if (!registers.running || (this.config.command & PCI_COMMAND_MASTER) === 0) return;
    const queue = registers.queues[index];
    const again = this.model.serve(index, queue);
    if (queue.broken) {
      registers.needsReset();
      return;
    }
    if (queue.takeInterrupt()) registers.queueInterrupt();
    if (again !== NOTHING_LEFT) this.wake(index, again);
  }

  private stopped(): void {
    for (const timer of this.timers) timer.disarm();
    this.model.reset();
  }

  private own(offset: number): number {
    return offset < this.model.configBytes ? this.model.configRead(offset) : 0;
  }

  private setOwn(offset: number, size: number, value: number): void {
    for (let i = 0; i < size && offset + i < this.model.configBytes; i++) {
      this.model.configWrite?.(offset + i, (value >>> (8 * i)) & 0xff);
    }
  }

  /** What the PCI configuration access capability selects: whether it is a place in BAR 1, which one, and how wide. */
  private cfgWindow(): [inBar: boolean, offset: number, bytes: number] {
    const bar = this.config.bytes[CAP_PCI_CFG + 4];
    const offset = this.config.configRead(CAP_PCI_CFG + 8, 4) >>> 0;
    const bytes = this.config.configRead(CAP_PCI_CFG + 12, 4) >>> 0;
    const sized = bytes === 1 || bytes === 2 || bytes === 4;
    return [
      bar === MEMORY_BAR && sized && offset % bytes === 0 && offset + bytes <= MEMORY_BAR_BYTES,
      offset,
      sized ? bytes : 4,
    ];
  }
}

function overlaps(register: number, size: number): boolean {
  return register < PCI_CFG_DATA + 4 && register + size > PCI_CFG_DATA;
}

function gather(size: number, read: (i: number) => number): number {
  let value = 0;
  for (let i = 0; i < size; i++) value |= read(i) << (8 * i);
  return value;
}
