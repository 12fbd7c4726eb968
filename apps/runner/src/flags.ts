/**
 * The flags of `ringfence run`, and what they say as a change to a configuration. Pure: flags and a configuration in, a
 * configuration out; flags win. Contradictions that only the command line can commit are refused here.
 * Names are checked later, against the registry.
 */
import {
  BOOT_SOURCES,
  type Assist,
  type BootSource,
  type MachineConfigInput,
  RingfenceError,
  splitNamed,
} from '@ringfence/sdk';
import { driveFlags } from './drive-flags.js';
import { networkFlags } from './network/network-flags.js';
import { parseShare } from './share-flags.js';
import { parseCount, parsePart, parseRegex, parseSeconds } from './part-option.js';

const ASSISTS: readonly Assist[] = ['none', 'trap', 'vif'];

/** As commander hands them over: all text, absent when not given. */
export interface RunFlags {
  readonly guest?: string;
  readonly kernel?: string;
  readonly initrd?: string;
  readonly append?: string;
  readonly memory?: string;
  readonly drive?: readonly string[];
  readonly hda?: string;
  readonly cdrom?: string;
  readonly fda?: string;
  readonly bios?: string;
  readonly vgaBios?: string;
  readonly biosSerial?: boolean;
  readonly boot?: string;
  readonly net?: string;
  readonly forward?: readonly string[];
  readonly serve?: readonly string[];
  readonly host?: readonly string[];
  readonly core?: string;
  readonly model?: string;
  readonly assist?: string;
  readonly monitor?: string;
  readonly shadowCache?: string;
  readonly sensitive?: string;
  readonly protection?: string;
  readonly rdtsc?: string;
  readonly loader?: string;
  readonly serial?: string;
  readonly debugcon?: string;
  readonly virtioConsole?: string;
  readonly share?: readonly string[];
  readonly device?: readonly string[];
  readonly onReset?: string;
  readonly untilSerial?: string;
  readonly maxInstructions?: string;
  readonly timeout?: string;
  readonly plugin?: readonly string[];
  readonly report?: string;
  /** Of `run` alone, as is the next. */
  readonly screen?: boolean;
  readonly screenshot?: string;
}

const MONITOR_FLAGS = [
  ['shadowCache', '--shadow-cache'],
  ['sensitive', '--sensitive'],
  ['protection', '--protection'],
] as const;

type Monitor = Exclude<MachineConfigInput['monitor'], 'none' | undefined>;

/** `base` with the flags laid over it. Only members that a flag names change. */
export function applyFlags(base: MachineConfigInput, flags: RunFlags): MachineConfigInput {
  const config: MachineConfigInput = { ...base };
  if (flags.kernel !== undefined) config.kernel = flags.kernel;
  if (flags.initrd !== undefined) config.initrd = flags.initrd;
  if (flags.append !== undefined) config.append = flags.append;
  if (flags.memory !== undefined) config.memory = flags.memory;
  if (flags.loader !== undefined) config.loader = parsePart('--loader', flags.loader);
  if (flags.serial !== undefined) config.serial = flags.serial;
  if (flags.debugcon !== undefined) config.debugcon = flags.debugcon;
  if (flags.virtioConsole !== undefined) config.virtioConsole = flags.virtioConsole;
  if (flags.device !== undefined) {
    const named = flags.device.map((text) => splitNamed(parsePart('--device', text)));
    config.devices = { ...base.devices, ...Object.fromEntries(named.map(({ name, options }) => [name, options])) };
  }
  if (flags.share !== undefined) config.shares = [...(base.shares ?? []), ...flags.share.map(parseShare)];
  if (flags.onReset !== undefined) config.onReset = parseOnReset(flags.onReset);
  if (flags.report !== undefined) config.report = flags.report;
  if (flags.plugin !== undefined) config.plugins = [...(base.plugins ?? []), ...flags.plugin];
  const drives = driveFlags(flags);
  if (drives.length > 0) config.drives = [...(base.drives ?? []), ...drives];
  const network = networkFlags(base.network, flags);
  if (network === undefined) delete config.network;
  else config.network = network;
  const firmware = { ...base.firmware };
  if (flags.bios !== undefined) firmware.bios = flags.bios;
  if (flags.vgaBios !== undefined) firmware.vgaBios = flags.vgaBios;
  if (flags.biosSerial !== undefined) firmware.serialConsole = flags.biosSerial;
  if (flags.boot !== undefined) firmware.boot = parseBoot(flags.boot);
  if (Object.keys(firmware).length > 0) config.firmware = firmware;
  const cpu = { ...base.cpu };
  if (flags.core !== undefined) cpu.core = flags.core;
  if (flags.model !== undefined) cpu.model = flags.model;
  if (flags.assist !== undefined) cpu.assist = parseAssist(flags.assist);
  if (Object.keys(cpu).length > 0) config.cpu = cpu;
  const limits = { ...base.limits };
  if (flags.maxInstructions !== undefined) {
    limits.maxInstructions = parseCount('--max-instructions', flags.maxInstructions);
  }
  if (flags.timeout !== undefined) limits.timeoutSeconds = parseSeconds('--timeout', flags.timeout);
  if (flags.untilSerial !== undefined) {
    parseRegex('--until-serial', flags.untilSerial);
    limits.untilSerial = flags.untilSerial;
  }
  if (Object.keys(limits).length > 0) config.limits = limits;
  const monitor = applyMonitorFlags(base.monitor, flags);
  if (monitor !== undefined) config.monitor = monitor;
  return config;
}

function applyMonitorFlags(base: MachineConfigInput['monitor'], flags: RunFlags): MachineConfigInput['monitor'] {
  const given = [...MONITOR_FLAGS, ['rdtsc', '--rdtsc'] as const].filter(([key]) => flags[key] !== undefined);
  const inFile: Partial<Monitor> = typeof base === 'object' ? base : {};
  const bare = flags.monitor === 'none' || (flags.monitor === undefined && typeof base !== 'object');
  if (bare && given.length > 0) {
    throw new RingfenceError('RF_CONTRADICTION', {
      message: `${given.map(([, flag]) => flag).join(' and ')} without a monitor says nothing`,
      value: given.map(([, flag]) => flag),
      fix: 'add --monitor POLICY, e.g. --monitor step-through, or leave the flag out',
    });
  }
  if (bare) return flags.monitor === undefined ? base : 'none';
  const policy = flags.monitor === undefined ? inFile.policy : parsePart('--monitor', flags.monitor);
  const monitor = { ...inFile, policy } as Monitor;
  for (const [key, flag] of MONITOR_FLAGS) if (flags[key] !== undefined) monitor[key] = parsePart(flag, flags[key]);
  if (flags.rdtsc !== undefined) monitor.rdtsc = parseRdtsc(flags.rdtsc);
  return monitor;
}

function parseRdtsc(text: string): 'native' | 'trap' {
  if (text === 'native' || text === 'trap') return text;
  throw new RingfenceError('RF_BAD_USAGE', {
    message: `--rdtsc "${text}" is neither native nor trap`,
    value: text,
    fix: 'write --rdtsc native or --rdtsc trap',
  });
}

function parseOnReset(text: string): 'end' | 'restart' {
  if (text === 'end' || text === 'restart') return text;
  throw new RingfenceError('RF_BAD_USAGE', {
    message: `--on-reset "${text}" is neither end nor restart`,
    value: text,
    fix: 'write --on-reset end or --on-reset restart',
  });
}

function parseBoot(text: string): BootSource[] {
  const sources = text.split(',').map((each) => each.trim());
  const known = (each: string): each is BootSource => (BOOT_SOURCES as readonly string[]).includes(each);
  if (sources.every(known) && new Set(sources).size === sources.length) return sources;
  throw new RingfenceError('RF_BAD_USAGE', {
    message: `--boot "${text}" is not a list of drives to boot from`,
    value: text,
    fix: `write e.g. --boot cdrom,disk; there are ${BOOT_SOURCES.join(', ')}`,
  });
}

function parseAssist(text: string): Assist {
  const found = ASSISTS.find((assist) => assist === text);
  if (found !== undefined) return found;
  throw new RingfenceError('RF_BAD_USAGE', {
    message: `--assist "${text}" is not one of ${ASSISTS.join(', ')}`,
    value: text,
    fix: `write --assist ${ASSISTS.join(' or --assist ')}`,
  });
}
