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
  stateNumber,
  stateNumbers,
} from '@ringfence/sdk';
import { ApicTimer } from './apic-timer.js';
import { Priorities } from './priorities.js';
import * as R from './registers.js';

const COMPONENT = 'lapic';
const VERSION = 1;

const REGISTERS_BYTES = 0x1000;
/** Everything but the timer, the local vector table and the priorities. */
const FIELDS = [
  'baseLow',
  'baseHigh',
  'id',
  'ldr',
  'dfr',
  'svr',
  'icrLow',
  'icrHigh',
  'esr',
  'errors', // since the error status was last read (or latched)
  'errorSignalled',
  'extInt', // an ExtINT message waits
  'lines', // levels of LINT0 and LINT1
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
  private readonly lvt = new Int32Array(R.LVT_ENTRIES);
  private r: Registers = powerUp(R.BASE_RESET, 0, 0);

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
    this.timer = new ApicTimer(clock, Math.max(1, Math.round(clock.hz / options.busHz)), () =>
      this.local(R.LVT_TIMER, false),
    );
    this.window = windows.memory(REGISTERS_BYTES, this);
    this.powerUp(R.BASE_RESET, 0);
  }

  reset(): void {
    this.powerUp(R.BASE_RESET, 0);
  }

  /** MultiProcessor Specification 1.4, 3.6.2.2 "Virtual Wire Mode": the 8259s and NMI pass through. */
  handOver(): void {
    this.r.svr |= R.SVR_ENABLE;
    this.lvt[R.LVT_LINT0] = APIC_EXTINT << R.DELIVERY_MODE_SHIFT;
    this.lvt[R.LVT_LINT0 + 1] = APIC_NMI << R.DELIVERY_MODE_SHIFT;
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
    this.r = powerUp(baseLow, baseHigh, this.r.lines);
    this.lvt.fill(R.MASKED);
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
    const bit = 1 << pin;
    if (((this.r.lines & bit) !== 0) === level) return;
    this.r.lines ^= bit;
    if (!this.enabled) {
      // The pins are INTR and NMI.
      if (pin === 1 && level) this.pins.nmi();
    } else {
      this.sample(pin, level);
    }
    this.update();
  }

  get routesNmi(): boolean {
    return (this.lvt[R.LVT_LINT0] & R.MASKED) === 0 && this.mode(R.LVT_LINT0) === APIC_NMI;
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

  /** Whether a pin's entry hears it. `rising`: just now. */
  private sample(pin: number, rising: boolean): void {
    const index = R.LVT_LINT0 + pin;
    const entry = this.lvt[index];
    const high = (this.r.lines & (1 << pin)) !== 0;
    // LINT1 has no level-triggered interrupts, and other modes than fixed have none.
    const byLevel = pin === 0 && (entry & R.TRIGGER_LEVEL) !== 0 && this.mode(index) === APIC_FIXED;
    if (!byLevel) {
      if (rising && this.mode(index) !== APIC_EXTINT) this.local(index, false);
    } else if (high && (entry & (R.REMOTE_IRR | R.MASKED)) === 0) {
      this.lvt[index] |= R.REMOTE_IRR;
      this.local(index, true);
    }
  }

  /** An interrupt of the local vector table. */
  private local(index: number, level: boolean): void {
    const entry = this.lvt[index];
    const fixed = index === R.LVT_TIMER || index === R.LVT_ERROR;
    if ((entry & R.MASKED) === 0) this.take(fixed ? APIC_FIXED : this.mode(index), entry & R.VECTOR, level);
  }

  private mode(index: number): number {
    return (this.lvt[index] >>> R.DELIVERY_MODE_SHIFT) & 7;
  }

  /** Takes an interrupt in; false when it cannot now. */
  private take(mode: number, vector: number, level: boolean): boolean {
    switch (mode) {
      case APIC_FIXED:
      case APIC_LOWEST:
        if ((this.r.svr & R.SVR_ENABLE) === 0) return false;
        if (vector < 16) {
          this.error(R.RECEIVED_ILLEGAL_VECTOR);
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
    if (this.r.extInt !== 0) return true;
    const { lines } = this.r;
    for (let pin = 0; pin < 2; pin++) {
      const index = R.LVT_LINT0 + pin;
      const heard = (this.lvt[index] & R.MASKED) === 0 && this.mode(index) === APIC_EXTINT;
      if (heard && (lines & (1 << pin)) !== 0) return true;
    }
    return false;
  }

  private update(): void {
    const { lines } = this.r;
    this.pins.setIntr(this.enabled ? this.priorities.next() >= 0 || this.externalWaits() : (lines & 1) !== 0);
  }

  private endOfInterrupt(): void {
    const vector = this.priorities.finish();
    if (vector < 0) return;
    if (this.priorities.byLevel(vector)) {
      const lint0 = this.lvt[R.LVT_LINT0];
      if ((lint0 & R.REMOTE_IRR) !== 0 && (lint0 & R.VECTOR) === vector) {
        this.lvt[R.LVT_LINT0] &= ~R.REMOTE_IRR;
        this.sample(0, false);
      }
      this.bus.endOfInterrupt(vector);
    }
    this.update();
  }

  /** The error interrupt comes once until software has looked. */
  private error(bit: number): void {
    if ((this.family.errors & bit) === 0) return;
    this.r.errors |= bit;
    if (this.r.errorSignalled !== 0) return;
    this.r.errorSignalled = 1;
    this.local(R.LVT_ERROR, false);
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
      this.error(R.SEND_ILLEGAL_VECTOR);
      if (shorthand === R.TO_SELF) this.error(R.RECEIVED_ILLEGAL_VECTOR);
    } else if (shorthand === R.TO_SELF || shorthand === R.TO_ALL) {
      if (mode === APIC_FIXED) this.take(mode, vector, false);
    } else if (shorthand === 0) {
      const accepted = this.addressed(icrHigh >>> 24, (icrLow & R.ICR_LOGICAL) !== 0) && this.take(mode, vector, false);
      if (!accepted) this.error(R.SEND_ACCEPT);
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
    const index = this.lvtIndex(register);
    if (index >= 0) return this.lvt[index];
    switch (register) {
      case R.ID:
        return r.id << 24;
      case R.VERSION:
        return (this.lastEntry() << 16) | R.APIC_VERSION;
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
        if (!this.family.latchesErrors) this.latchErrors();
        return r.esr;
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
        this.error(R.ILLEGAL_REGISTER);
        return 0;
    }
  }

  private writeRegister(register: number, value: number): void {
    const { r, family } = this;
    const index = this.lvtIndex(register);
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
        if ((value & R.SVR_ENABLE) === 0) for (let i = 0; i < R.LVT_ENTRIES; i++) this.writeVector(i, this.lvt[i]);
        this.bus.receiverChanged();
        break;
      case R.ESR:
        if (family.latchesErrors) this.latchErrors();
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
        if (!readOnly && (register < R.ISR || register >= R.ESR)) this.error(R.ILLEGAL_REGISTER);
      }
    }
    this.update();
  }

  /** Which entry of the vector table a register is, or -1. */
  private lvtIndex(register: number): number {
    const index = (register - R.LVT) >> 4;
    return index >= 0 && index < R.LVT_ENTRIES && (this.family.entries & (1 << index)) !== 0 ? index : -1;
  }

  /** "Max LVT Entry": their number less one. */
  private lastEntry(): number {
    let count = 0;
    for (let i = 0; i < R.LVT_ENTRIES; i++) if ((this.family.entries & (1 << i)) !== 0) count++;
    return count - 1;
  }

  private writeVector(index: number, value: number): void {
    const remote = this.lvt[index] & R.REMOTE_IRR & (value & R.TRIGGER_LEVEL ? -1 : 0);
    const mask = (this.r.svr & R.SVR_ENABLE) === 0 ? R.MASKED : 0;
    this.lvt[index] = (value & R.LVT_WRITABLE[index]) | remote | mask;
    const entry = this.lvt[index];
    if (index === R.LVT_TIMER) this.timer.setMode((entry & R.TIMER_PERIODIC) !== 0, (entry & R.MASKED) === 0);
    if (index === R.LVT_LINT0) this.sample(0, false);
    this.update();
  }

  /** SDM Vol. 3A, "Error Handling". */
  private latchErrors(): void {
    this.r.esr = this.r.errors;
    this.r.errors = 0;
    this.r.errorSignalled = 0;
  }

  // ------------------------------------------------------------------------------ state

  saveState(): StateRecord {
    const data = {
      registers: { ...this.r },
      lvt: Object.fromEntries([...this.lvt].map((entry, i) => [LVT_NAMES[i], entry])),
      priorities: this.priorities.saveState(),
      timer: this.timer.saveState(),
    };
    return { component: COMPONENT, version: VERSION, data };
  }

  loadState(record: StateRecord): void {
    const data = checkedState(record, COMPONENT, VERSION);
    const registers = stateNumbers(stateFields(data, 'registers'), FIELDS);
    const table = stateFields(data, 'lvt');
    const lvt = LVT_NAMES.map((name) => stateNumber(table, name));
    const priorities = Priorities.parseState(data, 'priorities');
    const timer = ApicTimer.parseState(data, 'timer');
    this.r = registers;
    this.lvt.set(lvt);
    this.priorities.restore(priorities);
    this.timer.restore(timer);
    this.placeWindow();
    this.update();
  }
}

const LVT_NAMES = ['timer', 'thermal', 'performance', 'lint0', 'lint1', 'error'];

/** SDM Vol. 3A, "Local APIC State After Power-Up or Reset". The levels of the pins are the board's. */
function powerUp(baseLow: number, baseHigh: number, lines: number): Registers {
  const zero = Object.fromEntries(FIELDS.map((field) => [field, 0])) as Registers;
  return { ...zero, baseLow, baseHigh, lines, dfr: R.DFR_FLAT, svr: R.SVR_RESET };
}
