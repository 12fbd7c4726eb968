/** The policy's own order of doings, and the contract of every policy. */
import { FakePolicyServices, policyContract, structureAccess } from '@ringfence/testkit';
import { describe, expect, it } from 'vitest';
import { DataSwap } from './data-swap.js';

policyContract('data-swap', () => new DataSwap());

describe('DataSwap', () => {
  it("puts the guest's bytes in before it opens an in-place page", () => {
    const services = new FakePolicyServices();
    new DataSwap().access(structureAccess({ placement: 'in-place', kind: 'descriptor-table' }), services);
    expect(services.take()).toEqual(['swap-in 1000', 'save c0001004', 'map c0001004', 'invlpg c0001004', 'step']);
  });
});
