/** The board's interrupt wires, with chips that write down what reaches them. */
import type { GuestExecutor, LocalApic } from '@ringfence/sdk';
import { describe, expect, it } from 'vitest';
import { InterruptWiring } from './interrupt-wiring.js';

function setUp(apics: boolean) {
  const log: string[] = [];
  const say =
    (what: string) =>
    (...values: unknown[]) =>
      void log.push([what, ...values.map((value) => (value === true ? '+' : value === false ? '-' : value))].join(' '));
  const wiring = new InterruptWiring();
  wiring.controller = {
    setIrq: say('irq'),
    acknowledge: () => (say('inta')(), 0x128),
  };
  const local = { routesNmi: false };
  const io = { routesNmi: false };
  if (apics) {
    wiring.localApic = {
      get routesNmi() {
        return local.routesNmi;
      },
      setLint: say('lint'),
      acknowledge: () => 0x142,
      accept: (...message: unknown[]) => (say('message')(...message), true),
    } as unknown as LocalApic;
    wiring.ioApic = {
      get routesNmi() {
        return io.routesNmi;
      },
      setInput: say('input'),
      endOfInterrupt: say('eoi'),
      retry: say('retry'),
    };
  }
  wiring.connect({ setIntr: say('intr'), raiseNmi: say('nmi') } as unknown as GuestExecutor);
  log.length = 0;
  return { wiring, log, local, io, said: () => log.splice(0) };
}

describe('without a local APIC', () => {
  it('the 8259s drive INTR, and the NMI wire NMI', () => {
    const { wiring, said } = setUp(false);
    wiring.line(3).set(true);
    wiring.intrPin.set(true);
    expect([said(), wiring.intr]).toEqual([['irq 3 +', 'intr +'], true]);
    expect([wiring.acknowledge(), said()]).toEqual([0x28, ['inta']]);
    wiring.pulseNmi();
    expect(said()).toEqual(['nmi']);
    expect([wiring.apicBus.send(0, false, 0, 0x51, false), wiring.routesNmi]).toEqual([false, false]);
  });
});

describe('with both APICs', () => {
  it('a line from 16 on reaches the I/O APIC alone', () => {
    const { wiring, said } = setUp(true);
    wiring.line(20).set(true);
    expect(said()).toEqual(['input 20 +']);
  });

  it('a driver may have a line alone: the others are cut off, and count again afterwards', () => {
    const { wiring, said } = setUp(true);
    const [timer, replacement] = [wiring.line(0), wiring.line(0)];
    timer.set(true);
    said();
    replacement.alone(true);
    expect(said()).toEqual(['irq 0 -', 'input 2 -']);
    timer.set(false);
    timer.set(true);
    expect(said().every((what) => what.endsWith('-'))).toBe(true);
    replacement.set(true);
    expect(said()).toEqual(['irq 0 +', 'input 2 +']);
    timer.alone(false); // it has not cut anyone off
    expect(said()).toEqual([]);
    replacement.set(false);
    replacement.alone(false);
    expect(said()).toEqual(['irq 0 -', 'input 2 -', 'irq 0 +', 'input 2 +']);
  });

  it('a line reaches the 8259s and the input of its number, the timer’s input 2; its drivers are ORed', () => {
    const { wiring, said } = setUp(true);
    const [one, other] = [wiring.line(9), wiring.line(9)];
    one.set(true);
    other.set(true);
    one.set(false);
    other.set(false);
    expect(said()).toEqual(['+', '+', '+', '-'].flatMap((level) => [`irq 9 ${level}`, `input 9 ${level}`]));
    wiring.line(0).set(true);
    expect(said()).toEqual(['irq 0 +', 'input 2 +']);
  });

  it('INTR of the 8259s is LINT0 and input 0, which falls in their acknowledge cycle', () => {
    const { wiring, said } = setUp(true);
    wiring.intrPin.set(true);
    expect(said()).toEqual(['lint 0 +', 'input 0 +']);
    expect([wiring.acknowledge(), said()]).toEqual([0x42, []]);
    expect([wiring.pins.acknowledgeExternal(), said()]).toEqual([0x28, ['inta', 'input 0 -', 'input 0 +']]);
  });

  it('NMI is LINT1, unless the gate masks it', () => {
    const { wiring, said } = setUp(true);
    wiring.pulseNmi();
    expect(said()).toEqual(['lint 1 +', 'lint 1 -']);
    wiring.nmiGate.mask(true);
    wiring.pulseNmi();
    expect(said()).toEqual([]);
    wiring.nmiGate.mask(false);
    wiring.pulseNmi();
    expect(said()).toHaveLength(2);
  });

  it('carries messages one way and ends of interrupt the other', () => {
    const { wiring, said } = setUp(true);
    expect(wiring.apicBus.send(1, true, 0, 0x51, false)).toBe(true);
    wiring.apicBus.endOfInterrupt(0x51);
    wiring.apicBus.receiverChanged();
    expect(said()).toEqual(['message 1 + 0 81 -', 'eoi 81', 'retry']);
  });

  it('knows whether a line may come as NMI; while a snapshot is loaded none does', () => {
    const { wiring, said, local, io } = setUp(true);
    expect(wiring.routesNmi).toBe(false);
    local.routesNmi = true;
    expect(wiring.routesNmi).toBe(true);
    Object.assign(local, { routesNmi: false });
    io.routesNmi = true;
    expect(wiring.routesNmi).toBe(true);
    wiring.restoring = true;
    wiring.pins.nmi();
    expect(said()).toEqual([]);
  });
});
