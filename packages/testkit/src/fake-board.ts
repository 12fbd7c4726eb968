/**
 * What a board gives a bus master, as fakes: windows that moved, memory that is a plain array with open bus behind it,
 * shadow RAM that remembers, interrupt inputs by number, drives in memory.
 */
import {
  checkedState,
  stateBytes,
  type AddressWindow,
  type AddressWindows,
  type BlockDevice,
  type DmaChannel,
  type DmaMemory,
  type DmaTransfer,
  type Drive,
  type DriveBay,
  type IrqInputs,
  type IsaDma,
  type MmioHandler,
  type PortDevice,
  type ShadowRam,
  type StateRecord,
} from '@ringfence/sdk';
import { FakeIrqLine } from './fake-lines.js';

interface FakeWindow {
  readonly name: string;
  readonly bytes: number;
  base: number;
  /** Who answers there. */
  readonly device?: PortDevice;
  readonly handler?: MmioHandler;
}

export class FakeAddressWindows implements AddressWindows {
  /** In the order they were asked for; a base of -1 is nowhere. */
  readonly list: FakeWindow[] = [];

  ports(_owner: string, range: string, count: number, _width: 1 | 2 | 4, device: PortDevice): AddressWindow {
    return this.add({ name: range, bytes: count, base: -1, device });
  }

  memory(bytes: number, handler: MmioHandler): AddressWindow {
    return this.add({ name: 'memory', bytes, base: -1, handler });
  }

  private add(window: FakeWindow): AddressWindow {
    this.list.push(window);
    return { place: (base) => (window.base = base) };
  }
}

/** `bytes` of memory from address 0; what is beyond reads FFh. */
export class FakeDmaMemory implements DmaMemory {
  readonly ram: Uint8Array;

  constructor(bytes = 0x20000) {
    this.ram = new Uint8Array(bytes);
  }

  read(address: number, into: Uint8Array): void {
    for (let i = 0; i < into.length; i++) into[i] = this.ram[address + i] ?? 0xff;
  }

  write(address: number, from: Uint8Array): void {
    for (let i = 0; i < from.length && address + i < this.ram.length; i++) this.ram[address + i] = from[i];
  }
}

/** `log` holds every call: `f0000+10000 rw`, `-` for what goes to ROM. */
export class FakeShadowRam implements ShadowRam {
  readonly log: string[] = [];

  set(base: number, bytes: number, readRam: boolean, writeRam: boolean): void {
    this.log.push(`${base.toString(16)}+${bytes.toString(16)} ${readRam ? 'r' : '-'}${writeRam ? 'w' : '-'}`);
  }
}

/** Channels that take whatever is offered, up to `limit` bytes before terminal count. */
export class FakeIsaDma implements IsaDma {
  readonly memory: number[] = [];
  limit = Infinity;

  channel(): DmaChannel {
    return {
      toMemory: (from) => this.move(from.length, (i) => this.memory.push(from[i])),
      fromMemory: (into) => this.move(into.length, (i) => (into[i] = this.memory.shift() ?? 0)),
    };
  }

  private move(length: number, each: (i: number) => void): DmaTransfer {
    const bytes = Math.min(length, this.limit);
    for (let i = 0; i < bytes; i++) each(i);
    this.limit -= bytes;
    return { bytes, terminalCount: bytes > 0 && this.limit === 0 };
  }
}

export class FakeIrqInputs implements IrqInputs {
  readonly lines = new Map<number, FakeIrqLine>();

  input(irq: number): FakeIrqLine {
    let line = this.lines.get(irq);
    if (line === undefined) this.lines.set(irq, (line = new FakeIrqLine(`irq${irq}`)));
    return line;
  }

  /** Numbers of the lines that are high. */
  high(): number[] {
    return [...this.lines].filter(([, line]) => line.level).map(([irq]) => irq);
  }
}

/** Storage in memory. `broken` makes every access fail, as a host's dying disk does. */
export class FakeBlockDevice implements BlockDevice {
  readonly name = 'fake';
  readonly content: Uint8Array;
  broken = false;
  flushes = 0;

  constructor(
    readonly bytes: number,
    readonly readOnly = false,
  ) {
    this.content = new Uint8Array(bytes);
    for (let i = 0; i < bytes; i++) this.content[i] = (i >>> 9) + i * 7;
  }

  read(offset: number, into: Uint8Array): boolean {
    into.set(this.content.subarray(offset, offset + into.length));
    return !this.broken;
  }

  write(offset: number, from: Uint8Array): boolean {
    if (this.broken || this.readOnly) return false;
    this.content.set(from, offset);
    return true;
  }

  flush(): boolean {
    this.flushes++;
    return !this.broken;
  }

  saveState(): StateRecord {
    return { component: 'fake-block', version: 1, data: { content: this.content.slice() } };
  }

  loadState(record: StateRecord): void {
    this.content.set(stateBytes(checkedState(record, 'fake-block', 1), 'content', this.bytes));
  }
}

/** Unit 0 is a disk of 1 MiB, unit 2 a CD-ROM of 64 sectors, unless a spec says otherwise. */
export class FakeDriveBay implements DriveBay {
  readonly disk = new FakeBlockDevice(1 << 20);
  readonly disc = new FakeBlockDevice(64 * 2048, true);
  list: Drive[] = [
    { media: 'disk', interface: 'ide', unit: 0, storage: this.disk },
    { media: 'cdrom', interface: 'ide', unit: 2, storage: this.disc },
  ];

  drives(on: Drive['interface']): readonly Drive[] {
    return this.list.filter((drive) => drive.interface === on);
  }
}
