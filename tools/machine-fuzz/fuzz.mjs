/**
 * Programs by seed, one after the other: each bare and under some combinations drawn by the seed. The same for the command
 * (run.mjs) and for the test. Every fourth program's first monitored run is also held and hashed every few hundred instructions,
 * which must change nothing; in every fourth, another one, NMIs come in at fixed counts.
 */
import { COMBINATIONS, compare } from './compare.mjs';
import { generate } from './generate.mjs';
import { Random } from './random.mjs';

export function combinationsFor(seed, count) {
  const random = new Random(seed ^ 0x5bd1e995);
  const left = [...COMBINATIONS];
  return Array.from({ length: Math.min(count, left.length) }, () => left.splice(random.below(left.length), 1)[0]);
}

/** Runs one seed; `reach` gathers what happened. Answers the failures. */
export function fuzzSeed(parts, seed, { combinations = 2, reach }) {
  const program = generate(seed);
  const chosen = combinationsFor(seed, combinations);
  const { bare, machine, failures, reports } = compare(parts, program, chosen, {
    observe: (watched) => reach.watch(watched),
    sliced: seed % 4 === 0,
    nmiEvery: seed % 4 === 1 ? 61 + ((seed * 37) % 509) : undefined,
  });
  reach.note(program, machine, bare.outcome, bare.retired);
  reach.noteMonitors(reports);
  return { program, failures };
}
