/**
 * Runs jobs in child processes, a fixed number at a time, so that neither a crash nor a hang of one run takes the harness
 * or another run with it. A child serves many jobs, one after the other (its compiled code stays warm); one that crashes or
 * overstays its time is replaced. It does not judge results.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { INTERRUPTED, type Job, type JobResult, type JobRunner } from './job.js';

/** A run may overstay its own timeout by this much before its process is killed. */
const GRACE_SECONDS = 15;
/** Children are renewed after this many jobs: old machines' memory is theirs. */
const JOBS_PER_CHILD = 24;

interface Waiting {
  readonly job: Job;
  readonly resolve: (result: JobResult) => void;
}

interface Worker {
  readonly child: ChildProcess;
  current: Waiting | undefined;
  timer: NodeJS.Timeout | undefined;
  jobs: number;
  killedFor: string | undefined;
  lastWords: string;
}

export interface PoolOptions {
  /** Module to fork: receives a Job, answers with a JobResult. */
  readonly module: string | URL;
  readonly size: number;
  readonly graceSeconds?: number;
}

export function createPool(options: PoolOptions): JobRunner {
  const queue: Waiting[] = [];
  const workers = new Set<Worker>();
  let closed = false;

  const pump = (): void => {
    while (queue.length > 0 && !closed) {
      const worker = [...workers].find((each) => each.current === undefined) ?? spawn();
      if (worker === undefined) return;
      start(worker, queue.shift()!);
    }
  };

  const spawn = (): Worker | undefined => {
    if (workers.size >= options.size) return undefined;
    const child = fork(options.module, { stdio: ['ignore', 'ignore', 'pipe', 'ipc'], serialization: 'advanced' });
    const worker: Worker = {
      child,
      current: undefined,
      timer: undefined,
      jobs: 0,
      killedFor: undefined,
      lastWords: '',
    };
    workers.add(worker);
    child.stderr?.on(
      'data',
      (chunk: Buffer) => (worker.lastWords = (worker.lastWords + chunk.toString()).slice(-2000)),
    );
    child.on('message', (result: JobResult) => finish(worker, result));
    child.on('error', (error) => lost(worker, error.message));
    child.on('exit', (code, signal) => lost(worker, signal === null ? `exit status ${code}` : `signal ${signal}`));
    return worker;
  };

  const start = (worker: Worker, waiting: Waiting): void => {
    worker.current = waiting;
    worker.jobs++;
    worker.child.send(waiting.job);
    const seconds = waiting.job.timeoutSeconds + (options.graceSeconds ?? GRACE_SECONDS);
    worker.timer = setTimeout(() => {
      worker.killedFor = `hung: no answer within ${seconds} s; its process was killed`;
      worker.child.kill('SIGKILL');
    }, seconds * 1000);
  };

  const settle = (worker: Worker, result: JobResult): void => {
    clearTimeout(worker.timer);
    const waiting = worker.current;
    worker.current = undefined;
    waiting?.resolve(result);
  };

  const finish = (worker: Worker, result: JobResult): void => {
    if (worker.jobs >= JOBS_PER_CHILD) {
      workers.delete(worker);
      worker.child.disconnect();
    }
    settle(worker, result);
    pump();
  };

  const lost = (worker: Worker, how: string): void => {
    workers.delete(worker);
    if (worker.current === undefined) return;
    const said = worker.lastWords.split('\n').filter((line) => line.trim() !== '');
    const words = said.find((line) => /^\w*(Error|FATAL)\b/.test(line)) ?? said.slice(-2).join(' | ');
    const error = worker.killedFor ?? `the run's process ended with ${how}${words === '' ? '' : `: ${words}`}`;
    settle(worker, closed ? INTERRUPTED : { status: undefined, outcome: 'crashed', serial: '', error });
    pump();
  };

  return {
    run: (job) => {
      if (closed) return Promise.resolve(INTERRUPTED);
      return new Promise((resolve) => {
        queue.push({ job, resolve });
        pump();
      });
    },
    close: async () => {
      closed = true;
      for (const { resolve } of queue.splice(0)) resolve(INTERRUPTED);
      const ends = [...workers].map((worker) => new Promise((resolve) => worker.child.once('exit', resolve)));
      for (const worker of workers) worker.child.kill('SIGKILL');
      await Promise.all(ends);
    },
  };
}
