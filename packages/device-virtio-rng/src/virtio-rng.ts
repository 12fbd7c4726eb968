/**
 * A virtio entropy device at PCI device 9, when the configuration asks for it. Its bytes are those of a generator seeded by
 * the option `seed`, so that a run repeats; a guest that needs secrets must not rely on this device.
 */
import {
  type AddressWindows,
  type Clock,
  type Device,
  type DmaMemory,
  type PciBus,
  type StateRecord,
  Tokens,
  checkedState,
  inject,
  injectable,
  stateFields,
  stateNumbers,
  z,
} from '@ringfence/sdk';
import { VirtioPci } from '@ringfence/virtio';
import { EntropySource } from './entropy-source.js';
import { Xoshiro128 } from './generator.js';

const COMPONENT = 'virtio-rng';
const VERSION = 1;
const PCI_DEVICE = 9;
const WORDS = ['s0', 's1', 's2', 's3'] as const;

export const rngOptions = z.strictObject({
  seed: z.number().int().min(0).max(0xffffffff).default(1).describe('The same seed gives the same bytes.'),
});

@injectable()
export class VirtioRng implements Device {
  private readonly pci: VirtioPci;
  private readonly seed: number;
  private readonly generator: Xoshiro128;

  constructor(
    @inject(Tokens.PciBus) bus: PciBus,
    @inject(Tokens.AddressWindows) windows: AddressWindows,
    @inject(Tokens.DmaMemory) memory: DmaMemory,
    @inject(Tokens.Clock) clock: Clock,
    @inject(Tokens.Options) options: Readonly<Record<string, unknown>>,
  ) {
    this.seed = rngOptions.parse(options).seed;
    this.generator = new Xoshiro128(this.seed);
    const source = new EntropySource(this.generator, clock.hz);
    this.pci = new VirtioPci(source, { bus, windows, memory, clock }, PCI_DEVICE);
  }

  reset(): void {
    this.generator.seed(this.seed);
    this.pci.reset();
  }

  saveState(): StateRecord {
    const words = Object.fromEntries(WORDS.map((name, i) => [name, this.generator.state[i]]));
    return { component: COMPONENT, version: VERSION, data: { pci: this.pci.save(), ...words } };
  }

  loadState(record: StateRecord): void {
    const data = checkedState(record, COMPONENT, VERSION);
    const words = stateNumbers(data, WORDS);
    this.pci.check(stateFields(data, 'pci'));
    this.pci.load(stateFields(data, 'pci'));
    WORDS.forEach((name, i) => (this.generator.state[i] = words[name]));
  }
}
