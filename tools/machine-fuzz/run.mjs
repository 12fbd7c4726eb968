/**
 * `node tools/machine-fuzz/run.mjs [--seed S] [--programs N | --minutes M] [--combinations C]`: random kernels, bare against
 * monitored, over the built packages (`npm run build`). For each difference: the seed, the combination, and where the two
 * runs part. Ends with what was reached. Exit status 1 when there was a difference.
 * `--seed S --programs 1 --combinations 36` is how one looks at a seed again.
 */
import { parseArgs } from 'node:util';
import { createMachine } from '../../packages/machine/dist/index.js';
import { createRegistry } from '../../packages/preset-pc/dist/index.js';
import { parseMachineConfig } from '../../packages/sdk/dist/index.js';
import { divergenceReport, findDivergence } from '../../packages/trace/dist/index.js';
import { BUDGET, combinationName, start } from './compare.mjs';
import { fuzzSeed } from './fuzz.mjs';
import { Reach } from './reach.mjs';

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    programs: { type: 'string' },
    minutes: { type: 'string' },
    combinations: { type: 'string', default: '2' },
  },
});
const number = (name, fallback) => {
  const value = Number(values[name] ?? fallback);
  if (Number.isFinite(value) && value >= 0) return value;
  console.error(`--${name} takes a number`);
  process.exit(2);
};

const first = number('seed');
const until = Date.now() + number('minutes', 1e6) * 60_000;
const programs = number('programs', values.minutes === undefined ? 100 : 1e9);
const combinations = number('combinations');
const parts = { createMachine, createRegistry, parseMachineConfig };
const reach = new Reach();
let failed = 0;

for (let seed = first; seed < first + programs && Date.now() < until; seed++) {
  const { program, failures } = fuzzSeed(parts, seed, { combinations, reach });
  for (const { combination, field, bare, ended } of failures) {
    failed++;
    const ends = [bare, ended].map(({ outcome, retired }) => `${outcome} after ${retired}`).join(', monitored ');
    console.log(
      `seed ${seed} (${program.model}) under ${combinationName(combination)}: ${field} differs: bare ${ends}`,
    );
    if (ended.detail !== undefined) console.log(ended.detail);
  }
  if (failures.length > 0) await explain(program, failures[0].combination);
}
for (const line of reach.lines()) console.log(line);
console.log(`${failed} differences`);
process.exitCode = failed > 0 ? 1 : 0;

async function explain(program, combination) {
  const make = () => ({ a: start(parts, program, 'none'), b: start(parts, program, combination) });
  try {
    const found = await findDivergence(make, { from: 0, to: BUDGET, compare: 'state' });
    if (found.kind === 'diverged') for (const line of await divergenceReport(found, 8)) console.log(`  ${line}`);
  } catch (error) {
    console.log(`  not narrowed down: ${error.message}`);
  }
}
