/**
 * `npm start`: installs, builds, and runs the bundled guest suite. Extra arguments go to the harness: `npm start -- --help`.
 * Needs only Node >= 20 and npm. It does not lint or test (`npm test`).
 */
import { install } from './install.mjs';
import { steps, tool } from './steps.mjs';

const SUITE = 'guests/suite.yaml';

async function start() {
  const prepared = (await install()) || (await steps.build());
  if (prepared !== 0) return prepared;
  return tool('apps/harness/bin/ringfence-harness.js', ['run', SUITE, ...process.argv.slice(2)]);
}

process.exitCode = await start();
