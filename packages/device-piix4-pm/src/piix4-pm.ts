/**
 * Power management of the Intel 82371AB PIIX4 (datasheet 290562, chapter 7), function 3 of device 1: ACPI's fixed registers at
 * PMBA, the SCI on IRQ 9, the APM ports B2h and B3h, a power button, soft off. No processor here has a system management mode:
 * what a BIOS's SMI handler would do on ACPI_ENABLE and ACPI_DISABLE happens at the write to APMC itself, and nothing else
 * raises an SMI. Suspend states other than soft off, processor clock control, GPIO pins and the idle timers keep their register
 * values and do nothing; no source sets GPSTS. The SMBus has no devices (smbus-host.ts).
 */
import {
  type AddressWindow,
  type AddressWindows,
  type Clock,
  type Device,
  type IrqLine,
  type IrqLines,
  PCI_CONFIG_BYTES,
  type PciBus,
  PciConfig,
  type PortDevice,
  type PowerButton,
  type StateRecord,
  type SystemControl,
  Tokens,
  checkedState,
  inject,
  injectable,
  stateBytes,
  stateNumber,
} from '@ringfence/sdk';
import { PmTimer } from './pm-timer.js';
import {
  EVENTS,
  GPEN,
  GPSTS,
  PMBA,
  PMCNTRL,
  PMEN,
  PMREGMISC,
  PMREGMISC_PMIOSE,
  PMSTS,
  PMTMR,
  PM_BYTES,
  PWRBTN,
  SCI_EN,
  SMBBA,
  SMBHSTCFG,
  SMB_HST_EN,
  SUS_EN,
  SUS_TYP,
  SUS_TYP_SOFF,
  TMROF,
  configRegisters,
  ioInitial,
  ioWritable,
} from './registers.js';
import { SMBUS_BYTES, SmbusHost } from './smbus-host.js';

const COMPONENT = 'piix4-pm';
const VERSION = 1;

/** Where SeaBIOS puts the registers, and so a hand-over without firmware. */
export const PM_BASE = 0x600;
export const ACPI_ENABLE = 0xf1;
export const ACPI_DISABLE = 0xf0;
const INTERRUPT_LINE = 0x3c;
const SCI_IRQ = 9;

const WRITABLE = ioWritable();
const INITIAL = ioInitial();

@injectable()
export class Piix4Pm implements Device, PortDevice, PowerButton {
  private readonly config: PciConfig;
  private readonly registers = new Uint8Array(PM_BYTES);
  /** APMC and APMS. */
  private readonly apm = new Uint8Array(2);
  private readonly smbus = new SmbusHost();
  private readonly timer: PmTimer;
  private readonly sci: IrqLine;
  private readonly pmWindow: AddressWindow;
  private readonly smbusWindow: AddressWindow;

  constructor(
    @inject(Tokens.PciBus) bus: PciBus,
    @inject(Tokens.AddressWindows) windows: AddressWindows,
    @inject(Tokens.Clock) clock: Clock,
    @inject(Tokens.IrqLines) irqs: IrqLines,
    @inject(Tokens.SystemControl) private readonly system: SystemControl,
  ) {
    this.sci = irqs.line('sci');
    this.timer = new PmTimer(clock, () => this.updateSci());
    this.pmWindow = windows.ports('82371AB power management', 'pm', PM_BYTES, 4, this);
    this.smbusWindow = windows.ports('82371AB SMBus', 'smbus', SMBUS_BYTES, 1, this.smbus);
    this.config = new PciConfig(
      {
        name: '82371AB power management',
        vendor: 0x8086,
        device: 0x7113,
        revision: 0x03, // a PIIX4M: earlier ones have a timer that must be read three times
        classCode: 0x068000,
        commandWritable: 0x0001,
        status: 0x0280, // fast back-to-back, medium DEVSEL#
        interruptPin: 1,
        registers: configRegisters(),
      },
      windows,
      () => this.place(),
    );
    bus.attach(1, 3, this.config);
  }

  reset(): void {
    this.config.reset();
    this.registers.set(INITIAL);
    this.apm.fill(0);
    this.smbus.reset();
    this.timer.acknowledge();
    this.updateSci();
  }

  handOver(): void {
    this.config.configWrite(PMBA, 4, PM_BASE);
    this.config.configWrite(PMREGMISC, 1, PMREGMISC_PMIOSE);
    this.config.configWrite(INTERRUPT_LINE, 1, SCI_IRQ);
  }

  pressPowerButton(): void {
    this.setStatus(PWRBTN);
    this.updateSci();
  }

  portRead(range: string, offset: number, size: number): number {
    if (range === 'apm') return this.apm[offset];
    const time = this.timer.value;
    let value = 0;
    for (let i = 0; i < size; i++) {
      const at = offset + i;
      const byte = at >= PMTMR && at < PMTMR + 4 ? (time >>> (8 * (at - PMTMR))) & 0xff : this.registers[at];
      value |= byte << (8 * i);
    }
    return offset === PMSTS && this.timer.overflowed ? value | TMROF : value;
  }

  portWrite(range: string, offset: number, size: number, value: number): void {
    if (range === 'apm') {
      this.apm[offset] = value;
      if (offset === 0) this.command(value & 0xff);
      return;
    }
    for (let i = 0; i < size; i++) this.writeByte(offset + i, (value >>> (8 * i)) & 0xff);
    this.updateSci();
  }

  saveState(): StateRecord {
    const { config, registers, apm, smbus, timer } = this;
    return {
      component: COMPONENT,
      version: VERSION,
      data: {
        config: config.bytes.slice(),
        registers: registers.slice(),
        apm: apm.slice(),
        smbus: smbus.bytes.slice(),
        overflows: timer.acknowledged,
      },
    };
  }

  loadState(record: StateRecord): void {
    const data = checkedState(record, COMPONENT, VERSION);
    const config = stateBytes(data, 'config', PCI_CONFIG_BYTES);
    const registers = stateBytes(data, 'registers', PM_BYTES);
    const apm = stateBytes(data, 'apm', 2);
    const smbus = stateBytes(data, 'smbus', SMBUS_BYTES);
    this.timer.acknowledged = stateNumber(data, 'overflows');
    this.registers.set(registers);
    this.apm.set(apm);
    this.smbus.bytes.set(smbus);
    this.config.load(config);
    this.updateSci();
  }

  /** What an SMI handler does: it hands the fixed registers to an operating system, or takes them back. */
  private command(value: number): void {
    if (value === ACPI_ENABLE) this.registers[PMCNTRL] |= SCI_EN;
    else if (value === ACPI_DISABLE) this.registers[PMCNTRL] &= ~SCI_EN;
    this.updateSci();
  }

  private writeByte(at: number, value: number): void {
    const { registers } = this;
    if (at < PMEN || at === GPSTS || at === GPSTS + 1) {
      registers[at] &= ~value;
      if (at === PMSTS && (value & TMROF) !== 0) this.timer.acknowledge();
      return;
    }
    registers[at] = (registers[at] & ~WRITABLE[at]) | (value & WRITABLE[at]);
    const control = value << 8;
    if (at === PMCNTRL + 1 && (control & SUS_EN) !== 0 && (control & SUS_TYP) === SUS_TYP_SOFF) this.system.powerOff();
  }

  private setStatus(bit: number): void {
    this.registers[PMSTS] |= bit & 0xff;
    this.registers[PMSTS + 1] |= bit >>> 8;
  }

  private updateSci(): void {
    const { registers, timer } = this;
    const word = (at: number): number => registers[at] | (registers[at + 1] << 8);
    const enabled = word(PMEN);
    const status = word(PMSTS) | (timer.overflowed ? TMROF : 0);
    const asserted = (status & enabled & EVENTS) !== 0 || (word(GPSTS) & word(GPEN)) !== 0;
    this.sci.set(asserted && (word(PMCNTRL) & SCI_EN) !== 0);
    timer.watch((enabled & TMROF) !== 0 && !timer.overflowed);
  }

  private place(): void {
    const word = (at: number, mask: number): number => this.config.configRead(at, 2) & mask;
    const pm = word(PMBA, 0xffc0);
    this.pmWindow.place(pm !== 0 && (word(PMREGMISC, 0xff) & PMREGMISC_PMIOSE) !== 0 ? pm : -1);
    const smbus = word(SMBBA, 0xfff0);
    this.smbusWindow.place(smbus !== 0 && (word(SMBHSTCFG, 0xff) & SMB_HST_EN) !== 0 ? smbus : -1);
  }
}
