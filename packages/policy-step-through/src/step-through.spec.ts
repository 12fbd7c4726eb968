/** The policy's own order of doings, and the contract of every policy. */
import { FakePolicyServices, policyContract, structureAccess } from '@ringfence/testkit';
import { describe, expect, it } from 'vitest';
import { StepThrough } from './step-through.js';

policyContract('step-through', () => new StepThrough());

describe('StepThrough', () => {
  it("is the seed's recipe: save, map, INVLPG, step", () => {
    const services = new FakePolicyServices();
    new StepThrough().access(structureAccess(), services);
    expect(services.take()).toEqual(['save c0001004', 'map c0001004', 'invlpg c0001004', 'step']);
  });
});
