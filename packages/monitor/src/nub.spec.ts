/** The nub's bytes, and that its gates admit no guest. */
import { describe, expect, it } from 'vitest';
import { RELOAD_STUB, STUB_BYTES, STUB_IRET, interruptGate, nubCode } from './nub.js';

describe('nubCode', () => {
  const code = nubCode();

  it('has a stub per vector: push the vector, stop, return', () => {
    for (const vector of [0, 13, 14, 128, 255]) {
      expect([...code.subarray(vector * STUB_BYTES, vector * STUB_BYTES + 7)]).toEqual([
        0x68,
        vector,
        0,
        0,
        0,
        0xf4,
        0xcf,
      ]);
    }
    expect(code[14 * STUB_BYTES + STUB_IRET]).toBe(0xcf);
  });

  it('loads GS, FS, ES and DS and stops before the IRET', () => {
    expect([...code.subarray(RELOAD_STUB, RELOAD_STUB + 8)]).toEqual([0x0f, 0xa9, 0x0f, 0xa1, 0x07, 0x1f, 0xf4, 0xcf]);
  });
});

describe('interruptGate', () => {
  it('is present, 32 bits, DPL 0: INT n from the guest is a general-protection fault', () => {
    const [low, high] = interruptGate(0xffe0, 0xff822010);
    expect(low >>> 0).toBe(0xffe02010);
    expect(high >>> 0).toBe(0xff828e00);
  });
});
