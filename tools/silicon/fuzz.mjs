/**
 * `pnpm fuzz`: random instruction sequences on this machine's processor and on ours, compared; what differs is shrunk and printed, and
 * written to packages/cpu/vectors/found. x86-64 Linux with gcc only. What is generated, and what not and why, is said at the end.
 *   pnpm fuzz --minutes 5 --seed 7          pnpm fuzz --instructions 20000000 --seed 1 --jobs 2
 *   pnpm fuzz --seed 1 --only 9354          one sequence again; if it differs, shrunk and printed
 */
import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { Command, InvalidArgumentError } from 'commander';
import { addCounts, newCounts } from './fuzz-run.mjs';
import { nativeUnavailable } from './native.mjs';

const FOUND = fileURLToPath(new URL('../../packages/cpu/vectors/found/', import.meta.url));

function count(text) {
  const value = Number(text);
  if (!(value >= 0)) throw new InvalidArgumentError('a number, please');
  return value;
}

const options = new Command('fuzz')
  .description('compares this machine with the interpreter on random instruction sequences')
  .option('--minutes <n>', 'stop after this time', count)
  .option('--instructions <n>', 'stop after this many completed instructions', count)
  .option('--sequences <n>', 'stop after this many sequences', count)
  .option('--seed <n>', 'what everything follows from', count, 1)
  .option('--first <n>', 'number of the first sequence', count, 0)
  .option('--only <n>', 'this sequence alone', count)
  .option('--jobs <n>', 'threads', count, Math.max(1, cpus().length - 1))
  .option('--no-write', 'write no vector files')
  .parse()
  .opts();

/** A name for a vector file: the instructions it is about. */
function fileName(message) {
  const names = [...new Set(message.keys.map((key) => key.split(' ')[0]))].slice(-3);
  return `${names.join('-')}-${options.seed}-${message.number}.txt`;
}

function tell(message) {
  console.log(
    `\nDIFFERENCE at sequence ${message.number} of seed ${options.seed}: ${message.differences.join(', ')}\n${message.text}`,
  );
  if (options.write) writeFileSync(FOUND + fileName(message), message.text);
}

async function fuzzInParallel() {
  const single = options.only !== undefined;
  const jobs = single ? 1 : Math.max(1, options.jobs);
  const share = (total) => (total === undefined ? undefined : Math.ceil(total / jobs));
  const limited =
    options.minutes !== undefined || options.instructions !== undefined || options.sequences !== undefined;
  const sum = newCounts();
  const progress = Array.from({ length: jobs }, () => ({ instructions: 0, sequences: 0, failures: 0 }));
  const begun = Date.now();
  let told = begun;
  const work = (job) =>
    new Promise((resolve, reject) => {
      const worker = new Worker(new URL('fuzz-worker.mjs', import.meta.url), {
        workerData: {
          seed: options.seed,
          first: options.only ?? options.first,
          offset: job,
          stride: jobs,
          instructions: share(options.instructions),
          sequences: single ? 1 : share(options.sequences),
          ...(options.minutes !== undefined || !limited ? { until: (options.minutes ?? 1) * 60_000 } : {}),
        },
      });
      worker.on('message', (message) => {
        if (message.text !== undefined) tell(message);
        if (message.counts) addCounts(sum, message.counts);
        if (message.progress) progress[job] = message.progress;
        if (Date.now() - told < 10_000) return;
        told = Date.now();
        const total = addCounts(
          {},
          progress.reduce((a, b) => addCounts(a, b), {}),
        );
        const seconds = (told - begun) / 1000;
        console.log(
          `${seconds.toFixed(0)} s: ${total.instructions} instructions, ${total.sequences} sequences, ${total.failures} differences`,
        );
      });
      worker.on('error', reject);
      worker.on('exit', (code) => (code === 0 ? resolve() : reject(new Error(`job ${job} ended with ${code}`))));
    });
  await Promise.all(Array.from({ length: jobs }, (_, job) => work(job)));
  return { sum, seconds: (Date.now() - begun) / 1000 };
}

const why = nativeUnavailable();
if (why !== undefined) {
  console.error(`cannot fuzz here: ${why}`);
  process.exitCode = 2;
} else {
  const { sum, seconds } = await fuzzInParallel();
  const { report } = await import('./fuzz-report.mjs');
  console.log(report(sum, seconds, options.seed));
  process.exitCode = sum.failures === 0 ? 0 : 1;
}
