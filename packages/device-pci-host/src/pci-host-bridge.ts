/**
 * PCI host bridge with configuration mechanism #1 (PCI Local Bus Specification 2.1, 3.7.4.1): CONFADD at CF8h, CONFDATA at
 * CFCh-CFFh, bus 0 only, itself as function 0 of device 0. A byte access to CF9h is the reset control register of the
 * 82371 PIIX, whose port lies within CONFADD. The slots' interrupt pins go to PIRQ (device + pin - 2) mod 4, as boards of
 * this chipset wire them. Functions that others attach keep their own state. Does not do mechanism #2, bus 1 and up.
 */
import {
  type AddressWindows,
  type Device,
  PCI_CONFIG_BYTES,
  type PciBus,
  type PciConfig,
  type PciFunction,
  type PciInterruptRouter,
  type PciSlot,
  type PortDevice,
  RingfenceError,
  type ShadowRam,
  type StateRecord,
  type SystemControl,
  Tokens,
  checkedState,
  inject,
  injectable,
  stateBytes,
  stateNumber,
} from '@ringfence/sdk';
import { hostFunction } from './host-function.js';

const COMPONENT = 'pci-host';
const VERSION = 2;

const CONFADD_ENABLE = 0x80000000;
const CONFADD_WRITABLE = 0x80fffffc;
/** Offset of the reset control register (CF9h) in the range of CONFADD. */
const RESET_CONTROL = 1;
const RESET_HARD = 0x02;
const RESET_CPU = 0x04;

@injectable()
export class PciHostBridge implements Device, PortDevice, PciBus {
  private address = 0;
  private resetControl = 0;
  private readonly bridge: PciConfig;
  private readonly functions: (PciFunction | undefined)[] = new Array<undefined>(256);
  private router: PciInterruptRouter | undefined;
  /** Who asserts each PIRQ: not state of this chip, but what its neighbours drive. */
  private readonly asserted = [new Set<number>(), new Set<number>(), new Set<number>(), new Set<number>()];

  constructor(
    @inject(Tokens.SystemControl) private readonly system: SystemControl,
    @inject(Tokens.AddressWindows) windows: AddressWindows,
    @inject(Tokens.ShadowRam) shadow: ShadowRam,
  ) {
    this.bridge = hostFunction(windows, shadow);
    this.attach(0, 0, this.bridge);
  }

  /** Throws RF_RESOURCE_CONFLICT when the place is taken. */
  attach(device: number, fn: number, pci: PciFunction): PciSlot {
    const slot = (device << 3) | fn;
    const other = this.functions[slot];
    if (other !== undefined) {
      throw new RingfenceError('RF_RESOURCE_CONFLICT', {
        message: `PCI function ${device}.${fn} is wanted by both ${other.name} and ${pci.name}`,
        value: `${device}.${fn}`,
        fix: 'give one of them another device number',
      });
    }
    this.functions[slot] = pci;
    return { setInterrupt: (pin, asserted) => this.setPin(slot, pin, asserted) };
  }

  routeInterrupts(router: PciInterruptRouter): void {
    this.router = router;
    this.asserted.forEach((by, pirq) => router.setPirq(pirq, by.size > 0));
  }

  reset(): void {
    this.address = 0;
    this.resetControl = 0;
    this.bridge.reset();
  }

  portRead(range: string, offset: number, size: number): number {
    if (range === 'address') {
      if (size === 4 && offset === 0) return this.address | 0;
      return size === 1 && offset === RESET_CONTROL ? this.resetControl : floating(size);
    }
    const pci = this.selected();
    return pci === undefined ? floating(size) : pci.configRead((this.address & 0xfc) + offset, size);
  }

  portWrite(range: string, offset: number, size: number, value: number): void {
    if (range === 'address') {
      if (size === 4 && offset === 0) this.address = (value & CONFADD_WRITABLE) >>> 0;
      else if (size === 1 && offset === RESET_CONTROL) this.writeResetControl(value);
      return;
    }
    this.selected()?.configWrite((this.address & 0xfc) + offset, size, value);
  }

  saveState(): StateRecord {
    const { address, resetControl, bridge } = this;
    return { component: COMPONENT, version: VERSION, data: { address, resetControl, bridge: bridge.bytes.slice() } };
  }

  loadState(record: StateRecord): void {
    const data = checkedState(record, COMPONENT, VERSION);
    const address = stateNumber(data, 'address');
    const resetControl = stateNumber(data, 'resetControl');
    const bridge = stateBytes(data, 'bridge', PCI_CONFIG_BYTES);
    this.address = address;
    this.resetControl = resetControl;
    this.bridge.load(bridge);
  }

  private selected(): PciFunction | undefined {
    if (this.address < CONFADD_ENABLE || (this.address & 0xff0000) !== 0) return undefined;
    return this.functions[(this.address >>> 8) & 0xff];
  }

  private setPin(slot: number, pin: number, asserted: boolean): void {
    const pirq = ((slot >>> 3) + pin - 2) & 3;
    const by = this.asserted[pirq];
    if (asserted) by.add(slot);
    else by.delete(slot);
    this.router?.setPirq(pirq, by.size > 0);
  }

  private writeResetControl(value: number): void {
    const rises = (value & ~this.resetControl & RESET_CPU) !== 0;
    this.resetControl = value & (RESET_HARD | RESET_CPU);
    if (rises) this.system.reset('PCI reset control');
  }
}

function floating(size: number): number {
  return size === 4 ? -1 : size === 2 ? 0xffff : 0xff;
}
