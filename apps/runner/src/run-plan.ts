/**
 * From flags and a configuration file to a run that is known to be possible: the whole configuration validated, every
 * name known, the input files read. Nothing is written and nothing is started here, so a mistake leaves nothing behind.
 */
import { dirname, resolve } from 'node:path';
import { realpathSync } from 'node:fs';
import {
  type MachineConfig,
  type MachineConfigInput,
  parseMachineConfig,
  parseMemorySize,
  type PartKind,
  type PartRegistry,
  RingfenceError,
  splitNamed,
} from '@ringfence/sdk';
import { createRegistry } from '@ringfence/preset-pc';
import { absolutePaths, readConfigFile } from './config-file.js';
import { type ConsoleTarget, parseConsoleTarget } from './console.js';
import { applyFlags, type RunFlags } from './flags.js';
import { type InputFile, readInitrd, readKernel } from './input-files.js';
import { parseRegex } from './part-option.js';
import { loadPlugins } from './plugin-loader.js';

export interface RunPlan {
  readonly config: MachineConfig;
  readonly registry: PartRegistry;
  readonly kernel: InputFile;
  readonly initrd: InputFile | undefined;
  readonly serial: ConsoleTarget;
  readonly debugcon: ConsoleTarget;
  /** Standard input goes to the guest: a terminal, or `serial: stdio` was asked for by name. */
  readonly stdinWanted: boolean;
  /** The guest's screen has the terminal. */
  readonly screen: boolean;
  readonly screenshot: string | undefined;
}

export interface RunRequest {
  readonly configFile: string | undefined;
  readonly flags: RunFlags;
  readonly cwd: string;
  /** What file and flags are laid over, e.g. the configuration of a fetched guest. */
  readonly defaults?: MachineConfigInput;
  /** A last change to the configuration, after file and flags. */
  readonly adjust?: (input: MachineConfigInput) => MachineConfigInput;
}

/** Throws a RingfenceError of blame `usage` for everything that is wrong with the request. */
export async function planRun(request: RunRequest): Promise<RunPlan> {
  const { flags, cwd } = request;
  const file = request.configFile === undefined ? undefined : resolve(cwd, request.configFile);
  const inFile = file === undefined ? {} : readConfigFile(file);
  if (request.defaults?.kernel !== undefined && inFile.kernel !== undefined) {
    throw new RingfenceError('RF_CONTRADICTION', {
      message: `--guest brings a kernel of its own, and the configuration file names ${inFile.kernel}`,
      value: inFile.kernel,
      fix: 'leave --guest out, or `kernel` in the file',
    });
  }
  const base = { ...request.defaults, ...inFile };
  const flagged = applyFlags(base, absolutePaths(flags, cwd));
  const input = request.adjust?.(flagged) ?? flagged;
  const config = parseMachineConfig(input);
  const ramBytes = parseMemorySize(config.memory);
  const screen = flags.screen === true;
  const { screenshot } = absolutePaths(flags, cwd);
  const serial = screen && input.serial === undefined ? NO_CONSOLE : parseConsoleTarget('serial', config.serial);
  const debugcon = parseConsoleTarget('debugcon', config.debugcon);
  if (config.limits.untilSerial !== undefined) parseRegex('--until-serial', config.limits.untilSerial);
  if (config.kernel === undefined) {
    throw new RingfenceError('RF_BAD_USAGE', {
      message: 'no kernel was given',
      fix: 'pass --kernel FILE or --guest NAME, or name one in the configuration file (kernel: FILE)',
    });
  }
  if (screen) checkScreenAlone(serial, debugcon);
  checkFilesDiffer(config, serial, debugcon, screenshot);
  const folders = file === undefined ? [cwd] : [dirname(file), cwd];
  const registry = createRegistry(await loadPlugins(config.plugins, folders));
  checkNames(config, registry);
  const kernel = readKernel(config.kernel, ramBytes);
  const initrd = config.initrd === undefined ? undefined : readInitrd(config.initrd, ramBytes);
  const stdinWanted = input.serial === 'stdio';
  return { config, registry, kernel, initrd, serial, debugcon, stdinWanted, screen, screenshot };
}

/** Throws RF_UNKNOWN_NAME for the first name that no plugin registered. */
function checkNames(config: MachineConfig, registry: PartRegistry): void {
  const named: [PartKind, string][] = [
    ['core', config.cpu.core],
    ['model', config.cpu.model],
  ];
  if (config.loader !== undefined) named.push(['loader', splitNamed(config.loader).name]);
  if (config.monitor !== 'none') {
    named.push(['policy', splitNamed(config.monitor.policy).name]);
    named.push(['shadow-cache', splitNamed(config.monitor.shadowCache).name]);
    named.push(['sensitive', splitNamed(config.monitor.sensitive).name]);
    named.push(['protection', splitNamed(config.monitor.protection).name]);
  }
  for (const device of Object.keys(config.devices)) named.push(['device', device]);
  for (const [kind, name] of named) registry.get(kind, name);
}

const NO_CONSOLE: ConsoleTarget = { kind: 'none' };

/** Two things cannot both draw on a terminal. */
function checkScreenAlone(serial: ConsoleTarget, debugcon: ConsoleTarget): void {
  const other = serial.kind === 'stdio' ? 'serial' : debugcon.kind === 'stdio' ? 'debugcon' : undefined;
  if (other === undefined) return;
  throw new RingfenceError('RF_CONTRADICTION', {
    message: `--screen has the terminal, and ${other} wants it too`,
    value: 'stdio',
    fix: `write --${other} file:${other}.log, or leave --screen out`,
  });
}

/** An output may not overwrite an input or another output. */
function checkFilesDiffer(
  config: MachineConfig,
  serial: ConsoleTarget,
  debugcon: ConsoleTarget,
  screenshot: string | undefined,
): void {
  const uses = new Map<string, string>();
  const add = (what: string, path: string | undefined): void => {
    if (path === undefined) return;
    const real = realPath(path);
    const other = uses.get(real);
    const bothRead = what === 'initrd' || what === 'drive';
    if (other !== undefined && !bothRead && !real.startsWith('/dev/')) {
      throw new RingfenceError('RF_CONTRADICTION', {
        message: `the ${what} would overwrite the ${other}: both are ${path}`,
        value: path,
        fix: `give the ${what} a file of its own`,
      });
    }
    uses.set(real, other ?? what);
  };
  add('kernel', config.kernel);
  add('initrd', config.initrd);
  for (const { file, snapshot, media } of config.drives) {
    add(snapshot === 'off' && media === 'disk' ? 'writable drive' : 'drive', file);
  }
  add('serial output', serial.kind === 'file' ? serial.path : undefined);
  add('debug console output', debugcon.kind === 'file' ? debugcon.path : undefined);
  add('report', config.report);
  add('screenshot', screenshot);
}

function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}
