import { deviceContract, makeDeviceKit } from '@ringfence/testkit';
import { describe, expect, it } from 'vitest';
import { PciHostBridge, pciHost } from './index.js';

function setUp() {
  const kit = makeDeviceKit();
  const host = new PciHostBridge(kit.system, kit.windows, kit.shadow);
  const select = (device: number, register: number, bus = 0, enable = 0x80000000) =>
    host.portWrite('address', 0, 4, enable | (bus << 16) | (device << 11) | (register & 0xfc) | 0);
  return { kit, host, select };
}

describe('PciHostBridge', () => {
  it('finds the 440FX at 0:0.0 and nothing elsewhere', () => {
    const { host, select } = setUp();
    select(0, 0);
    expect(host.portRead('address', 0, 4) >>> 0).toBe(0x80000000);
    expect(host.portRead('data', 0, 4)).toBe(0x12378086);
    expect(host.portRead('data', 2, 2)).toBe(0x1237);
    select(0, 8);
    expect(host.portRead('data', 3, 1)).toBe(0x06);
    select(1, 0);
    expect(host.portRead('data', 0, 4)).toBe(-1);
    expect(host.portRead('data', 0, 2)).toBe(0xffff);
    select(0, 0, 1);
    expect(host.portRead('data', 0, 4)).toBe(-1);
    select(0, 0, 0, 0);
    expect(host.portRead('data', 0, 4)).toBe(-1);
  });

  it('keeps what may be written and nothing else', () => {
    const { host, select } = setUp();
    select(0, 0);
    host.portWrite('data', 0, 4, 0x11111111);
    expect(host.portRead('data', 0, 4)).toBe(0x12378086);
    select(0, 0x58);
    host.portWrite('data', 1, 1, 0x33); // PAM0
    expect(host.portRead('data', 0, 4)).toBe(0x3300);
  });

  it('reaches functions that others attach, and refuses two in one place', () => {
    const { host, select } = setUp();
    const written: number[] = [];
    const pci = {
      name: 'test',
      configRead: (register: number, size: number) => register * 16 + size,
      configWrite: (register: number, size: number, value: number) => written.push(register, size, value),
    };
    host.attach(3, 0, pci);
    select(3, 0x10);
    expect(host.portRead('data', 2, 2)).toBe(0x122);
    host.portWrite('data', 1, 1, 7);
    expect(written).toEqual([0x11, 1, 7]);
    expect(() => host.attach(3, 0, { ...pci, name: 'other' })).toThrow('3.0 is wanted by both test and other');
  });

  it('sends C0000h-FFFFFh to RAM as PAM says', () => {
    const { kit, host, select } = setUp();
    select(0, 0x58);
    kit.shadow.log.length = 0;
    host.portWrite('data', 1, 1, 0x31); // PAM0: the low nibble is reserved
    expect(kit.shadow.log[0]).toBe('f0000+10000 rw');
    expect(kit.shadow.log).toHaveLength(13);
    kit.shadow.log.length = 0;
    host.portWrite('data', 3, 1, 0x21); // PAM2
    expect(kit.shadow.log.slice(3, 5)).toEqual(['c8000+4000 r-', 'cc000+4000 -w']);
    host.reset();
    expect(kit.shadow.log.at(-13)).toBe('f0000+10000 --');
  });

  it('wires the pins of the slots to PIRQs, and ORs them', () => {
    const { host } = setUp();
    const levels = [false, false, false, false];
    const pci = { name: 'test', configRead: () => 0, configWrite: () => {} };
    const first = host.attach(3, 0, pci);
    const second = host.attach(7, 0, pci);
    first.setInterrupt(1, true);
    host.routeInterrupts({ setPirq: (pirq, asserted) => (levels[pirq] = asserted) });
    expect(levels).toEqual([false, false, true, false]);
    second.setInterrupt(1, true);
    first.setInterrupt(1, false);
    expect(levels[2]).toBe(true);
    second.setInterrupt(1, false);
    first.setInterrupt(2, true);
    expect(levels).toEqual([false, false, false, true]);
  });

  it('resets by CF9h, and only byte accesses reach that register', () => {
    const { kit, host } = setUp();
    host.portWrite('address', 0, 4, 0x80000600 | 0);
    host.portWrite('address', 1, 1, 0x02);
    expect(kit.system.log).toEqual([]);
    host.portWrite('address', 1, 1, 0x06);
    expect(kit.system.log).toEqual(['reset PCI reset control']);
    expect(host.portRead('address', 1, 1)).toBe(0x06);
    expect(host.portRead('address', 0, 4) >>> 0).toBe(0x80000600);
  });
});

deviceContract('pci-host', {
  make: (kit) => new PciHostBridge(kit.system, kit.windows, kit.shadow),
  resources: pciHost.resources,
  exercise: (host) => {
    host.portWrite('address', 0, 4, 0x80000058 | 0);
    host.portWrite('data', 0, 4, 0x12345678);
  },
});
