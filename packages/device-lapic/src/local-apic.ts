/**
 * The local APIC of the Pentium, P6 and NetBurst processors (SDM Vol. 3A, "Advanced Programmable Interrupt Controller
 * (APIC)"): 4 KiB of registers at FEE00000h or where IA32_APIC_BASE says, between the board's interrupt wires and the
 * processor's pins. Starts as after RESET; `handOver` leaves virtual wire mode, as a BIOS does.
 * One processor: a message to others is refused by everybody. A vector that waits already is accepted once more and kept
 * once (the P6's limit of two per class is not modelled); no SMM, so SMI goes unheard; remote reads find nobody; no
 * performance or thermal interrupts occur. Registers are read and written as aligned double words, what else is undefined.
 * The registers' window gives way to RAM and ROM, where a processor's own would cover them.
 */
import {
  APIC_EXTINT,
  APIC_FIXED,
  APIC_INIT,
  APIC_LOWEST,
  APIC_NMI,
  type AddressWindow,
  type AddressWindows,
  type ApicBus,
  type Clock,
  type CpuModel,
  type Device,
  type LocalApic,
  type MmioHandler,
  type ProcessorPins,
  type StateRecord,
  type SystemControl,
  Tokens,
  checkedState,
  inject,
  injectable,
  stateFields,
  stateNumbers,
} from '@ringfence/sdk';
import { ApicTimer } from './apic-timer.js';
import { ErrorStatus } from './error-status.js';
import { LocalVectors } from './local-vectors.js';
import { Priorities } from './priorities.js';
import * as R from './registers.js';

const COMPONENT = 'lapic';
const VERSION = 1;

const REGISTERS_BYTES = 0x1000;
/** Everything that has no class of its own here. */
const FIELDS = [
  'baseLow',
  'baseHigh',
  'id',
  'ldr',
  'dfr',
  'svr',
  'icrLow',
  'icrHigh',
  'extInt', // an ExtINT message waits
] as const;
type Registers = Record<(typeof FIELDS)[number], number>;

export interface LapicOptions {
  readonly busHz: number;
}

@injectable()
export class LocalApicChip implements Device, MmioHandler, LocalApic {
  private readonly family: R.ApicFamily;
  private readonly window: AddressWindow;
  private readonly timer: ApicTimer;
  private readonly priorities = new Priorities();
  private readonly vectors: LocalVectors;
  private readonly errors: ErrorStatus;
  private r: Registers = powerUp(R.BASE_RESET, 0);

  constructor(
    @inject(Tokens.Clock) clock: Clock,
    @inject(Tokens.ProcessorPins) private readonly pins: ProcessorPins,
    @inject(Tokens.ApicBus) private readonly bus: ApicBus,
    @inject(Tokens.SystemControl) private readonly system: SystemControl,
    @inject(Tokens.AddressWindows) windows: AddressWindows,
    @inject(Tokens.CpuModel) model: CpuModel,
    @inject(Tokens.Options) options: LapicOptions,
  ) {
    this.family = R.apicFamily(model);
    const ticksPerBusClock = Math.max(1, Math.round(clock.hz / options.busHz));
    this.timer = new ApicTimer(clock, ticksPerBusClock, () => this.vectors.raise(R.LVT_TIMER));
    this.vectors = new LocalVectors(this.family.entries, (mode, vector, level) => this.take(mode, vector, level));
    this.errors = new ErrorStatus(this.family.errors, () => this.vectors.raise(R.LVT_ERROR));
    this.window = windows.memory(REGISTERS_BYTES, this);
    this.powerUp(R.BASE_RESET, 0);
  }

  reset(): void {
    this.powerUp(R.BASE_RESET, 0);
  }

  /** MultiProcessor Specification 1.4, 3.6.2.2 "Virtual Wire Mode": the 8259s and NMI pass through. */
  handOver(): void {
    this.r.svr |= R.SVR_ENABLE;
    this.vectors.virtualWire();
    this.update();
  }

  // ------------------------------------------------------------------------------ IA32_APIC_BASE

  get enabled(): boolean {
    return (this.r.baseLow & R.BASE_ENABLE) !== 0;
  }

  get baseLow(): number {
    return this.r.baseLow;
  }

  get baseHigh(): number {
    return this.r.baseHigh;
  }

  writeBase(low: number, high: number): boolean {
    if ((low & R.BASE_RESERVED) !== 0 || (high & R.BASE_RESERVED_HIGH) !== 0) return false;
    const base = (low & ~R.BASE_BSP) | R.BASE_BSP;
    if (((base ^ this.r.baseLow) & R.BASE_ENABLE) !== 0) {
      // Off, it is not there; on again, it is as after power-up.
      this.powerUp(base, high);
      this.bus.receiverChanged();
    } else {
      this.r.baseLow = base;
      this.r.baseHigh = high;
      this.placeWindow();
    }
    return true;
  }

  private powerUp(baseLow: number, baseHigh: number): void {
    this.r = powerUp(baseLow, baseHigh);
    this.vectors.reset();
    this.errors.reset();
    this.priorities.clear();
    this.timer.reset();
    this.placeWindow();
    this.update();
  }

  /** The board's bus has 32 address lines. */
  private placeWindow(): void {
    const { baseLow, baseHigh } = this.r;
    this.window.place(this.enabled && baseHigh === 0 ? (baseLow & 0xfffff000) >>> 0 : -1);
  }

  // ------------------------------------------------------------------------------ interrupts

  setLint(pin: 0 | 1, level: boolean): void {
    if (!this.vectors.setLine(pin, level)) return;
    if (!this.enabled) {
      // The pins are INTR and NMI.
      if (pin === 1 && level) this.pins.nmi();
    } else {
      this.vectors.sample(pin, level);
    }
    this.update();
  }

  get routesNmi(): boolean {
    return this.vectors.routesNmi;
  }

  accept(destination: number, logical: boolean, mode: number, vector: number, level: boolean): boolean {
    return this.enabled && this.addressed(destination, logical) && this.take(mode, vector, level);
  }

  acknowledge(): number {
    if (!this.enabled) return this.pins.acknowledgeExternal();
    const vector = this.priorities.next();
    if (vector >= 0) {
      this.priorities.serve(vector);
      this.update();
      return vector;
    }
    if (!this.externalWaits()) return this.r.svr & R.VECTOR; // spurious
    this.r.extInt = 0;
    const external = this.pins.acknowledgeExternal();
    this.update();
    return external;
  }

  /** Takes an interrupt in; false when it cannot now. */
  private take(mode: number, vector: number, level: boolean): boolean {
    switch (mode) {
      case APIC_FIXED:
      case APIC_LOWEST:
        if ((this.r.svr & R.SVR_ENABLE) === 0) return false;
        if (vector < 16) {
          this.errors.note(R.RECEIVED_ILLEGAL_VECTOR);
          return true;
        }
        this.priorities.request(vector, level);
        this.update();
        return true;
      case APIC_NMI:
        this.pins.nmi();
        return true;
      case APIC_INIT:
        this.system.reset('INIT by the local APIC');
        return true;
      case APIC_EXTINT:
        this.r.extInt = 1;
        this.update();
        return true;
      default: // SMI, start-up of a processor that runs, reserved: nothing comes of them
        return true;
    }
  }

  private addressed(destination: number, logical: boolean): boolean {
    if (!logical) {
      const { idMask } = this.family;
      const id = destination & idMask;
      return id === idMask || id === (this.r.id & idMask);
    }
    const { ldr, dfr } = this.r;
    if (dfr === R.DFR_FLAT) return (ldr & destination) !== 0;
    if (dfr !== 0) return false;
    const cluster = destination >>> 4;
    return (cluster === 0xf || cluster === ldr >>> 4) && (ldr & destination & 0xf) !== 0;
  }

  private externalWaits(): boolean {
    return this.r.extInt !== 0 || this.vectors.externalWaits;
  }

  private update(): void {
    const { vectors, priorities } = this;
    this.pins.setIntr(this.enabled ? priorities.next() >= 0 || this.externalWaits() : vectors.line(0));
  }

  private endOfInterrupt(): void {
    const vector = this.priorities.finish();
    if (vector < 0) return;
    if (this.priorities.byLevel(vector)) {
      this.vectors.endOfInterrupt(vector);
      this.bus.endOfInterrupt(vector);
    }
    this.update();
  }

  // ------------------------------------------------------------------------------ interprocessor interrupts

  /** SDM Vol. 3A, table "Valid Combinations for the P6 Family Processors' Local APIC Interrupt Command Register". */
  private sendCommand(): void {
    const { icrLow, icrHigh } = this.r;
    const mode = (icrLow >>> R.DELIVERY_MODE_SHIFT) & 7;
    const vector = icrLow & R.VECTOR;
    const shorthand = (icrLow >>> R.SHORTHAND_SHIFT) & 3;
    if (mode === APIC_EXTINT) return; // reserved
    if (mode === APIC_INIT && (icrLow & R.ICR_ASSERT) === 0) return; // arbitration IDs are synchronized
    if (mode <= APIC_LOWEST && vector < 16) {
      this.errors.note(R.SEND_ILLEGAL_VECTOR);
      if (shorthand === R.TO_SELF) this.errors.note(R.RECEIVED_ILLEGAL_VECTOR);
    } else if (shorthand === R.TO_SELF || shorthand === R.TO_ALL) {
      if (mode === APIC_FIXED) this.take(mode, vector, false);
    } else if (shorthand === 0) {
      const accepted = this.addressed(icrHigh >>> 24, (icrLow & R.ICR_LOGICAL) !== 0) && this.take(mode, vector, false);
      if (!accepted) this.errors.note(R.SEND_ACCEPT);
    }
  }

  // ------------------------------------------------------------------------------ registers

  mmioRead(offset: number, size: number): number {
    if ((offset & 0xf) + size > 4) return 0; // undefined
    const value = this.readRegister(offset & ~0xf) >> ((offset & 3) * 8);
    return size === 4 ? value | 0 : value & (size === 2 ? 0xffff : 0xff);
  }

  mmioWrite(offset: number, size: number, value: number): void {
    if (size === 4 && (offset & 0xf) === 0) this.writeRegister(offset, value); // else undefined
  }

  private readRegister(register: number): number {
    const { r, timer, priorities } = this;
    if (register >= R.ISR && register < R.ESR) return priorities.word((register - R.ISR) >> 4);
    const index = this.vectors.indexOf(register);
    if (index >= 0) return this.vectors.read(index);
    switch (register) {
      case R.ID:
        return r.id << 24;
      case R.VERSION:
        return (this.vectors.last << 16) | R.APIC_VERSION;
      case R.TPR:
        return priorities.tpr;
      case R.APR:
        return priorities.arbitration();
      case R.PPR:
        return priorities.processor();
      case R.EOI:
      case R.RRD:
        return 0;
      case R.LDR:
        return r.ldr << 24;
      case R.DFR:
        return (r.dfr << 28) | R.DFR_FIXED;
      case R.SVR:
        return r.svr;
      case R.ESR:
        if (!this.family.latchesErrors) this.errors.latch();
        return this.errors.value;
      case R.ICR_LOW:
        return r.icrLow;
      case R.ICR_HIGH:
        return r.icrHigh;
      case R.INITIAL_COUNT:
        return timer.initial;
      case R.CURRENT_COUNT:
        return timer.current();
      case R.DIVIDE:
        return timer.divide;
      default:
        this.errors.note(R.ILLEGAL_REGISTER);
        return 0;
    }
  }

  private writeRegister(register: number, value: number): void {
    const { r, family } = this;
    const index = this.vectors.indexOf(register);
    if (index >= 0) {
      this.writeVector(index, value);
      return;
    }
    switch (register) {
      case R.ID:
        r.id = (value >>> 24) & family.idMask;
        this.bus.receiverChanged();
        break;
      case R.TPR:
        this.priorities.tpr = value & 0xff;
        break;
      case R.EOI:
        this.endOfInterrupt();
        break;
      case R.LDR:
        r.ldr = value >>> 24;
        this.bus.receiverChanged();
        break;
      case R.DFR:
        r.dfr = value >>> 28;
        this.bus.receiverChanged();
        break;
      case R.SVR:
        r.svr = (value & family.svrWritable) | (R.SVR_RESET & ~family.svrWritable);
        if ((value & R.SVR_ENABLE) === 0)
          for (let i = 0; i < R.LVT_ENTRIES; i++) this.writeVector(i, this.vectors.read(i));
        this.bus.receiverChanged();
        break;
      case R.ESR:
        if (family.latchesErrors) this.errors.latch();
        break;
      case R.ICR_LOW:
        r.icrLow = value & R.ICR_WRITABLE;
        this.sendCommand();
        break;
      case R.ICR_HIGH:
        r.icrHigh = value & 0xff000000;
        break;
      case R.INITIAL_COUNT:
        this.timer.setInitial(value);
        break;
      case R.DIVIDE:
        this.timer.setDivide(value);
        break;
      default: {
        const readOnly = [R.VERSION, R.APR, R.PPR, R.RRD, R.CURRENT_COUNT].includes(register);
        if (!readOnly && (register < R.ISR || register >= R.ESR)) this.errors.note(R.ILLEGAL_REGISTER);
      }
    }
    this.update();
  }

  private writeVector(index: number, value: number): void {
    this.vectors.write(index, value, (this.r.svr & R.SVR_ENABLE) === 0);
    const entry = this.vectors.read(index);
    if (index === R.LVT_TIMER) this.timer.setMode((entry & R.TIMER_PERIODIC) !== 0, (entry & R.MASKED) === 0);
    this.update();
  }

  // ------------------------------------------------------------------------------ state

  saveState(): StateRecord {
    const data = {
      registers: { ...this.r },
      vectors: this.vectors.saveState(),
      errors: this.errors.saveState(),
      priorities: this.priorities.saveState(),
      timer: this.timer.saveState(),
    };
    return { component: COMPONENT, version: VERSION, data };
  }

  loadState(record: StateRecord): void {
    const data = checkedState(record, COMPONENT, VERSION);
    const registers = stateNumbers(stateFields(data, 'registers'), FIELDS);
    const vectors = LocalVectors.parseState(data, 'vectors');
    const errors = ErrorStatus.parseState(data, 'errors');
    const priorities = Priorities.parseState(data, 'priorities');
    const timer = ApicTimer.parseState(data, 'timer');
    this.r = registers;
    this.vectors.restore(vectors);
    this.errors.restore(errors);
    this.priorities.restore(priorities);
    this.timer.restore(timer);
    this.placeWindow();
    this.update();
  }
}

/** SDM Vol. 3A, "Local APIC State After Power-Up or Reset". */
function powerUp(baseLow: number, baseHigh: number): Registers {
  const zero = Object.fromEntries(FIELDS.map((field) => [field, 0])) as Registers;
  return { ...zero, baseLow, baseHigh, dfr: R.DFR_FLAT, svr: R.SVR_RESET };
}
