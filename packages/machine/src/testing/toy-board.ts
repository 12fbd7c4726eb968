/**
 * Parts for specs: toy devices, an MMU that does nothing, a loader that takes anything, and a registry with them.
 */
import {
  PartRegistry,
  SDK_VERSION,
  Tokens,
  checkedState,
  definePlugin,
  inject,
  injectable,
  parseMachineConfig,
  stateNumber,
  z,
  type BoardInfo,
  type ByteChannel,
  type Clock,
  type CpuModel,
  type Device,
  type InterruptController,
  type IntrPin,
  type IrqLine,
  type IrqLines,
  type MachineConfigInput,
  type Mmu,
  type MmuFactory,
  type Part,
  type PortDevice,
  type StateRecord,
  type SystemControl,
  type Timer,
} from '@ringfence/sdk';
import { createMachine } from '../create.js';
import type { CreateMachineOptions, Machine } from '../types.js';
import { scriptedCore, type Script } from './scripted-core.js';

const stateless = { saveState: (): StateRecord => ({ component: 'toy', version: 1, data: {} }), loadState: () => {} };

/** Latches one request; ports: 20h ends the interrupt. */
@injectable()
export class ToyPic implements Device, InterruptController, PortDevice {
  saveState = stateless.saveState;
  loadState = stateless.loadState;
  constructor(@inject(Tokens.IntrPin) private readonly pin: IntrPin) {}
  reset() {}
  setIrq(irq: number, level: boolean) {
    if (level) this.vector = 100 + irq;
    this.pin.set(level);
  }
  vector = 0;
  acknowledge() {
    this.pin.set(false);
    return this.vector;
  }
  portRead() {
    return this.vector;
  }
  portWrite() {
    this.pin.set(false);
  }
}

/** Writing n to port 40h arms it to fire n ticks later, on IRQ 3; reading gives the ticks of the last firing. */
@injectable()
export class ToyTimer implements Device, PortDevice {
  private readonly timer: Timer;
  private readonly line: IrqLine;
  fired = 0;
  constructor(
    @inject(Tokens.Clock) private readonly clock: Clock,
    @inject(Tokens.IrqLines) lines: IrqLines,
    @inject(Tokens.BoardInfo) readonly board: BoardInfo,
    @inject(Tokens.Options) readonly options: { readonly factor: number },
  ) {
    this.line = lines.line('out');
    this.timer = clock.createTimer('toy', () => {
      this.fired = clock.now();
      this.line.set(true);
    });
  }
  reset() {
    this.timer.disarm();
  }
  portRead(_range: string, _offset: number, size: number) {
    return size === 4 ? this.fired : this.fired & 0xffff;
  }
  portWrite(_range: string, _offset: number, _size: number, value: number) {
    this.timer.arm(this.clock.now() + value * this.options.factor);
  }
  saveState(): StateRecord {
    return { component: 'toy-timer', version: 1, data: { fired: this.fired, deadline: this.timer.deadline ?? -1 } };
  }
  loadState(record: StateRecord) {
    const data = checkedState(record, 'toy-timer', 1);
    this.fired = stateNumber(data, 'fired');
    const deadline = stateNumber(data, 'deadline');
    if (deadline >= 0) this.timer.arm(deadline);
    else this.timer.disarm();
  }
}

/** Port 3F8h: a byte out or in. Port E0h..E4h control the board. */
@injectable()
export class ToySerial implements Device, PortDevice {
  saveState = stateless.saveState;
  loadState = stateless.loadState;
  constructor(
    @inject(Tokens.ByteChannel) private readonly channel: ByteChannel,
    @inject(Tokens.SystemControl) private readonly system: SystemControl,
  ) {}
  reset() {
    this.system.setA20(false); // as a chip whose reset value closes the gate
  }
  portRead() {
    return this.channel.receive() & 0xff;
  }
  portWrite(range: string, offset: number, _size: number, value: number) {
    if (range === 'data') this.channel.send(value);
    else if (offset === 0) this.system.reset('toy reset');
    else if (offset === 1) this.system.powerOff();
    else if (offset === 2) this.system.debugExit(value);
    else this.system.setA20(value !== 0);
  }
}

/** No translation at all. */
class ToyMmuFactory implements MmuFactory {
  create(): Mmu {
    return { roots: new Set<number>(), writeCr0: () => {}, probe: (linear: number) => linear } as unknown as Mmu;
  }
}

class ToyLoader {
  recognises(kernel: Uint8Array) {
    return kernel[0] === 0x55;
  }
  load() {
    return {
      segments: [{ address: 0x1000, bytes: new Uint8Array([1, 2, 3]) }],
      entry: { registers: {}, eip: 0, eflags: 2, cr0: 1, segments: {} },
    };
  }
}

export const toyParts: readonly Part[] = [
  { kind: 'mmu', name: 'toy-mmu', summary: '', useClass: ToyMmuFactory },
  { kind: 'model', name: 'p6', summary: '', model: { isa: 6, features: { pse: true, pge: true } } as CpuModel },
  {
    kind: 'device',
    name: 'timer',
    summary: '',
    useClass: ToyTimer,
    options: z.strictObject({ factor: z.number().default(1) }),
    resources: { ports: { data: { base: 0x40, count: 4, width: 4 } }, irqs: { out: 3 } },
  },
  {
    kind: 'device',
    name: 'serial',
    summary: '',
    useClass: ToySerial,
    channel: 'serial',
    resources: { ports: { data: { base: 0x3f8, count: 1 }, control: { base: 0xe0, count: 4 } } },
  },
  {
    kind: 'device',
    name: 'pic',
    summary: '',
    useClass: ToyPic,
    provides: ['interrupt-controller'],
    resources: { ports: { data: { base: 0x20, count: 1 } } },
  },
  { kind: 'loader', name: 'toy', summary: 'toy kernels', useClass: ToyLoader, priority: 1 },
  { kind: 'loader', name: 'raw', summary: 'raw', useClass: ToyLoader, priority: -1 },
];

export function toyRegistry(script: Script, extra: readonly Part[] = []): PartRegistry {
  const registry = new PartRegistry();
  const core: Part = { kind: 'core', name: 'interpreter', summary: '', useClass: scriptedCore(script), emulator: true };
  registry.add(definePlugin({ name: 'toys', sdk: SDK_VERSION, parts: [core, ...toyParts, ...extra] }));
  return registry;
}

export function toyMachine(
  script: Script,
  config: MachineConfigInput = {},
  more: Partial<CreateMachineOptions> = {},
  extra: readonly Part[] = [],
): Machine {
  return createMachine({
    config: parseMachineConfig({ memory: '1M', ...config }),
    registry: toyRegistry(script, extra),
    kernel: { bytes: new Uint8Array([0x55]), name: 'toy.bin' },
    ...more,
  });
}
