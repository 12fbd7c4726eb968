import { PART_KINDS, SDK_VERSION, definePlugin, parseMachineConfig } from '@ringfence/sdk';
import { createMachine } from '@ringfence/machine';
import { describe, expect, it } from 'vitest';
import { createRegistry, pcPreset } from './index.js';

/** f4 = hlt: enough to build a machine around. */
const kernel = { bytes: new Uint8Array([0xf4]), name: 'hlt.bin' };

describe('the PC preset', () => {
  it('brings at least one part of every kind, each with a summary', () => {
    const registry = createRegistry();
    for (const kind of PART_KINDS) {
      expect(registry.names(kind), kind).not.toEqual([]);
      for (const part of registry.list(kind)) expect(part.summary, `${kind} ${part.name}`).toMatch(/^\S.*[^.\s]$/);
    }
  });

  it('brings the parts that the configuration defaults to', () => {
    const registry = createRegistry();
    const config = parseMachineConfig({ monitor: { policy: 'step-through' } });
    if (config.monitor === 'none') throw new Error('no monitor');
    expect(registry.get('core', config.cpu.core).emulator).toBe(true);
    registry.get('model', config.cpu.model);
    registry.get('shadow-cache', config.monitor.shadowCache as string);
    registry.get('sensitive', config.monitor.sensitive as string);
    registry.get('protection', config.monitor.protection as string);
    for (const policy of ['step-through', 'data-swap', 'full-emulation']) registry.get('policy', policy);
  });

  it('makes a board on which no two devices want the same port or line', () => {
    const machine = createMachine({
      config: parseMachineConfig({ memory: '2M', loader: 'flat' }),
      registry: createRegistry(),
      kernel,
    });
    for (const part of createRegistry()
      .list('device')
      .filter(({ onRequest }) => onRequest !== true))
      expect(machine.device(part.name), part.name).toBeDefined();
    expect(machine.runSlice(10)).toBe('ended');
    expect(machine.end?.outcome).toBe('halted');
  });

  it('takes further plugins, and refuses one twice', () => {
    const extra = definePlugin({
      name: 'x',
      sdk: SDK_VERSION,
      parts: [{ ...createRegistry().get('model', 'p6'), name: 'mine' }],
    });
    expect(createRegistry([extra]).get('model', 'mine').name).toBe('mine');
    expect(() => createRegistry([pcPreset[0]])).toThrow(/comes from both/);
  });
});
