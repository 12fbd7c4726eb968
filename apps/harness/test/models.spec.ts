/**
 * The bundled guests on a processor without PAE: they end well, bare and under every policy, and alike. The suite itself runs on
 * the p6, which has PAE. The model is the Pentium M of 2003 ("Banias": a P6 with SSE2 and no PAE), given as a third
 * party would give it; the shadow cache is the one that must evict.
 */
import { resolve } from 'node:path';
import { SDK_VERSION, definePlugin, type CpuModel } from '@ringfence/sdk';
import { describe, expect, it } from 'vitest';
import { readSuite } from '../src/suite.js';
import { root, runGuest } from './run-guest.js';

const BANIAS: CpuModel = {
  name: 'pentium-m',
  summary: 'Pentium M (Banias): no PAE',
  vendor: 'GenuineIntel',
  family: 6,
  model: 9,
  stepping: 5,
  cpuid: true,
  isa: 6,
  features: {
    ...{
      fpu: true,
      vme: true,
      de: true,
      pse: true,
      tsc: true,
      msr: true,
      pae: false,
      cx8: true,
      apic: true,
      sep: true,
      pge: true,
    },
    ...{ cmov: true, clfsh: true, mmx: true, fxsr: true, sse: true, sse2: true },
  },
};
const plugin = definePlugin({
  name: 'models-without-pae',
  sdk: SDK_VERSION,
  parts: [{ kind: 'model', name: BANIAS.name, summary: BANIAS.summary, model: BANIAS }],
});
const RUNS = [
  ['step-through', 'vif'],
  ['data-swap', 'trap'],
  ['full-emulation', 'vif'],
] as const;
const { guests } = readSuite(resolve(root, 'guests/suite.yaml'));
/** Guests that another model is named for are about that model. */
const ours = guests.filter((guest) => guest.model === undefined);

describe('without PAE', () => {
  it.each(ours)('$name ends well, and alike under every policy', { timeout: 10 * 60_000 }, async (guest) => {
    const { kernel, append, memory, network, devices, maxInstructions } = guest;
    const options = {
      append,
      memory,
      drives: [...guest.drives],
      network,
      devices,
      cpu: { model: BANIAS.name },
      limits: { maxInstructions },
    };
    const bare = await runGuest(kernel, { ...options, monitor: 'none' }, [plugin]);
    const serial = Buffer.from(bare.serial).toString('latin1');
    expect(bare.status, serial).toBe(guest.expect.status);
    if (guest.name === 'pae') expect(serial).toMatch(/^no PAE here\r?$/m);
    const { retired, serialSha256, stateHash } = bare.report;
    for (const [policy, assist] of RUNS) {
      const monitor = { policy, shadowCache: { name: 'tracked-lru', capacity: 8 } };
      const cpu = { ...options.cpu, assist };
      const { report } = await runGuest(kernel, { ...options, cpu, monitor }, [plugin]);
      expect(report, `${policy} ${assist}`).toMatchObject({
        outcome: bare.report.outcome,
        retired,
        serialSha256,
        stateHash,
      });
    }
  });
});
