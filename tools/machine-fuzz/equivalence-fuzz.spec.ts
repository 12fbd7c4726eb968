/**
 * Random kernels (tools/machine-fuzz), bare and monitored: a small fixed set of seeds, so that the fuzzer itself stays whole and what
 * it once held still holds. Longer runs: `node tools/machine-fuzz/run.mjs --minutes 10 --seed 1`.
 */
import { createMachine } from '@ringfence/machine';
import { createRegistry } from '@ringfence/preset-pc';
import { parseMachineConfig } from '@ringfence/sdk';
import { beforeAll, describe, expect, it } from 'vitest';
import { fuzzSeed } from './fuzz.mjs';
import { Reach } from './reach.mjs';

const SEEDS = 24;
const COMBINATIONS = 3;
const TIMEOUT = 5 * 60_000;

describe('random kernels end alike bare and monitored', () => {
  const reach = new Reach();
  const failed: string[] = [];

  beforeAll(() => {
    const parts = { createMachine, createRegistry, parseMachineConfig };
    for (let seed = 1; seed <= SEEDS; seed++) {
      for (const { combination, field, ended } of fuzzSeed(parts, seed, { combinations: COMBINATIONS, reach })
        .failures) {
        failed.push(`seed ${seed} under ${JSON.stringify(combination)}: ${field} ${ended.detail ?? ''}`);
      }
    }
  }, TIMEOUT);

  it('in count, output and state', () => {
    expect(failed).toEqual([]);
    expect([reach.programs, reach.runs]).toEqual([SEEDS, SEEDS * COMBINATIONS]);
  });

  it('after going through what they are for', () => {
    expect(reach.retired).toBeGreaterThan(300_000);
    // #DE #DB #BR #UD #NM #DF #NP #SS #GP #PF #MF #AC #XM, the timer, the coprocessor's interrupt, NMI.
    for (const vector of [0, 1, 5, 6, 7, 8, 11, 12, 13, 14, 16, 17, 19, 'irq 32', 'irq 45', 'irq 2']) {
      expect(reach.vectors[vector] ?? 0, `vector ${vector}`).toBeGreaterThan(0);
    }
    for (const level of ['ring 0', 'ring 1', 'ring 2', 'ring 3', 'v86', 'real']) {
      expect(reach.levels[level] ?? 0, level).toBeGreaterThan(50);
    }
    for (const kind of ['ring-0', 'outer-ring', 'float', 'v86', '16-bit', 'real-mode', 'pae-switch']) {
      expect(reach.blocks[kind] ?? 0, kind).toBeGreaterThan(5);
    }
    expect(reach.marks.gate + reach.marks['task A'] + reach.marks['task B']).toBeGreaterThan(10);
    expect(reach.outcomes['debug-exit']).toBeGreaterThan(SEEDS / 2);
    expect(reach.exits['structure-write']).toBeGreaterThan(100);
  });
});
