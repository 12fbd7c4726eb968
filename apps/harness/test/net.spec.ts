/**
 * The network on the whole machine: it travels with a snapshot from monitor to monitor in the middle of a download, and is part
 * of the state.
 */
import { readFileSync } from 'node:fs';
import { createMachine, type Machine } from '@ringfence/machine';
import { createRegistry } from '@ringfence/preset-pc';
import { parseMachineConfig, type MachineConfigInput } from '@ringfence/sdk';
import { openNetwork } from '@ringfence/user-network';
import { describe, expect, it } from 'vitest';
import { guestImage } from './run-guest.js';

type Monitor = MachineConfigInput['monitor'];

function start(monitor: Monitor, served = 'hello'): Machine {
  const kernel = guestImage('net');
  const network = { hosts: { 'file.example': '10.0.2.2' }, serve: { '/file': guestImage(served) } };
  const config = parseMachineConfig({ kernel, memory: '16M', serial: 'none', monitor, network });
  return createMachine({
    config,
    registry: createRegistry([]),
    kernel: { bytes: readFileSync(kernel), name: kernel },
    network: openNetwork(config.network, { readFile: readFileSync }),
  });
}

function finish(machine: Machine) {
  while (machine.runSlice(10_000_000) !== 'ended');
  return { retired: machine.retired, stateHash: machine.stateHash(), status: machine.end?.exitStatus };
}

/** Connections that are open now. */
function connections(machine: Machine): number {
  const { tcp } = machine.saveState().components.network.data as { tcp: { connections: unknown[] } };
  return tcp.connections.length;
}

describe('the net guest', () => {
  it.each<[string, readonly Monitor[]]>([
    ['bare to step-through', ['none', { policy: 'step-through' }]],
    ['data-swap to full-emulation to bare', [{ policy: 'data-swap' }, { policy: 'full-emulation' }, 'none']],
  ])('moves in mid-download: %s', (_name, stations) => {
    const undisturbed = finish(start('none'));
    expect(undisturbed.status).toBe(33);
    let machine = start(stations[0]);
    for (const next of stations.slice(1)) {
      const from = machine.retired;
      do machine.runSlice(20_011);
      while (connections(machine) === 0 || machine.retired < from + 100_000);
      const snapshot = machine.saveState();
      machine = start(next);
      machine.loadState(snapshot);
      expect(connections(machine)).toBe(1);
    }
    expect(finish(machine)).toEqual(undisturbed);
  });

  it('has the network in its state: another file on its way is another state', () => {
    const [one, two] = [start('none'), start('none', 'disk')];
    expect(one.stateHash()).toBe(two.stateHash());
    do one.runSlice(20_011);
    while (connections(one) === 0);
    const snapshot = one.saveState();
    expect(() => start('none').loadState(snapshot)).not.toThrow();
    const { network: _network, ...others } = snapshot.components;
    expect(() => start('none').loadState({ ...snapshot, components: others })).toThrow(/no state of "network"/);
  });
});
