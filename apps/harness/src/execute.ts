/**
 * Executes one job in this process: builds the machine, runs it, and gives back plain data. Used by the pool's child
 * processes, and directly by specs. A typed error of ours becomes a result; the serial line goes nowhere but into the
 * machine's own tap.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { openDrives } from '@ringfence/disk-image';
import { openShares } from '@ringfence/shared-folder';
import { openNetwork } from '@ringfence/user-network';
import { createMachine, type ImageFile, runMachine } from '@ringfence/machine';
import { createRegistry } from '@ringfence/preset-pc';
import { parseMachineConfig, type PartRegistry, type Plugin, RingfenceError } from '@ringfence/sdk';
import type { Job, JobResult, JobRunner } from './job.js';

export async function executeJob(job: Job, signal?: AbortSignal): Promise<JobResult> {
  try {
    const config = parseMachineConfig(job.config);
    const registry = await registryOf(job.plugins);
    const kernel = readImage(config.kernel!);
    const initrd = config.initrd === undefined ? undefined : readImage(config.initrd);
    const machine = createMachine({
      config,
      registry,
      kernel,
      initrd,
      drives: openDrives(config.drives),
      shares: openShares(config.shares),
      network: openNetwork(config.network, { readFile: readFileSync }),
    });
    const before = process.cpuUsage();
    const { outcome, exitStatus, report, dump } = await runMachine(machine, config.limits, signal);
    const { user, system } = process.cpuUsage(before);
    const { error } = report;
    return {
      status: exitStatus,
      outcome,
      report: error === undefined ? report : undefined,
      cpuSeconds: (user + system) / 1e6,
      serial: machine.channelText('serial'),
      screen: machine.screen(),
      dump,
      error: error === undefined ? undefined : `${error.code}: ${error.message}\n${error.stack ?? ''}`.trim(),
    };
  } catch (error) {
    if (!(error instanceof RingfenceError)) throw error;
    return { status: error.blame === 'usage' ? 2 : 70, outcome: 'refused', serial: '', error: error.toLine() };
  }
}

/** Executes jobs in this process, one after the other. */
export function inProcessRunner(): JobRunner {
  const abort = new AbortController();
  let last: Promise<unknown> = Promise.resolve();
  return {
    run: (job) => {
      const result = last.then(() => executeJob(job, abort.signal));
      last = result.catch(() => {});
      return result;
    },
    close: async () => {
      abort.abort();
      await last;
    },
  };
}

/** The preset's parts and those of the suite's plugins (absolute paths or package names). */
export async function registryOf(plugins: readonly string[]): Promise<PartRegistry> {
  const loaded: Plugin[] = [];
  const require = createRequire(import.meta.url);
  for (const name of plugins) {
    try {
      const module = (await import(pathToFileURL(require.resolve(name)).href)) as { default?: Plugin; plugin?: Plugin };
      loaded.push((module.default ?? module.plugin)!);
    } catch (cause) {
      throw new RingfenceError('RF_PLUGIN_NOT_FOUND', {
        message: `the suite's plugin "${name}" cannot be loaded: ${(cause as Error).message}`,
        value: name,
        fix: 'check its path or install it',
        cause,
      });
    }
  }
  return createRegistry(loaded);
}

function readImage(path: string): ImageFile {
  try {
    return { bytes: readFileSync(path), name: path };
  } catch (cause) {
    throw new RingfenceError('RF_KERNEL_NOT_FOUND', {
      message: `cannot read ${path}: ${(cause as Error).message}`,
      value: path,
      fix: 'check the path in the suite',
      cause,
    });
  }
}
