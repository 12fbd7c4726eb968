import { deviceContract, makeDeviceKit } from '@ringfence/testkit';
import { describe, expect, it } from 'vitest';
import { SystemControlPort, sysctl } from './index.js';

describe('SystemControlPort', () => {
  it('moves the A20 gate and shows where it stands, whoever moved it', () => {
    const kit = makeDeviceKit();
    const port = new SystemControlPort(kit.system);
    expect(port.portRead('control', 0, 1)).toBe(2);
    port.portWrite('control', 0, 1, 0);
    expect(kit.system.a20()).toBe(false);
    kit.system.setA20(true);
    expect(port.portRead('control', 0, 1)).toBe(2);
  });

  it('resets when bit 0 rises', () => {
    const kit = makeDeviceKit();
    const port = new SystemControlPort(kit.system);
    for (const value of [2, 3, 3, 2, 3]) port.portWrite('control', 0, 1, value);
    expect(kit.system.log).toEqual(['reset port 92h', 'reset port 92h']);
  });
});

deviceContract('sysctl', {
  make: (kit) => new SystemControlPort(kit.system),
  resources: sysctl.resources,
  exercise: (port) => port.portWrite('control', 0, 1, 0x3e),
});
