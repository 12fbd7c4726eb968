/** One job of fuzz.mjs on a thread: its own native executor, its own machine. Talks in messages, see `fuzzInParallel` there. */
import { parentPort, workerData } from 'node:worker_threads';
import { failureText, fuzz } from './fuzz-run.mjs';
import { NativeExecutor, processorName } from './native.mjs';
import { makeOurs } from './ours.mjs';

const native = await NativeExecutor.start();
const ours = makeOurs();
const { until, ...rest } = workerData;
const counts = await fuzz({
  ...rest,
  until: until === undefined ? undefined : performance.now() + until,
  native,
  ours,
  onFailure: (number, failure) =>
    parentPort.postMessage({
      number,
      differences: failure.differences,
      keys: failure.sequence.items.map((item) => item.key),
      text: failureText(failure, [
        failure.differences.join(', '),
        `seed ${rest.seed}, sequence ${number}`,
        `${processorName()}, ${new Date().toISOString().slice(0, 10)}`,
      ]),
    }),
  onProgress: (now) =>
    parentPort.postMessage({
      progress: { instructions: now.instructions, sequences: now.sequences, failures: now.failures },
    }),
});
parentPort.postMessage({ counts: { ...counts, restarts: native.restarts } });
await native.stop();
