/** The plugin registers, and what it makes runs. */
import { PartRegistry, STOP_BUDGET } from '@ringfence/sdk';
import { FakeBus, FlatMmu, makeMemory } from '@ringfence/testkit';
import { expect, it } from 'vitest';
import { InterpreterFactory, P6, plugin } from './index.js';

it('offers the interpreter and the five models', () => {
  const parts = new PartRegistry();
  parts.add(plugin);
  expect(parts.names('core')).toEqual(['interpreter']);
  expect(parts.get('core', 'interpreter').emulator).toBe(true);
  expect(parts.names('model')).toEqual(['i386', 'i486', 'pentium', 'p6', 'pentium4']);
});

it('its factory makes cores', () => {
  const { memory, space } = makeMemory();
  const mmu = new FlatMmu(memory, space);
  const core = new InterpreterFactory().create({
    memory,
    space,
    mmu,
    bus: new FakeBus(),
    slot: 1,
    model: P6,
    assist: 'none',
  });
  expect(core.state.byteOffset).toBe(memory.stateWords(1).byteOffset);
  expect(core.run(0)).toBe(STOP_BUDGET);
});
