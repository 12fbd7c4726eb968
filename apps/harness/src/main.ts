/**
 * The bin's entry point: the command line in this process, runs in child processes. Everything else is in cli.ts.
 */
import { main } from './cli.js';
import { processIo } from './io.js';
import { createPool } from './pool.js';

const worker = new URL('./worker.js', import.meta.url);
process.exitCode = await main(
  process.argv.slice(2),
  processIo((size) => createPool({ module: worker, size })),
);
