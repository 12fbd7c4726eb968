/**
 * The ISA bridge of the Intel 82371SB PIIX3 (datasheet 290550), function 0 of device 1: routes PIRQA#-PIRQD# to interrupt
 * requests by PIRQRC (2.2.4 "PIRQRC[A:D] - PIRQX Route Control Registers"). The chip's other parts stand in packages of
 * their own: ELCR with the 8259A, the reset control register with CONFADD, IDE as function 1. Its remaining configuration
 * registers keep what software may set and do nothing: no USB, no SMI, no APIC chip select.
 */
import {
  type AddressWindows,
  type Device,
  type IrqInputs,
  PCI_CONFIG_BYTES,
  type PciBus,
  PciConfig,
  type PciInterruptRouter,
  type StateRecord,
  Tokens,
  checkedState,
  inject,
  injectable,
  stateBytes,
  stateNumber,
} from '@ringfence/sdk';

const COMPONENT = 'piix3';
const VERSION = 1;

export const PIRQRC = 0x60;
const PIRQRC_DISABLED = 0x80;
/** Where firmware routes PIRQA# to PIRQD#, SeaBIOS for one. */
export const HANDED_OVER = [10, 10, 11, 11];
/** IRQ 0, 1, 2, 8 and 13 are reserved. */
const ROUTABLE = [3, 4, 5, 6, 7, 9, 10, 11, 12, 14, 15];

@injectable()
export class Piix3 implements Device, PciInterruptRouter {
  private readonly config: PciConfig;
  private readonly inputs = new Map<number, { set(level: boolean): void }>();
  /** Bit n: PIRQ n is asserted. */
  private pirqs = 0;
  /** Which requests are driven high. */
  private driven = 0;

  constructor(
    @inject(Tokens.PciBus) bus: PciBus,
    @inject(Tokens.AddressWindows) windows: AddressWindows,
    @inject(Tokens.IrqInputs) irqs: IrqInputs,
  ) {
    for (const irq of ROUTABLE) this.inputs.set(irq, irqs.input(irq));
    this.config = new PciConfig(
      {
        name: '82371SB ISA bridge',
        vendor: 0x8086,
        device: 0x7000,
        classCode: 0x060100,
        headerType: 0x80,
        command: 0x0007, // I/O, memory and bus master, all fixed
        commandWritable: 0x0108,
        status: 0x0200, // medium DEVSEL#
        registers: [
          [0x4c, 0x4d, 0xff], // IORT
          [0x4e, 0x03, 0xff], // XBCS
          [0x4f, 0x00, 0x01],
          ...[0, 1, 2, 3].map((i) => [PIRQRC + i, PIRQRC_DISABLED, 0x8f] as const),
          [0x69, 0x02, 0xfe], // TOM
          [0x6a, 0x00, 0x81], // MSTAT
          [0x70, 0x80, 0xef], // MBIRQ0
          [0x76, 0x0c, 0x8f], // MBDMA0
          [0x77, 0x0c, 0x8f], // MBDMA1
          [0x78, 0x02, 0xff], // PCSC
          [0x79, 0x00, 0xff],
          [0x80, 0x00, 0x7f], // APICBASE
          [0x82, 0x00, 0x0f], // DLC
          [0xa0, 0x08, 0x1f], // SMICNTL
        ],
      },
      windows,
      () => this.route(),
    );
    bus.attach(1, 0, this.config);
    bus.routeInterrupts(this);
  }

  reset(): void {
    this.config.reset();
  }

  handOver(): void {
    HANDED_OVER.forEach((irq, pirq) => this.config.configWrite(PIRQRC + pirq, 1, irq));
  }

  setPirq(pirq: number, asserted: boolean): void {
    this.pirqs = asserted ? this.pirqs | (1 << pirq) : this.pirqs & ~(1 << pirq);
    this.route();
  }

  saveState(): StateRecord {
    const { config, pirqs } = this;
    return { component: COMPONENT, version: VERSION, data: { config: config.bytes.slice(), pirqs } };
  }

  loadState(record: StateRecord): void {
    const data = checkedState(record, COMPONENT, VERSION);
    const config = stateBytes(data, 'config', PCI_CONFIG_BYTES);
    this.pirqs = stateNumber(data, 'pirqs');
    this.config.load(config);
    // Whether the controller's own state has them high already or not, they are.
    for (const [irq, input] of this.inputs) if ((this.driven & (1 << irq)) !== 0) input.set(true);
  }

  private route(): void {
    let driven = 0;
    for (let pirq = 0; pirq < 4; pirq++) {
      const control = this.config.bytes[PIRQRC + pirq];
      const irq = control & 0x0f;
      if ((this.pirqs & (1 << pirq)) !== 0 && (control & PIRQRC_DISABLED) === 0 && this.inputs.has(irq)) {
        driven |= 1 << irq;
      }
    }
    const changed = driven ^ this.driven;
    this.driven = driven;
    for (const [irq, input] of this.inputs) if ((changed & (1 << irq)) !== 0) input.set((driven & (1 << irq)) !== 0);
  }
}
