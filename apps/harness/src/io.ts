/**
 * What the harness needs of the process it runs in, as one injectable object, so that specs run the whole command line
 * in-process.
 */
import type { JobRunner } from './job.js';

export interface HarnessIo {
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Whether a live display may be drawn. */
  readonly terminal: boolean;
  stdout(text: string): void;
  stderr(text: string): void;
  /** Calls `handler` on each SIGINT or SIGTERM; answers how to stop listening. */
  onInterrupt(handler: () => void): () => void;
  /** Makes what executes the runs, `size` at a time. */
  createRunner(size: number): JobRunner;
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** The real process; runs are executed by whatever `createRunner` makes. */
export function processIo(createRunner: (size: number) => JobRunner): HarnessIo {
  // A reader that has gone away (`| head`) is no reason to lose the reports.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});
  return {
    cwd: process.cwd(),
    env: process.env,
    terminal: process.stdout.isTTY === true && !process.env.CI,
    stdout: (text) => void process.stdout.write(text),
    stderr: (text) => void process.stderr.write(text),
    onInterrupt: (handler) => {
      for (const signal of SIGNALS) process.on(signal, handler);
      return () => {
        for (const signal of SIGNALS) process.off(signal, handler);
      };
    },
    createRunner,
  };
}
