/**
 * Intel 82093AA I/O Advanced Programmable Interrupt Controller (datasheet 290566): 24 inputs, each with a redirection
 * entry that makes a message for the local APIC of its edge or level. Two registers in memory at FEC00000h: IOREGSEL, IOWIN.
 * Inputs are asserted or not: the polarity of an entry is kept, but the board wires as it says. An SMI goes nowhere,
 * as no processor here has SMM. Starts masked; `handOver` gives it the ID that the firmware's tables name. Arbitration on
 * the bus has one winner; the ID and arbitration ID are only kept.
 */
import {
  APIC_LOWEST,
  APIC_NMI,
  APIC_STARTUP,
  type ApicBus,
  type Device,
  type IoApic,
  type MmioHandler,
  type StateRecord,
  Tokens,
  checkedState,
  inject,
  injectable,
  stateBytes,
  stateNumbers,
} from '@ringfence/sdk';

const COMPONENT = 'ioapic';
const VERSION = 1;

export const VERSION_NUMBER = 0x11;
export const BIOS_ID = 1;
export const INPUTS = 24;
const ENTRY_BYTES = 8;

// Registers in memory
const IOREGSEL = 0x00;
const IOWIN = 0x10;
// Registers behind them
const IOAPICID = 0x00;
const IOAPICVER = 0x01;
const IOAPICARB = 0x02;
const IOREDTBL = 0x10;

// The low word of a redirection entry
const VECTOR = 0xff;
const DELIVERY_MODE_SHIFT = 8;
const LOGICAL = 1 << 11;
const DELIVERY_STATUS = 1 << 12;
const REMOTE_IRR = 1 << 14;
const TRIGGER_LEVEL = 1 << 15;
const MASKED = 1 << 16;
const WRITABLE = 0x1afff;
const RESERVED_MODE = 3;

@injectable()
export class IoApic82093 implements Device, MmioHandler, IoApic {
  private readonly low = new Int32Array(INPUTS);
  /** The destination field. */
  private readonly destination = new Uint8Array(INPUTS);
  private select = 0;
  private id = 0;
  /** Bit n: input n is asserted. */
  private inputs = 0;
  /** Edges that were heard and could not be delivered yet. */
  private pending = 0;

  constructor(@inject(Tokens.ApicBus) private readonly bus: ApicBus) {
    this.reset();
  }

  /** The inputs are the board's. */
  reset(): void {
    this.low.fill(MASKED);
    this.destination.fill(0);
    this.select = this.id = this.pending = 0;
  }

  handOver(): void {
    this.id = BIOS_ID;
  }

  setInput(pin: number, level: boolean): void {
    const bit = 1 << pin;
    if (pin >= INPUTS || ((this.inputs & bit) !== 0) === level) return;
    this.inputs ^= bit;
    // "Edge-sensitive interrupts signaled on a masked interrupt pin are ignored" (3.2.4, bit 16).
    if (!level || (this.low[pin] & MASKED) !== 0) return;
    if (!this.byLevel(pin)) this.pending |= bit;
    this.service(pin);
  }

  endOfInterrupt(vector: number): void {
    for (let pin = 0; pin < INPUTS; pin++) {
      if ((this.low[pin] & REMOTE_IRR) === 0 || (this.low[pin] & VECTOR) !== vector) continue;
      this.low[pin] &= ~REMOTE_IRR;
      this.service(pin);
    }
  }

  retry(): void {
    for (let pin = 0; pin < INPUTS; pin++) this.service(pin);
  }

  get routesNmi(): boolean {
    return this.low.some((low) => (low & MASKED) === 0 && mode(low) === APIC_NMI);
  }

  mmioRead(offset: number, size: number): number {
    const register = offset & ~3;
    const value = register === IOREGSEL ? this.select : register === IOWIN ? this.readRegister() : 0;
    const part = value >> ((offset & 3) * 8);
    return size === 4 ? part | 0 : part & (size === 2 ? 0xffff : 0xff);
  }

  mmioWrite(offset: number, size: number, value: number): void {
    if (offset === IOREGSEL) this.select = value & 0xff;
    else if (offset === IOWIN && size === 4) this.writeRegister(value); // "must be accessed as a Dword" (3.0)
  }

  saveState(): StateRecord {
    const { select, id, inputs, pending } = this;
    const table = new Uint8Array(INPUTS * ENTRY_BYTES);
    const view = new DataView(table.buffer);
    this.low.forEach((low, pin) => {
      view.setInt32(pin * ENTRY_BYTES, low, true);
      view.setUint8(pin * ENTRY_BYTES + 7, this.destination[pin]);
    });
    return { component: COMPONENT, version: VERSION, data: { select, id, inputs, pending, table } };
  }

  loadState(record: StateRecord): void {
    const data = checkedState(record, COMPONENT, VERSION);
    const { select, id, inputs, pending } = stateNumbers(data, ['select', 'id', 'inputs', 'pending']);
    const table = stateBytes(data, 'table', INPUTS * ENTRY_BYTES);
    Object.assign(this, { select, id, inputs, pending });
    const view = new DataView(table.buffer, table.byteOffset);
    for (let pin = 0; pin < INPUTS; pin++) {
      this.low[pin] = view.getInt32(pin * ENTRY_BYTES, true);
      this.destination[pin] = view.getUint8(pin * ENTRY_BYTES + 7);
    }
  }

  /** Only fixed and lowest priority have levels; the other modes are edge triggered whatever the entry says (3.2.4). */
  private byLevel(pin: number): boolean {
    const low = this.low[pin];
    return (low & TRIGGER_LEVEL) !== 0 && mode(low) <= APIC_LOWEST;
  }

  /** Sends what an input wants sent. */
  private service(pin: number): void {
    const low = this.low[pin];
    const bit = 1 << pin;
    if ((low & MASKED) !== 0) return;
    if (this.byLevel(pin)) {
      if ((this.inputs & bit) !== 0 && (low & REMOTE_IRR) === 0 && this.send(pin)) this.low[pin] |= REMOTE_IRR;
    } else if ((this.pending & bit) !== 0 && this.send(pin)) {
      this.pending &= ~bit;
    }
  }

  private send(pin: number): boolean {
    const low = this.low[pin];
    if (mode(low) === RESERVED_MODE || mode(low) === APIC_STARTUP) return true;
    return this.bus.send(this.destination[pin], (low & LOGICAL) !== 0, mode(low), low & VECTOR, this.byLevel(pin));
  }

  private readRegister(): number {
    const { select, id } = this;
    if (select === IOAPICID || select === IOAPICARB) return id << 24;
    if (select === IOAPICVER) return ((INPUTS - 1) << 16) | VERSION_NUMBER;
    const pin = (select - IOREDTBL) >> 1;
    if (pin < 0 || pin >= INPUTS) return 0;
    if ((select & 1) !== 0) return this.destination[pin] << 24;
    return this.low[pin] | ((this.pending & (1 << pin)) !== 0 ? DELIVERY_STATUS : 0);
  }

  private writeRegister(value: number): void {
    const { select } = this;
    if (select === IOAPICID) this.id = (value >>> 24) & 0xf;
    const pin = (select - IOREDTBL) >> 1;
    if (pin < 0 || pin >= INPUTS) return;
    if ((select & 1) !== 0) {
      this.destination[pin] = value >>> 24;
    } else {
      // Made edge triggered, an entry forgets that it waits for an end of interrupt.
      const waits = (value & TRIGGER_LEVEL) !== 0 ? this.low[pin] & REMOTE_IRR : 0;
      this.low[pin] = (value & WRITABLE) | waits;
      if ((value & MASKED) !== 0 || this.byLevel(pin)) this.pending &= ~(1 << pin);
    }
    this.service(pin);
  }
}

function mode(low: number): number {
  return (low >>> DELIVERY_MODE_SHIFT) & 7;
}
