/**
 * The child process of the pool: takes jobs over IPC, one at a time, and answers each with its result. It ends when the
 * harness goes away. Signals are the harness's business: a terminal sends Ctrl-C to the whole group.
 */
import { executeJob } from './execute.js';
import type { Job, JobResult } from './job.js';

process.on('SIGINT', () => {});
process.on('disconnect', () => process.exit(0));
process.on('message', (job: Job) => {
  executeJob(job).then(answer, (error: unknown) => {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    answer({ status: 70, outcome: 'failed', serial: '', error: text });
  });
});

function answer(result: JobResult): void {
  process.send?.(result);
}
