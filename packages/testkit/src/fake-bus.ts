/**
 * A bus with scripted ports: what a processor's spec plugs a core into. Ports without a script float high. Every access
 * is logged as short text (`in 60/1 = fa`, `out 43/1 = 34`), so that a spec can compare the whole conversation.
 */
import type { Bus, LocalApicBase } from '@ringfence/sdk';

export type PortReader = (size: number) => number;
export type PortWriter = (value: number, size: number) => void;

export class FakeBus implements Bus {
  readonly log: string[] = [];
  /** Vectors that `acknowledge` hands out, first first; when empty it answers `spurious`. */
  readonly vectors: number[] = [];
  spurious = 0x27;
  /** Interrupt acknowledge cycles so far. */
  acknowledged = 0;
  /** Called by every `acknowledge`, before it answers: lower INTR here. */
  onAcknowledge: () => void = () => {};
  /** Level of IGNNE#. */
  ignoreFloatErrors = false;
  /** None unless a spec puts one here. */
  localApic: LocalApicBase | undefined = undefined;
  /** What `now` answers. */
  time: number | (() => number) = 0;
  private readonly readers = new Map<number, PortReader>();
  private readonly writers = new Map<number, PortWriter>();

  /** A port answers with a fixed value, or with each value of a list in turn (the last one stays). */
  script(port: number, values: number | readonly number[]): this {
    const list = typeof values === 'number' ? [values] : [...values];
    return this.onRead(port, () => (list.length > 1 ? list.shift()! : list[0]));
  }

  onRead(port: number, reader: PortReader): this {
    this.readers.set(port, reader);
    return this;
  }

  onWrite(port: number, writer: PortWriter): this {
    this.writers.set(port, writer);
    return this;
  }

  ioRead(port: number, size: number): number {
    const raw = this.readers.get(port)?.(size) ?? -1;
    const value = size === 4 ? raw | 0 : size === 2 ? raw & 0xffff : raw & 0xff;
    this.log.push(`in ${port.toString(16)}/${size} = ${(value >>> 0).toString(16)}`);
    return value;
  }

  ioWrite(port: number, size: number, value: number): void {
    const given = size === 4 ? value | 0 : size === 2 ? value & 0xffff : value & 0xff;
    this.log.push(`out ${port.toString(16)}/${size} = ${(given >>> 0).toString(16)}`);
    this.writers.get(port)?.(given, size);
  }

  acknowledge(): number {
    this.acknowledged++;
    this.onAcknowledge();
    return this.vectors.shift() ?? this.spurious;
  }

  floatError(again: boolean): boolean {
    this.log.push(again ? 'ferr still' : 'ferr');
    return this.ignoreFloatErrors;
  }

  now(): number {
    return typeof this.time === 'number' ? this.time : this.time();
  }
}
