/**
 * RESET# brings every chip of the PC to its power-on state whatever a guest wrote to it. What survives on real boards is
 * listed: the clock chip has a battery.
 */
import { createMachine } from '@ringfence/machine';
import { parseMachineConfig, type PortDevice } from '@ringfence/sdk';
import { describe, expect, it } from 'vitest';
import { createRegistry } from './index.js';

const BATTERY = ['rtc'];
const registry = createRegistry();

function board() {
  return createMachine({
    config: parseMachineConfig({ memory: '2M', loader: 'flat' }),
    registry,
    kernel: { bytes: new Uint8Array([0xf4]), name: 'hlt.bin' },
  });
}

describe('reset', () => {
  const parts = registry.list('device').filter(({ name, onRequest }) => onRequest !== true && !BATTERY.includes(name));

  it.each(parts)('brings $name to its power-on state', ({ name, resources }) => {
    const device = board().device(name)! as unknown as PortDevice & ReturnType<ReturnType<typeof board>['device']>;
    const fresh = device.saveState();
    let noise = 12345;
    const random = (): number => (noise = (Math.imul(noise, 1103515245) + 12345) >>> 0) >>> 8;
    for (let round = 0; round < 300; round++) {
      for (const [range, { count }] of Object.entries(resources.ports ?? {})) {
        const offset = random() % count;
        device.portWrite(range, offset, 1, random() & 0xff);
        device.portRead(range, random() % count, 1);
      }
    }
    device.reset();
    device.handOver?.();
    expect(device.saveState()).toEqual(fresh);
  });
});
