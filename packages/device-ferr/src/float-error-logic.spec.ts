/** FERR#, IRQ 13, port F0h and IGNNE#; the device contract. */
import { deviceContract, makeDeviceKit } from '@ringfence/testkit';
import { describe, expect, it } from 'vitest';
import { PcFloatErrorLogic, ferr } from './index.js';

function make() {
  const kit = makeDeviceKit();
  return { kit, logic: new PcFloatErrorLogic(kit.irqs) };
}

describe('PcFloatErrorLogic', () => {
  it('requests IRQ 13 when FERR# goes active, and lets nothing pass before the handler says so', () => {
    const { kit, logic } = make();
    expect(logic.floatError(false)).toBe(false);
    expect(logic.floatError(true)).toBe(false);
    expect(kit.irqs.log).toEqual(['out+']);
  });

  it('drops the request and asserts IGNNE# at a write to F0h, until FERR# goes inactive', () => {
    const { kit, logic } = make();
    logic.floatError(false);
    logic.portWrite('clear', 0, 1, 0);
    expect(kit.irqs.log).toEqual(['out+', 'out-']);
    expect([logic.floatError(true), logic.floatError(true)]).toEqual([true, true]);
    expect(logic.floatError(false)).toBe(false);
    expect(kit.irqs.log).toEqual(['out+', 'out-', 'out+']);
  });

  it('does not assert IGNNE# without an error', () => {
    const { logic } = make();
    logic.portWrite('clear', 0, 1, 0);
    expect(logic.floatError(true)).toBe(false);
  });
});

deviceContract('ferr', {
  make: (kit) => new PcFloatErrorLogic(kit.irqs),
  resources: ferr.resources,
  exercise: (logic) => logic.floatError(false),
});
