/**
 * From flags and a configuration file to a run that is known to be possible: the whole configuration validated, every
 * name known, the input files read. Nothing is written and nothing is started here, so a mistake leaves nothing behind.
 */
import { dirname, resolve } from 'node:path';
import { realpathSync } from 'node:fs';
import type { FirmwareImages } from '@ringfence/machine';
import {
  type FirmwareConfig,
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
import { Interrupted } from './failure.js';
import { type InputFile, readFirmware, readInitrd, readKernel } from './input-files.js';
import { parseRegex } from './part-option.js';
import { loadPlugins } from './plugin-loader.js';

export interface RunPlan {
  readonly config: MachineConfig;
  readonly registry: PartRegistry;
  /** Absent when firmware boots from a drive. */
  readonly kernel: InputFile | undefined;
  readonly firmware: FirmwareImages | undefined;
  readonly initrd: InputFile | undefined;
  readonly serial: ConsoleTarget;
  readonly debugcon: ConsoleTarget;
  readonly virtioConsole: ConsoleTarget;
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
  /** Where SeaBIOS is; fetches it when it has to. Undefined: the user has interrupted that. */
  readonly seabios?: () => Promise<{ readonly bios: string; readonly vgaBios: string } | undefined>;
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
  const virtioConsole = parseConsoleTarget('virtio-console', config.virtioConsole);
  const consoles = { serial, debugcon, virtioConsole };
  if (config.limits.untilSerial !== undefined) parseRegex('--until-serial', config.limits.untilSerial);
  if (config.kernel === undefined && (config.firmware === undefined || config.initrd !== undefined)) {
    throw new RingfenceError('RF_BAD_USAGE', {
      message: 'no kernel was given',
      fix: 'pass --kernel FILE or --guest NAME, or name one in the configuration file (kernel: FILE); or boot a drive with --bios seabios',
    });
  }
  if (screen) checkScreenAlone(consoles);
  checkFilesDiffer(config, consoles, screenshot);
  const folders = file === undefined ? [cwd] : [dirname(file), cwd];
  const registry = createRegistry(await loadPlugins(config.plugins, folders));
  checkNames(config, registry);
  const kernel = config.kernel === undefined ? undefined : readKernel(config.kernel, ramBytes);
  const initrd = config.initrd === undefined ? undefined : readInitrd(config.initrd, ramBytes);
  const firmware = await readFirmwareImages(config.firmware, request.seabios);
  const stdinWanted = input.serial === 'stdio' || input.virtioConsole === 'stdio';
  return { config, registry, kernel, initrd, firmware, ...consoles, stdinWanted, screen, screenshot };
}

async function readFirmwareImages(
  firmware: FirmwareConfig | undefined,
  seabios: RunRequest['seabios'],
): Promise<FirmwareImages | undefined> {
  if (firmware === undefined) return undefined;
  const { bios, vgaBios = bios === SEABIOS_NAME ? SEABIOS_NAME : 'none' } = firmware;
  let fetched: { readonly bios: string; readonly vgaBios: string } | undefined;
  if (bios === SEABIOS_NAME || vgaBios === SEABIOS_NAME) {
    fetched = await seabios?.();
    if (fetched === undefined) throw new Interrupted();
  }
  const video = vgaBios === SEABIOS_NAME ? fetched!.vgaBios : vgaBios;
  return {
    bios: readFirmware(bios === SEABIOS_NAME ? fetched!.bios : bios),
    ...(video === 'none' ? {} : { vgaBios: readFirmware(video) }),
  };
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
  if (config.network !== undefined && config.network.card !== 'none') named.push(['device', config.network.card]);
  for (const device of Object.keys(config.devices)) named.push(['device', device]);
  for (const [kind, name] of named) registry.get(kind, name);
}

const SEABIOS_NAME = 'seabios';
const NO_CONSOLE: ConsoleTarget = { kind: 'none' };

type Consoles = Pick<RunPlan, 'serial' | 'debugcon' | 'virtioConsole'>;

/** Two things cannot both draw on a terminal. */
function checkScreenAlone({ serial, debugcon, virtioConsole }: Consoles): void {
  const all = { serial, debugcon, 'virtio-console': virtioConsole };
  const other = Object.entries(all).find(([, target]) => target.kind === 'stdio')?.[0];
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
  { serial, debugcon, virtioConsole }: Consoles,
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
  add('firmware', config.firmware?.bios === SEABIOS_NAME ? undefined : config.firmware?.bios);
  for (const { file, snapshot, media } of config.drives) {
    add(snapshot === 'off' && media === 'disk' ? 'writable drive' : 'drive', file);
  }
  add('serial output', serial.kind === 'file' ? serial.path : undefined);
  add('virtio console output', virtioConsole.kind === 'file' ? virtioConsole.path : undefined);
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
