import { deviceContract, makeDeviceKit, type DeviceKitInit } from '@ringfence/testkit';
import { describe, expect, it } from 'vitest';
import { Mc146818, rtc } from './index.js';
import * as R from './registers.js';

function setUp(init: DeviceKitInit = {}) {
  const kit = makeDeviceKit(init);
  const chip = new Mc146818(kit.clock, kit.irqs, kit.board, kit.firmware, kit.bay, kit.nmiGate);
  const read = (register: number) => {
    chip.portWrite('cmos', 0, 1, register);
    return chip.portRead('cmos', 1, 1);
  };
  const write = (register: number, value: number) => {
    chip.portWrite('cmos', 0, 1, register);
    chip.portWrite('cmos', 1, 1, value);
  };
  /** `yyyy-mm-dd (weekday) hh:mm:ss`, register by register in hexadecimal. */
  const time = () => {
    const hex = (register: number) => read(register).toString(16).padStart(2, '0');
    const date = `${hex(R.CENTURY)}${hex(R.YEAR)}-${hex(R.MONTH)}-${hex(R.DAY_OF_MONTH)} (${hex(R.DAY_OF_WEEK)})`;
    return `${date} ${hex(R.HOURS)}:${hex(R.MINUTES)}:${hex(R.SECONDS)}`;
  };
  const seconds = (count: number) => kit.clock.advance(count * kit.clock.hz);
  return { kit, chip, read, write, time, seconds, irq: kit.irqs.line('out') };
}

describe('Mc146818', () => {
  it("starts at the board's epoch and follows virtual time, over midnight and leap days", () => {
    const { time, seconds } = setUp({ epochSeconds: Date.UTC(2000, 1, 28, 23, 59, 58) / 1000 });
    expect(time()).toBe('2000-02-28 (02) 23:59:58');
    seconds(1);
    expect(time()).toBe('2000-02-28 (02) 23:59:59');
    seconds(1);
    expect(time()).toBe('2000-02-29 (03) 00:00:00');
    seconds(86_400 * 366);
    expect(time()).toBe('2001-03-01 (05) 00:00:00');
  });

  it('tells the time in binary and in twelve hours', () => {
    const { write, time, seconds } = setUp({ epochSeconds: Date.UTC(1999, 11, 31, 23, 59, 59) / 1000 });
    write(R.REGISTER_B, R.B_BINARY | R.B_SET);
    for (const [register, value] of [
      [0, 59],
      [2, 59],
      [4, 0x80 | 11],
      [6, 1],
      [7, 31],
      [8, 12],
      [9, 99],
    ])
      write(register, value);
    write(R.REGISTER_B, R.B_BINARY);
    expect(time()).toBe('1963-0c-1f (01) 8b:3b:3b');
    seconds(1);
    expect(time()).toBe('2000-01-01 (02) 0c:00:00');
  });

  it('stands still while SET, and keeps what is written', () => {
    const { write, read, time, seconds } = setUp();
    write(R.REGISTER_B, R.B_SET | R.B_24_HOURS);
    write(R.MINUTES, 0x59);
    write(R.MONTH, 0xaa);
    seconds(5);
    expect(read(R.MONTH)).toBe(0xaa);
    expect(read(R.REGISTER_A) & R.A_UIP).toBe(0);
    write(R.MONTH, 0x01);
    write(R.REGISTER_B, R.B_24_HOURS);
    seconds(60);
    expect(time()).toBe('2000-01-01 (07) 01:00:00');
  });

  it('announces an update before it happens', () => {
    const { kit, read } = setUp();
    expect(read(R.REGISTER_A)).toBe(0x26);
    kit.clock.advanceNs(1e9 - 2_228_000);
    expect(read(R.REGISTER_A)).toBe(0xa6);
    expect(read(R.SECONDS)).toBe(0);
    kit.clock.advanceNs(2_228_000);
    expect(read(R.REGISTER_A)).toBe(0x26);
    expect(read(R.SECONDS)).toBe(1);
  });

  it('updates half a second after the divider is let go', () => {
    const { kit, read, write } = setUp();
    write(R.REGISTER_A, 0x76);
    kit.clock.advanceNs(3e9);
    write(R.REGISTER_A, 0x26);
    kit.clock.advanceNs(499_999_000);
    expect(read(R.SECONDS)).toBe(0);
    kit.clock.advanceNs(1_000);
    expect(read(R.SECONDS)).toBe(1);
  });

  it('interrupts periodically, once until register C is read', () => {
    const { kit, read, write, seconds, irq } = setUp();
    write(R.REGISTER_B, R.B_24_HOURS | R.B_PIE);
    seconds(1);
    expect(irq.rises).toBe(1);
    expect(kit.clock.deadlines()).toEqual({});
    let count = 0;
    for (const end = kit.clock.now() + kit.clock.hz; kit.clock.now() < end;) {
      if (irq.level && read(R.REGISTER_C) === (R.C_IRQF | R.C_PF | (count === 0 ? R.C_UF : 0))) count++;
      const next = kit.clock.deadlines().rtc;
      kit.clock.advanceTo(Math.min(end, next));
    }
    expect(count).toBe(1024);
  });

  it('has the rates of the datasheet', () => {
    for (const [rate, hz] of [
      [1, 256],
      [2, 128],
      [3, 8192],
      [6, 1024],
      [15, 2],
    ]) {
      const { kit, write } = setUp();
      write(R.REGISTER_A, 0x20 | rate);
      write(R.REGISTER_B, R.B_24_HOURS | R.B_PIE);
      expect(kit.clock.deadlines().rtc, `rate ${rate}`).toBe(Math.ceil(kit.clock.hz / hz));
    }
  });

  it('sets flags without their enables, and interrupts late ones at once', () => {
    const { read, write, seconds, irq } = setUp();
    seconds(2);
    write(R.REGISTER_B, R.B_24_HOURS | R.B_UIE);
    expect(irq.level).toBe(true);
    expect(read(R.REGISTER_C)).toBe(R.C_IRQF | R.C_PF | R.C_UF);
    expect(irq.level).toBe(false);
    expect(read(R.REGISTER_C)).toBe(0);
    seconds(1);
    expect(irq.level).toBe(true);
  });

  it('goes off at the alarm; C0h and up match anything', () => {
    const { kit, read, write, seconds, irq } = setUp();
    write(R.HOURS_ALARM, 0xff);
    write(R.MINUTES_ALARM, 0x01);
    write(R.SECONDS_ALARM, 0x30);
    write(R.REGISTER_B, R.B_24_HOURS | R.B_AIE);
    expect(kit.clock.deadlines().rtc).toBe(90 * kit.clock.hz);
    seconds(89);
    expect(irq.level).toBe(false);
    seconds(1);
    expect(irq.level).toBe(true);
    expect(read(R.REGISTER_C) & R.C_AF).toBe(R.C_AF);
    expect(kit.clock.deadlines().rtc).toBe((3600 + 90) * kit.clock.hz);
  });

  it('describes the machine as a BIOS does', () => {
    const word = (mib: number, at: number) => {
      const { read } = setUp({ ramBytes: mib * 1024 * 1024 });
      return read(at) | (read(at + 1) << 8);
    };
    expect(word(64, 0x15)).toBe(640);
    expect(word(16, 0x17)).toBe(15 * 1024);
    expect(word(64, 0x30)).toBe(63 * 1024);
    expect(word(3072, 0x30)).toBe(0xffff);
    expect([8, 64, 3072].map((mib) => word(mib, 0x34))).toEqual([0, 768, 48896]);
  });

  it('bit 7 of the index port masks NMI, until it is written without or the board is reset; a snapshot keeps it', () => {
    const { chip, kit, write } = setUp();
    chip.portWrite('cmos', 0, 1, 0x8f);
    expect(kit.nmiGate.masked).toBe(true);
    const other = setUp();
    other.chip.loadState(chip.saveState());
    expect(other.kit.nmiGate.masked).toBe(true);
    write(0x0f, 1);
    expect(kit.nmiGate.masked).toBe(false);
    chip.portWrite('cmos', 0, 1, 0x80);
    chip.reset();
    expect(kit.nmiGate.masked).toBe(false);
  });

  it('keeps clock and memory through a reset, and no interrupt', () => {
    const { chip, read, write, seconds, irq } = setUp();
    write(0x0f, 0x0a);
    write(R.REGISTER_B, R.B_24_HOURS | R.B_UIE);
    seconds(1);
    chip.reset();
    expect(irq.level).toBe(false);
    expect([read(0x0f), read(R.SECONDS), read(R.REGISTER_B), read(R.REGISTER_D)]).toEqual([0x0a, 1, 2, 0x80]);
  });
});

deviceContract('rtc', {
  make: (kit) => new Mc146818(kit.clock, kit.irqs, kit.board, kit.firmware, kit.bay, kit.nmiGate),
  resources: rtc.resources,
  exercise: (chip) => {
    chip.portWrite('cmos', 0, 1, R.REGISTER_B);
    chip.portWrite('cmos', 1, 1, R.B_24_HOURS | R.B_PIE | R.B_UIE | R.B_AIE);
  },
});
