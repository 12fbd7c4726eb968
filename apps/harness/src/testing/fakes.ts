/**
 * Fakes for specs of the harness: a guest, a report, and a runner that answers from a function.
 */
import type { Job, JobResult, JobRunner, RunReport } from '../job.js';
import { INTERRUPTED } from '../job.js';
import type { Guest } from '../suite.js';

export function fakeGuest(name: string, expect: Partial<Guest['expect']> = {}): Guest {
  return {
    name,
    kernel: `/guests/${name}.elf`,
    initrd: undefined,
    append: '',
    memory: '16M',
    model: undefined,
    loader: undefined,
    drives: [],
    devices: {},
    network: undefined,
    maxInstructions: 1000,
    timeoutSeconds: 10,
    expect: { status: 33, serial: [], ...expect },
  };
}

export function fakeReport(fields: Partial<RunReport> = {}): RunReport {
  return {
    outcome: 'debug-exit',
    exitStatus: 33,
    retired: 1234,
    resets: 0,
    virtualSeconds: 0.001,
    wallSeconds: 0.5,
    instructionsPerSecond: 2468,
    serialBytes: 4,
    serialSha256: 'aa',
    stateHash: 'bb',
    machine: { kernel: 'k', memoryBytes: 1, core: 'c', model: 'm', assist: 'none', monitor: 'none' },
    ...fields,
  };
}

export function fakeMonitor(policy: string, exits: number, fills = 7): NonNullable<RunReport['monitor']> {
  return {
    policy,
    exits: { total: exits, byReason: { gp: exits } },
    steps: 1,
    swaps: 2,
    emulations: 3,
    userEmulations: {},
    windowFaults: 0,
    relocations: 0,
    shadow: { strategy: 'rebuild', rootSwitches: 0, hits: 0, misses: 0, fills, evictions: 0, traceWrites: 0 },
  };
}

export function fakeResult(report: Partial<RunReport> = {}, result: Partial<JobResult> = {}): JobResult {
  return { status: 33, outcome: 'debug-exit', report: fakeReport(report), serial: 'PASS\r\n', ...result };
}

export function fakeRunner(answer: (job: Job) => JobResult): JobRunner & { readonly jobs: Job[] } {
  const jobs: Job[] = [];
  let closed = false;
  let last: Promise<unknown> = Promise.resolve();
  return {
    jobs,
    run: (job) => {
      const result = last.then(() => {
        if (closed) return INTERRUPTED;
        jobs.push(job);
        return answer(job);
      });
      // A turn of the event loop between two jobs, as a process boundary has.
      last = result.then(() => new Promise((resolve) => setImmediate(resolve)));
      return result;
    },
    close: async () => void (closed = true),
  };
}
