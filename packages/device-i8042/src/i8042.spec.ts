import { deviceContract, makeDeviceKit } from '@ringfence/testkit';
import { describe, expect, it } from 'vitest';
import { I8042, i8042 } from './index.js';

const OBF = 0x01;
const AUX = 0x20;

function setUp() {
  const kit = makeDeviceKit();
  const controller = new I8042(kit.irqs, kit.system);
  const data = (...bytes: number[]) => bytes.forEach((byte) => controller.portWrite('data', 0, 1, byte));
  const command = (byte: number) => controller.portWrite('command', 0, 1, byte);
  const status = () => controller.portRead('command', 0, 1);
  /** Everything in the output buffer, in hexadecimal; the mouse's bytes in brackets. */
  const drain = () => {
    const bytes: string[] = [];
    for (let s = status(); (s & OBF) !== 0; s = status()) {
      const hex = controller.portRead('data', 0, 1).toString(16).padStart(2, '0');
      bytes.push((s & AUX) !== 0 ? `[${hex}]` : hex);
    }
    return bytes.join(' ');
  };
  return { kit, controller, data, command, status, drain };
}

describe('I8042', () => {
  it('passes its tests and keeps its command byte', () => {
    const { command, data, drain, status } = setUp();
    expect(status()).toBe(0x14);
    for (const test of [0xaa, 0xab, 0xa9]) command(test);
    expect(drain()).toBe('55 00 00');
    command(0x20);
    expect(drain()).toBe('65');
    command(0x60);
    expect(status() & 0x08).toBe(0x08);
    data(0x47);
    expect(status() & 0x08).toBe(0);
    command(0x20);
    expect(drain()).toBe('47');
  });

  it('delivers keys in set 1, one interrupt a byte', () => {
    const { controller, kit, drain } = setUp();
    controller.injectScancodes([0x1c, 0xf0, 0x1c, 0xe0, 0x75]);
    expect(kit.irqs.line('keyboard').level).toBe(true);
    expect(drain()).toBe('1e 9e e0 48');
    expect(kit.irqs.log).toEqual([
      'keyboard+',
      'keyboard-',
      'keyboard+',
      'keyboard-',
      'keyboard+',
      'keyboard-',
      'keyboard+',
      'keyboard-',
    ]);
  });

  it('delivers set 2 untranslated, and set 1 from a keyboard told so', () => {
    const { controller, command, data, drain } = setUp();
    command(0x60);
    data(0x05);
    controller.injectScancodes([0x1c, 0xf0, 0x1c]);
    expect(drain()).toBe('1c f0 1c');
    data(0xf0, 0x01, 0xf0, 0x00);
    expect(drain()).toBe('fa fa fa fa 01');
    controller.injectScancodes([0x1c, 0xf0, 0x1c]);
    expect(drain()).toBe('1e 9e');
  });

  it("relays the keyboard's command set", () => {
    const { controller, data, drain } = setUp();
    for (const [sent, answer] of [
      [[0xff], 'fa aa'],
      [[0xf2], 'fa ab 41'],
      [[0xed, 0x07], 'fa fa'],
      [[0xee], 'ee'],
      [[0xf3, 0x00], 'fa fa'],
      [[0xf4], 'fa'],
      [[0xfe], 'fa'],
      [[0x01], 'fe'],
      [[0xed, 0xf4], 'fa fa'],
    ] as const) {
      data(...sent);
      expect(drain(), sent.map((byte) => byte.toString(16)).join(' ')).toBe(answer);
    }
    expect(controller.keyboard.leds).toBe(7);
    data(0xf5);
    expect(drain()).toBe('fa');
    controller.injectScancodes([0x1c]);
    expect(drain()).toBe('');
  });

  it('holds keys back while the keyboard interface is off; writing to it turns it on', () => {
    const { controller, command, data, drain, kit } = setUp();
    command(0xad);
    controller.injectScancodes([0x1c]);
    expect(drain()).toBe('');
    command(0xae);
    expect(drain()).toBe('1e');
    command(0xad);
    data(0xee);
    expect(drain()).toBe('ee');
    expect(kit.irqs.line('keyboard').level).toBe(false);
  });

  it('reports one overrun when nobody reads', () => {
    const { controller, drain } = setUp();
    for (let i = 0; i < 40; i++) controller.injectScancodes([0x1c]);
    expect(drain()).toBe(`${'1e '.repeat(17)}ff`); // one in the buffer, sixteen in the keyboard
    controller.injectScancodes([0x1c]);
    expect(drain()).toBe('1e');
  });

  it('relays the mouse, marked in the status, by IRQ 12', () => {
    const { controller, command, data, drain, kit } = setUp();
    const aux = (...bytes: number[]) => bytes.forEach((byte) => (command(0xd4), data(byte)));
    command(0xa8);
    command(0x60);
    data(0x47);
    aux(0xff);
    expect(kit.irqs.line('aux').level).toBe(true);
    expect(drain()).toBe('[fa] [aa] [00]');
    aux(0xf2);
    expect(drain()).toBe('[fa] [00]');
    aux(0xe8, 0x03);
    expect(drain()).toBe('[fa] [fa]');
    aux(0xf3, 0x28);
    expect(drain()).toBe('[fa] [fa]');
    aux(0xe9);
    expect(drain()).toBe('[fa] [00] [03] [28]');
    controller.injectMouse(1, 1, 0);
    expect(drain()).toBe('');
    aux(0xf4);
    drain();
    controller.injectMouse(-2, 4, 1);
    expect(drain()).toBe('[19] [ff] [05]');
    aux(0xeb);
    expect(drain()).toBe('[fa] [09] [00] [00]');
    aux(0xee);
    expect(drain()).toBe('[fa]');
    aux(0x12);
    expect(drain()).toBe('[12]');
    aux(0xec);
    expect(drain()).toBe('[fa]');
    aux(0x00);
    expect(drain()).toBe('[fe]');
  });

  it('forgets the oldest answers of a guest that never reads', () => {
    const { command, drain } = setUp();
    for (let i = 0; i < 1000; i++) command(0xaa);
    expect(drain()).toBe('55 '.repeat(17).trim());
  });

  it('loops bytes back through the output buffer', () => {
    const { command, data, drain } = setUp();
    command(0xd2);
    data(0x12);
    command(0xd3);
    data(0x34);
    expect(drain()).toBe('12 [34]');
  });

  it('moves A20 and resets through the output port', () => {
    const { kit, command, data, drain } = setUp();
    command(0xd0);
    expect(drain()).toBe('c3');
    command(0xd1);
    data(0xdd);
    expect(kit.system.a20()).toBe(false);
    command(0xdf);
    expect(kit.system.a20()).toBe(true);
    command(0xd1);
    data(0xde);
    command(0xfe);
    command(0xff);
    expect(kit.system.log).toEqual(['a20 off', 'a20 on', 'reset keyboard controller', 'reset keyboard controller']);
  });
});

deviceContract('i8042', {
  make: (kit) => new I8042(kit.irqs, kit.system),
  resources: i8042.resources,
  exercise: (controller) => {
    controller.portWrite('command', 0, 1, 0xa8);
    controller.portWrite('command', 0, 1, 0xd4);
    controller.portWrite('data', 0, 1, 0xf4);
    controller.injectScancodes([0x1c, 0xf0, 0x1c, 0xf0]);
    controller.injectMouse(3, 4, 2);
    controller.portWrite('command', 0, 1, 0xaa);
    controller.portWrite('data', 0, 1, 0xed);
  },
});
