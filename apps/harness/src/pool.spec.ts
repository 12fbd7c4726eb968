import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Job } from './job.js';
import { createPool } from './pool.js';

// Answers by the guest's name: a child that works, crashes, hangs, or says something before it dies.
const CHILD = `
process.on('disconnect', () => process.exit(0));
process.on('message', (job) => {
  if (job.guest === 'crash') process.abort();
  if (job.guest === 'throw') throw new Error('no such luck');
  if (job.guest === 'hang') for (;;);
  process.send({ status: 0, outcome: 'power-off', serial: String(process.pid) });
});
`;

let folder: string;
let module: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'rf-pool-'));
  module = join(folder, 'child.cjs');
  writeFileSync(module, CHILD);
});
afterAll(() => rmSync(folder, { recursive: true }));

const job = (guest: string): Job => ({ guest, variant: 'bare', config: {}, plugins: [], timeoutSeconds: 0.3 });

describe('createPool', () => {
  it('runs jobs in at most so many processes and uses them again', async () => {
    const pool = createPool({ module, size: 2 });
    const results = await Promise.all(Array.from({ length: 6 }, () => pool.run(job('good'))));
    await pool.close();
    expect(results.every((result) => result.outcome === 'power-off')).toBe(true);
    expect(new Set(results.map((result) => result.serial)).size).toBeLessThanOrEqual(2);
  });

  it('survives crashes and hangs of runs', async () => {
    const pool = createPool({ module, size: 1, graceSeconds: 0.7 });
    const names = ['crash', 'good', 'throw', 'hang', 'good'];
    const results = await Promise.all(names.map((name) => pool.run(job(name))));
    await pool.close();
    expect(results.map((result) => result.outcome)).toEqual([
      'crashed',
      'power-off',
      'crashed',
      'crashed',
      'power-off',
    ]);
    expect(results[0].error).toContain('SIGABRT');
    expect(results[2].error).toContain('no such luck');
    expect(results[3].error).toContain('hung');
  });

  it('ends running and waiting jobs as interrupted when it is closed', async () => {
    const pool = createPool({ module, size: 1, graceSeconds: 60 });
    const running = pool.run(job('hang'));
    const waiting = pool.run(job('good'));
    await new Promise((resolve) => setTimeout(resolve, 100));
    await pool.close();
    expect((await running).outcome).toBe('interrupted');
    expect((await waiting).outcome).toBe('interrupted');
    expect((await pool.run(job('good'))).outcome).toBe('interrupted');
  });
});
