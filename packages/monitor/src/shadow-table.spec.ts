/** When a guest's page-table entry still means what it meant as it was shadowed. */
import { PTE_A, PTE_D, PTE_P, PTE_U, PTE_W } from '@ringfence/sdk';
import { describe, expect, it } from 'vitest';
import { sameMeaning } from './shadow-table.js';

const ENTRY = 0x00123000 | PTE_P | PTE_W;

describe('sameMeaning', () => {
  it('does not mind an Accessed or Dirty bit that was set since', () => {
    expect(sameMeaning(ENTRY, ENTRY | PTE_A)).toBe(true);
    expect(sameMeaning(ENTRY | PTE_A, ENTRY | PTE_A | PTE_D)).toBe(true);
  });

  it('minds one that was cleared: the guest wants to see it set again', () => {
    expect(sameMeaning(ENTRY | PTE_A | PTE_D, ENTRY | PTE_A)).toBe(false);
    expect(sameMeaning(ENTRY | PTE_A, ENTRY)).toBe(false);
  });

  it.each([
    ['frame', ENTRY ^ 0x1000],
    ['present', ENTRY & ~PTE_P],
    ['writable', ENTRY & ~PTE_W],
    ['user', ENTRY | PTE_U],
  ])('minds a change of %s', (_name, now) => {
    expect(sameMeaning(ENTRY, now)).toBe(false);
  });
});
