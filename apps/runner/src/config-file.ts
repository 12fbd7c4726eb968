/**
 * Reads a configuration file, YAML or JSON, and makes the paths in it absolute: a path in a file is relative to the
 * file, a path in a flag to the working directory. It checks the file's syntax only; `parseMachineConfig` the content.
 */
import { readFileSync, statSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import { type MachineConfigInput, RingfenceError } from '@ringfence/sdk';
import { parseDocument } from 'yaml';

const MAX_CONFIG_BYTES = 1 << 20;

/** The parsed file with absolute paths. Throws RF_CONFIG_NOT_FOUND or RF_BAD_CONFIG. */
export function readConfigFile(path: string): MachineConfigInput {
  const text = readText(path);
  const document = parseDocument(text, { prettyErrors: true });
  if (document.errors.length > 0) {
    throw badConfig(path, document.errors[0].message.split('\n')[0].replace(/:$/, ''));
  }
  let content: unknown;
  try {
    content = document.toJS() ?? {};
  } catch (cause) {
    throw badConfig(path, (cause as Error).message);
  }
  if (typeof content !== 'object' || content === null || Array.isArray(content)) {
    throw badConfig(path, 'it holds no mapping of fields');
  }
  return absolutePaths(content as MachineConfigInput, dirname(resolve(path)));
}

/**
 * Every path of `config`, a configuration or the flags, resolved against `base`; values of a wrong type are left for the
 * schema to refuse.
 */
export function absolutePaths<T extends object>(config: T, base: string): T {
  const file = (value: unknown): unknown => (typeof value === 'string' && value !== '' ? resolve(base, value) : value);
  const served = (path: string | undefined, name: string): string =>
    `${path ?? `/${basename(name)}=`}${resolve(base, name)}`;
  // A name, not a path.
  const image = (value: unknown): unknown => (value === 'seabios' || value === 'none' ? value : file(value));
  const channel = (value: unknown): unknown =>
    typeof value === 'string' && value.startsWith('file:') && value.length > 5
      ? `file:${resolve(base, value.slice(5))}`
      : value;
  const module = (value: unknown): unknown =>
    typeof value === 'string' && /^\.{1,2}[\\/]/.test(value) ? resolve(base, value) : value;
  const result = { ...config } as Record<string, unknown>;
  for (const key of ['kernel', 'initrd', 'report', 'screenshot', 'hda', 'cdrom', 'fda'])
    if (key in result) result[key] = file(result[key]);
  for (const key of ['bios', 'vgaBios']) if (key in result) result[key] = image(result[key]);
  if (typeof result.firmware === 'object' && result.firmware !== null) {
    const firmware = { ...result.firmware } as Record<string, unknown>;
    for (const key of ['bios', 'vgaBios']) if (key in firmware) firmware[key] = image(firmware[key]);
    result.firmware = firmware;
  }
  if (Array.isArray(result.serve)) {
    result.serve = (result.serve as string[]).map((text) =>
      text.replace(/^(\/[^=]*=)?(.+)$/, (_all, path: string | undefined, name: string) => served(path, name)),
    );
  }
  const { network } = result;
  if (isRecord(network) && isRecord(network.serve)) {
    const entries = Object.entries(network.serve).map(([path, name]) => [path, file(name)]);
    result.network = { ...network, serve: Object.fromEntries(entries) as unknown };
  }
  for (const key of ['serial', 'debugcon', 'virtioConsole']) if (key in result) result[key] = channel(result[key]);
  if (Array.isArray(result.drives)) {
    result.drives = (result.drives as unknown[]).map((drive) =>
      typeof drive === 'object' && drive !== null
        ? { ...drive, file: file((drive as { file?: unknown }).file) }
        : drive,
    );
  }
  if (Array.isArray(result.drive)) {
    result.drive = (result.drive as string[]).map((text) =>
      text.replace(/(^|,)file=([^,]+)/, (_all, before: string, path: string) => `${before}file=${resolve(base, path)}`),
    );
  }
  if (Array.isArray(result.shares)) {
    result.shares = (result.shares as unknown[]).map((share) =>
      typeof share === 'object' && share !== null
        ? { ...share, path: file((share as { path?: unknown }).path) }
        : share,
    );
  }
  if (Array.isArray(result.share)) {
    result.share = (result.share as string[]).map((text) =>
      text.replace(/^([^=,]+=)([^,]+)/, (_all, tag: string, path: string) => `${tag}${resolve(base, path)}`),
    );
  }
  for (const key of ['plugins', 'plugin']) {
    if (Array.isArray(result[key])) result[key] = (result[key] as unknown[]).map(module);
  }
  return result as T;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function readText(path: string): string {
  try {
    const stat = statSync(path);
    if (!stat.isFile()) throw new Error('it is not a regular file');
    if (stat.size > MAX_CONFIG_BYTES) throw new Error(`it is larger than ${MAX_CONFIG_BYTES} bytes`);
    return readFileSync(path, 'utf8');
  } catch (cause) {
    const missing = (cause as NodeJS.ErrnoException).code === 'ENOENT';
    throw new RingfenceError('RF_CONFIG_NOT_FOUND', {
      message: missing
        ? `there is no configuration file ${path}`
        : `cannot read the configuration file ${path}: ${(cause as Error).message}`,
      value: path,
      fix: 'name a readable YAML or JSON file, or describe the machine with flags (ringfence run --help)',
      cause,
    });
  }
}

function badConfig(path: string, what: string): RingfenceError {
  return new RingfenceError('RF_BAD_CONFIG', {
    message: `${path} is not valid YAML or JSON of a machine: ${what}`,
    value: path,
    fix: 'see docs/config.schema.json for what a configuration may be',
  });
}
