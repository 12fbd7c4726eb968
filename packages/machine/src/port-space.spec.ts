import { RingfenceError } from '@ringfence/sdk';
import { describe, expect, it } from 'vitest';
import { PortSpace } from './port-space.js';

function recorder() {
  const log: string[] = [];
  return {
    log,
    portRead(range: string, offset: number, size: number) {
      log.push(`r${size} ${range}+${offset}`);
      return 0x12345678 + offset;
    },
    portWrite(range: string, offset: number, size: number, value: number) {
      log.push(`w${size} ${range}+${offset}=${value.toString(16)}`);
    },
  };
}

describe('the port space', () => {
  it('floats high where nobody is, and swallows writes', () => {
    const ports = new PortSpace();
    expect([ports.read(0x1234, 1), ports.read(0x1234, 2), ports.read(0xffff, 4)]).toEqual([0xff, 0xffff, -1]);
    ports.write(0x1234, 4, 7);
  });

  it('splits what is wider than the chip, low byte first', () => {
    const ports = new PortSpace();
    const chip = recorder();
    ports.claim('chip', 'regs', 0x70, 2, 1, chip);
    expect(ports.read(0x70, 2)).toBe(0x7978);
    ports.write(0x70, 2, 0xabcd);
    expect(chip.log).toEqual(['r1 regs+0', 'r1 regs+1', 'w1 regs+0=cd', 'w1 regs+1=ab']);
  });

  it('passes wide accesses to wide chips, and splits at the end of a range', () => {
    const ports = new PortSpace();
    const chip = recorder();
    ports.claim('pci', 'data', 0xcfc, 4, 4, chip);
    expect(ports.read(0xcfc, 4)).toBe(0x12345678);
    ports.write(0xcfc, 4, 0xdeadbeef);
    expect(ports.read(0xcfe, 4)).toBe(0xffff0000 | 0x567a | 0);
    ports.write(0xcff, 2, 0x1122);
    expect(chip.log).toEqual(['r4 data+0', 'w4 data+0=-21524111', 'r2 data+2', 'w1 data+3=22']);
  });

  it('refuses two owners of one port, naming both', () => {
    const ports = new PortSpace();
    ports.claim('a', 'x', 0x60, 5, 1, recorder());
    const clash = () => ports.claim('b', 'y', 0x64, 1, 1, recorder());
    expect(clash).toThrow(RingfenceError);
    expect(clash).toThrow(/"a" and "b" both claim port 0x64/);
    expect(() => ports.claim('c', 'z', 0xffff, 2, 1, recorder())).toThrow(/do not exist/);
  });
});
