/**
 * One run of one guest: what goes to whoever executes it and what comes back. Plain data, so that it crosses a process
 * boundary; and the command line that repeats the run by hand.
 */
import type { RunReport } from '@ringfence/machine';
import type { Assist, MachineConfigInput } from '@ringfence/sdk';
import { partLabel, type Variant } from './matrix.js';
import type { Guest } from './suite.js';

export interface Job {
  readonly guest: string;
  readonly variant: string;
  readonly config: MachineConfigInput;
  readonly plugins: readonly string[];
  /** Host time after which the run is broken off, and a little later killed. */
  readonly timeoutSeconds: number;
}

/** What a run gave. `report` is what `ringfence run --report` writes. */
export interface JobResult {
  /** Exit status as `ringfence run` answers it; undefined when the run failed in a way it has no status for. */
  readonly status: number | undefined;
  readonly outcome: string;
  readonly report?: RunReport;
  /** Processor time of the process that ran it, for all it did meanwhile. */
  readonly cpuSeconds?: number;
  /** The serial output, at most its last 64 KiB. */
  readonly serial: string;
  readonly screen?: string;
  /** Register dump and the like, when the guest died. */
  readonly dump?: string;
  /** Why there is no report: a typed error's line, a crash, a hang. */
  readonly error?: string;
}

export type { RunReport };

export interface JobRunner {
  /** Runs one job; never rejects for what a guest or a crash does. */
  run(job: Job): Promise<JobResult>;
  /** Stops running jobs (they resolve as interrupted) and starts no more. */
  close(): Promise<void>;
}

export const INTERRUPTED: JobResult = { status: undefined, outcome: 'interrupted', serial: '', error: 'interrupted' };

export function jobOf(guest: Guest, variant: Variant, plugins: readonly string[]): Job {
  const { monitor } = variant;
  const core = partLabel(variant.core);
  return {
    guest: guest.name,
    variant: variant.label,
    plugins,
    timeoutSeconds: guest.timeoutSeconds,
    config: {
      kernel: guest.kernel,
      initrd: guest.initrd,
      append: guest.append,
      memory: guest.memory,
      loader: guest.loader,
      drives: [...guest.drives],
      devices: { ...guest.devices },
      network: guest.network,
      cpu: {
        core,
        ...(guest.model === undefined ? {} : { model: guest.model }),
        // Checked against what the strategy works with before anything runs.
        ...(monitor?.assist === undefined ? {} : { assist: monitor.assist as Assist }),
      },
      monitor:
        monitor === undefined
          ? 'none'
          : {
              policy: monitor.policy,
              shadowCache: monitor.shadow,
              protection: monitor.protection,
              sensitive: monitor.sensitive,
            },
      serial: 'none',
      limits: { maxInstructions: guest.maxInstructions, timeoutSeconds: guest.timeoutSeconds },
    },
  };
}

/** The `ringfence run` command that repeats a job. */
export function commandOf(guest: Guest, variant: Variant): string {
  const { monitor } = variant;
  const words = ['npx', 'ringfence', 'run', '--kernel', guest.kernel];
  if (guest.initrd !== undefined) words.push('--initrd', guest.initrd);
  if (guest.append !== '') words.push('--append', guest.append);
  if (guest.loader !== undefined) words.push('--loader', partLabel(guest.loader));
  for (const drive of guest.drives) {
    const pairs = Object.entries(drive).map(([key, value]) => `${key}=${String(value)}`);
    words.push('--drive', pairs.join(','));
  }
  if (guest.network !== undefined) {
    words.push('--net', 'user');
    for (const [path, file] of Object.entries(guest.network.serve ?? {})) words.push('--serve', `${path}=${file}`);
    for (const [name, hosts] of Object.entries(guest.network.hosts ?? {})) words.push('--host', `${name}=${hosts}`);
  }
  if (guest.model !== undefined) words.push('--model', guest.model);
  words.push('-m', String(guest.memory), '--core', partLabel(variant.core));
  if (monitor !== undefined) {
    words.push('--monitor', partLabel(monitor.policy), '--shadow-cache', partLabel(monitor.shadow));
    words.push('--protection', partLabel(monitor.protection), '--sensitive', partLabel(monitor.sensitive));
    if (monitor.assist !== undefined) words.push('--assist', monitor.assist);
  }
  words.push('--max-instructions', String(guest.maxInstructions));
  return words.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`)).join(' ');
}
