/** A local APIC with its fakes, and what software does with its registers. */
import type { CpuModel } from '@ringfence/sdk';
import { makeDeviceKit, type DeviceKit, type FakeProcessorPins } from '@ringfence/testkit';
import { LocalApicChip } from '../local-apic.js';
import * as R from '../registers.js';
import { P6 } from './models.js';

const BUS_HZ = 100_000_000;

export function makeApic(model: CpuModel, kit: DeviceKit, busHz = BUS_HZ): LocalApicChip {
  return new LocalApicChip(kit.clock, kit.pins, kit.apicBus, kit.system, kit.windows, model, { busHz });
}

export interface SetUp {
  readonly kit: DeviceKit;
  readonly chip: LocalApicChip;
  readonly pins: FakeProcessorPins;
  read(register: number): number;
  write(register: number, value: number): void;
  /** Writes the command register, with "assert". */
  send(low: number, destination?: number): void;
  /** A vector's bit in a set (R.ISR and the like). */
  bit(set: number, vector: number): number;
}

/** `on`: as a BIOS hands it over. A tick is a bus clock. */
export function setUp(model: CpuModel = P6, on = false): SetUp {
  const kit = makeDeviceKit({ hz: BUS_HZ });
  const chip = makeApic(model, kit);
  if (on) chip.handOver();
  const read = (register: number): number => chip.mmioRead(register, 4);
  const write = (register: number, value: number): void => chip.mmioWrite(register, 4, value);
  return {
    kit,
    chip,
    pins: kit.pins,
    read,
    write,
    send: (low, destination = 0) => {
      write(R.ICR_HIGH, destination << 24);
      write(R.ICR_LOW, low | 0x4000);
    },
    bit: (set, vector) => (read(set + (vector >>> 5) * 16) >>> (vector & 31)) & 1,
  };
}
