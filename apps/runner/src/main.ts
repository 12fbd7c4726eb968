/**
 * The bin's entry point: runs the command line in this process. Everything else is in cli.ts, which specs call.
 */
import { main } from './cli.js';
import { processIo } from './io.js';

process.exitCode = await main(process.argv.slice(2), processIo());
