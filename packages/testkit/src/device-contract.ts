/**
 * What every device keeps, on any board: its state makes a round trip and goes on as the original would, records of others
 * are refused without a trace, a second reset changes nothing, and no port access of any size throws.
 */
import {
  RingfenceError,
  type Device,
  type DeviceResources,
  type MmioHandler,
  type PortDevice,
  type StateRecord,
} from '@ringfence/sdk';
import { describe, expect, it } from 'vitest';
import { makeDeviceKit, type DeviceKit } from './device-kit.js';

export interface DeviceContractInit<D extends Device> {
  /** Makes the device from a fresh kit. */
  readonly make: (kit: DeviceKit) => D;
  readonly resources: DeviceResources;
  /** Brings the device into an interesting state before it is saved, beyond the port writes of the suite. */
  readonly exercise?: (device: D, kit: DeviceKit) => void;
}

const SIZES = [1, 2, 4];

export function deviceContract<D extends Device>(name: string, init: DeviceContractInit<D>): void {
  const { resources } = init;

  function fresh(at = 0): { device: D; kit: DeviceKit } {
    const kit = makeDeviceKit();
    kit.clock.jumpTo(at);
    const device = init.make(kit);
    device.reset();
    return { device, kit };
  }

  function used(): { device: D; kit: DeviceKit } {
    const { device, kit } = fresh();
    kit.channel.feed('contract');
    init.exercise?.(device, kit);
    kit.clock.advance(123_457);
    return { device, kit };
  }

  /** Reads everything readable once; port reads may have side effects, which is the point. */
  function conversation(device: D, kit: DeviceKit): string[] {
    const lines: string[] = [];
    for (let round = 0; round < 3; round++) {
      eachPort(resources, (range, offset) => {
        lines.push(`${range}+${offset}=${(device as unknown as PortDevice).portRead(range, offset, 1)}`);
      });
      kit.clock.advance(1_000_003);
      lines.push(`log ${kit.irqs.log.length} intr ${kit.intr.level}`);
    }
    return lines;
  }

  describe(`${name}: Device contract`, () => {
    it('saves a state that a fresh device takes over', () => {
      const { device, kit } = used();
      const saved = structuredClone(device.saveState());
      const other = fresh(kit.clock.now());
      other.device.loadState(saved);
      expect(other.device.saveState()).toEqual(saved);
    });

    it('goes on after a load as the original does', () => {
      const { device, kit } = used();
      const other = fresh(kit.clock.now());
      other.device.loadState(device.saveState());
      while (kit.channel.receive() >= 0); // input not yet taken is the channel's, not the device's
      kit.irqs.log.length = 0;
      other.kit.irqs.log.length = 0;
      expect(conversation(other.device, other.kit)).toEqual(conversation(device, kit));
      expect(other.kit.irqs.log).toEqual(kit.irqs.log);
      expect(other.device.saveState()).toEqual(device.saveState());
    });

    it('gives a record that is its own, not a view of live state', () => {
      const { device, kit } = used();
      const saved = device.saveState();
      const copy = structuredClone(saved);
      pokeEverything(device, resources);
      kit.clock.advance(10_000_000);
      expect(saved).toEqual(copy);
    });

    it('refuses records of others, of other versions and torn ones with RF_BAD_STATE, unchanged', () => {
      const { device } = used();
      const saved = structuredClone(device.saveState());
      const bad: StateRecord[] = [
        { ...saved, component: 'somebody-else' },
        { ...saved, version: saved.version + 1 },
        ...Object.keys(saved.data).map((key) => ({ ...saved, data: { ...saved.data, [key]: 'torn' } })),
        ...(Object.keys(saved.data).length > 0 ? [{ ...saved, data: {} }] : []),
      ];
      for (const record of bad) {
        let thrown: unknown;
        try {
          device.loadState(record);
        } catch (error) {
          thrown = error;
        }
        expect(thrown, JSON.stringify(record)).toBeInstanceOf(RingfenceError);
        expect((thrown as RingfenceError).code).toBe('RF_BAD_STATE');
        expect(device.saveState()).toEqual(saved);
      }
    });

    it('is in the same state after one reset and after two', () => {
      const { device } = used();
      device.reset();
      const once = device.saveState();
      device.reset();
      expect(device.saveState()).toEqual(once);
    });

    it('answers accesses of every size at every port with a number of that size', () => {
      const { device } = used();
      pokeEverything(device, resources);
      eachPort(resources, (range, offset) => {
        for (const size of SIZES) expectSized((device as unknown as PortDevice).portRead(range, offset, size), size);
      });
      if (resources.mmio !== undefined) {
        const handler = device as unknown as MmioHandler;
        for (let offset = 0; offset + 4 <= resources.mmio.bytes; offset += 0x3fc) {
          for (const size of SIZES) {
            handler.mmioWrite(offset, size, 0x5aa5c33c);
            expectSized(handler.mmioRead(offset, size), size);
          }
        }
      }
    });
  });
}

function eachPort(resources: DeviceResources, visit: (range: string, offset: number) => void): void {
  for (const [range, ports] of Object.entries(resources.ports ?? {})) {
    for (let offset = 0; offset < ports.count; offset++) visit(range, offset);
  }
}

/** Writes a spread of values to every port at every size. */
function pokeEverything(device: Device, resources: DeviceResources): void {
  for (const value of [0, 0xff, 0x5a, 0x80, 0x12345678, -1]) {
    eachPort(resources, (range, offset) => {
      for (const size of SIZES) {
        const sized = size === 4 ? value : value & (size === 2 ? 0xffff : 0xff);
        (device as unknown as PortDevice).portWrite(range, offset, size, sized);
      }
    });
  }
}

function expectSized(value: number, size: number): void {
  const limit = 2 ** (8 * size);
  expect(
    Number.isInteger(value) && value >= (size === 4 ? -limit / 2 : 0) && value < limit,
    `${value} in ${size} bytes`,
  ).toBe(true);
}
