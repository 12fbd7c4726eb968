import { deviceContract, makeDeviceKit } from '@ringfence/testkit';
import { describe, expect, it } from 'vitest';
import { Uart16550, uart16550 } from './index.js';
import * as R from './registers.js';

function setUp() {
  const kit = makeDeviceKit();
  const uart = new Uart16550(kit.irqs, kit.channel);
  const out = (offset: number, value: number) => uart.portWrite('registers', offset, 1, value);
  const inb = (offset: number) => uart.portRead('registers', offset, 1);
  return { kit, uart, out, inb, irq: kit.irqs.line('out') };
}

/** Interrupts on, FIFOs on, OUT2 on. */
function setUpInterrupts(ier: number, fcr = 0) {
  const test = setUp();
  test.out(R.MCR, R.MCR_OUT2);
  test.out(R.IIR_FCR, fcr);
  test.out(R.IER_DLM, ier);
  return test;
}

describe('Uart16550', () => {
  it('sends what is written to THR, and is always ready for more', () => {
    const { kit, out, inb } = setUp();
    for (const c of 'hello') out(R.RBR_THR_DLL, c.charCodeAt(0));
    expect(kit.channel.text()).toBe('hello');
    expect(inb(R.LSR)).toBe(R.LSR_THR_EMPTY | R.LSR_TRANSMITTER_EMPTY);
  });

  it('is found as a 16550A: scratch register, divisor latch, FIFO bits in IIR', () => {
    const { out, inb, kit } = setUp();
    out(R.SCR, 0x5a);
    expect(inb(R.SCR)).toBe(0x5a);
    out(R.LCR, R.LCR_DLAB | 3);
    out(R.RBR_THR_DLL, 1);
    out(R.IER_DLM, 2);
    expect([inb(R.RBR_THR_DLL), inb(R.IER_DLM)]).toEqual([1, 2]);
    out(R.LCR, 3);
    expect([inb(R.IER_DLM), inb(R.LCR)]).toEqual([0, 3]);
    expect(inb(R.IIR_FCR)).toBe(0x01);
    out(R.IIR_FCR, 0x01);
    expect(inb(R.IIR_FCR)).toBe(0xc1);
    expect(kit.channel.sent).toEqual([]);
  });

  it('takes one byte without FIFOs and sixteen with, and leaves the rest with the sender', () => {
    const { kit, out, inb } = setUp();
    kit.channel.feed('abcdefghijklmnopqrstuvwxyz');
    expect(kit.channel.pending).toBe(25);
    expect(inb(R.RBR_THR_DLL)).toBe(0x61);
    out(R.IIR_FCR, R.FCR_ENABLE); // clears the FIFO: b is lost
    expect(kit.channel.pending).toBe(8);
    let text = '';
    while ((inb(R.LSR) & R.LSR_DATA_READY) !== 0) text += String.fromCharCode(inb(R.RBR_THR_DLL));
    expect(text).toBe('cdefghijklmnopqrstuvwxyz');
  });

  it('interrupts for received data until it is read; OUT2 gates the line', () => {
    const { kit, out, inb, irq } = setUpInterrupts(R.IER_RECEIVED_DATA);
    kit.channel.feed('a');
    expect(irq.level).toBe(true);
    expect(inb(R.IIR_FCR)).toBe(R.IIR_RECEIVED_DATA);
    out(R.MCR, 0);
    expect(irq.level).toBe(false);
    out(R.MCR, R.MCR_OUT2);
    inb(R.RBR_THR_DLL);
    expect(irq.level).toBe(false);
    expect(inb(R.IIR_FCR)).toBe(R.IIR_NONE);
  });

  it('reports a timeout below the trigger level and data from it on', () => {
    const { kit, inb } = setUpInterrupts(R.IER_RECEIVED_DATA, 0x41); // trigger at 4
    kit.channel.feed('abc');
    expect(inb(R.IIR_FCR)).toBe(R.IIR_FIFOS_ENABLED | R.IIR_CHARACTER_TIMEOUT);
    kit.channel.feed('d');
    expect(inb(R.IIR_FCR)).toBe(R.IIR_FIFOS_ENABLED | R.IIR_RECEIVED_DATA);
  });

  it('interrupts for an empty THR when enabled and after each byte; reading IIR clears it', () => {
    const { out, inb, irq } = setUpInterrupts(R.IER_THR_EMPTY);
    for (let i = 0; i < 3; i++) {
      expect(irq.level).toBe(true);
      expect(inb(R.IIR_FCR)).toBe(R.IIR_THR_EMPTY);
      expect(irq.level).toBe(false);
      out(R.RBR_THR_DLL, 0x41);
    }
    expect(irq.rises).toBe(4);
  });

  it('reports the source of the highest priority first', () => {
    const { out, inb } = setUpInterrupts(0x0f);
    out(R.MCR, R.MCR_OUT2 | R.MCR_LOOP); // modem lines change
    out(R.RBR_THR_DLL, 1);
    out(R.RBR_THR_DLL, 2); // overrun
    expect(inb(R.IIR_FCR)).toBe(R.IIR_LINE_STATUS);
    expect(inb(R.LSR) & R.LSR_OVERRUN).toBe(R.LSR_OVERRUN);
    expect(inb(R.LSR) & R.LSR_OVERRUN).toBe(0);
    expect(inb(R.IIR_FCR)).toBe(R.IIR_RECEIVED_DATA);
    expect(inb(R.RBR_THR_DLL)).toBe(2);
    expect(inb(R.IIR_FCR)).toBe(R.IIR_THR_EMPTY);
    expect(inb(R.IIR_FCR)).toBe(R.IIR_MODEM_STATUS);
    inb(R.MSR);
    expect(inb(R.IIR_FCR)).toBe(R.IIR_NONE);
  });

  it('loops modem control back to modem status, and sends nothing outside', () => {
    const { kit, out, inb } = setUp();
    expect(inb(R.MSR)).toBe(R.MSR_CTS | R.MSR_DSR | R.MSR_DCD);
    out(R.MCR, R.MCR_LOOP | R.MCR_RTS | R.MCR_OUT2);
    expect(inb(R.MSR)).toBe(R.MSR_CTS | R.MSR_DCD | R.MSR_DELTA_DSR);
    out(R.MCR, R.MCR_LOOP | R.MCR_OUT1);
    out(R.MCR, R.MCR_LOOP);
    expect(inb(R.MSR)).toBe(R.MSR_TRAILING_EDGE_RI | R.MSR_DELTA_CTS | R.MSR_DELTA_DCD);
    out(R.RBR_THR_DLL, 0x55);
    kit.channel.feed('x');
    expect(inb(R.RBR_THR_DLL)).toBe(0x55);
    expect(kit.channel.sent).toEqual([]);
    expect(kit.channel.pending).toBe(1);
    out(R.MCR, 0);
    expect(inb(R.RBR_THR_DLL)).toBe(0x78);
  });
});

deviceContract('uart16550', {
  make: (kit) => new Uart16550(kit.irqs, kit.channel),
  resources: uart16550.resources,
  exercise: (uart) => {
    uart.portWrite('registers', R.MCR, 1, R.MCR_OUT2);
    uart.portWrite('registers', R.IIR_FCR, 1, 0x81);
    uart.portWrite('registers', R.IER_DLM, 1, 0x0f);
    uart.portWrite('registers', R.RBR_THR_DLL, 1, 0x41);
  },
});
