/** The policy's own order of doings, and the contract of every policy. */
import { FakePolicyServices, policyContract, structureAccess } from '@ringfence/testkit';
import { describe, expect, it } from 'vitest';
import { FullEmulation } from './full-emulation.js';

policyContract('full-emulation', () => new FullEmulation());

describe('FullEmulation', () => {
  it('emulates and opens nothing', () => {
    const services = new FakePolicyServices();
    new FullEmulation().access(structureAccess(), services);
    expect(services.take()).toEqual(['emulate']);
  });
});
