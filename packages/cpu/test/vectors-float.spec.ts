/** The x87, MMX, SSE and SSE2 against what was recorded of them. What must be recorded is vectors.spec.ts's business. */
import { describe } from 'vitest';
import { FLOAT_FAMILIES } from './families.js';
import { replayFamilies } from './replay.js';

describe('floating-point and packed instructions as recorded', () => {
  replayFamilies(FLOAT_FAMILIES);
});
