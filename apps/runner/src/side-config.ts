/**
 * `--a KEY=VALUE` and `--b KEY=VALUE`: what one of two compared runs has different. Keys are those of a configuration
 * file, with dots; values are YAML. Text in, a function on configurations out; whether the result makes sense, the
 * configuration's schema says.
 */
import { type MachineConfigInput, RingfenceError } from '@ringfence/sdk';
import { parse } from 'yaml';
import { absolutePaths } from './config-file.js';
import { parsePart } from './part-option.js';

type Fields = Record<string, unknown>;

/** Members of a configuration that name a part: `NAME` or `NAME,key=value`. */
const PARTS: ReadonlySet<string> = new Set([
  'loader',
  'monitor.policy',
  'monitor.shadowCache',
  'monitor.sensitive',
  'monitor.protection',
]);

/** Lays `pairs` over a configuration; paths are relative to `cwd`. Throws RF_BAD_USAGE for what is not KEY=VALUE. */
export function sideChange(
  flag: string,
  pairs: readonly string[],
  cwd: string,
): (base: MachineConfigInput) => MachineConfigInput {
  const changes = pairs.map((pair) => parsePair(flag, pair, cwd));
  return (base) => changes.reduce<MachineConfigInput>((config, [path, value]) => set(config, path, value), base);
}

function parsePair(flag: string, pair: string, cwd: string): [path: readonly string[], value: unknown] {
  const at = pair.indexOf('=');
  const key = pair.slice(0, at).trim();
  if (at <= 0 || !/^[a-zA-Z0-9-]+(\.[a-zA-Z0-9-]+)*$/.test(key)) {
    throw new RingfenceError('RF_BAD_USAGE', {
      message: `${flag} "${pair}" is not KEY=VALUE`,
      value: pair,
      fix: `write e.g. ${flag} monitor.policy=step-through or ${flag} append="test=1"; keys are those of a configuration file`,
    });
  }
  const text = pair.slice(at + 1);
  if (key === 'monitor.policy' && text === 'none') return [['monitor'], 'none'];
  if (key === 'monitor' && /^[a-z]/i.test(text)) return monitorPair(flag, text);
  const value =
    PARTS.has(key) && !text.startsWith('{') ? parsePart(`${flag} ${key}`, text) : parseValue(flag, pair, text);
  const [first, ...rest] = key.split('.');
  // A path is a member of its own at the top; below it, nothing names a file.
  const whole = rest.length === 0 ? absolutePaths<Fields>({ [first]: value }, cwd)[first] : value;
  return [[first, ...rest], whole];
}

/** `monitor=step-through` is short for `monitor.policy=step-through`. */
function monitorPair(flag: string, text: string): [path: readonly string[], value: unknown] {
  return text === 'none' ? [['monitor'], 'none'] : [['monitor', 'policy'], parsePart(`${flag} monitor`, text)];
}

function parseValue(flag: string, pair: string, text: string): unknown {
  try {
    return parse(text);
  } catch (cause) {
    throw new RingfenceError('RF_BAD_USAGE', {
      message: `${flag} "${pair}": the value is not YAML: ${(cause as Error).message.split('\n')[0]}`,
      value: pair,
      fix: `quote it, e.g. ${flag} 'append="a: b"'`,
      cause,
    });
  }
}

function set(config: object, [key, ...rest]: readonly string[], value: unknown): Fields {
  const fields = { ...config } as Fields;
  const inner = fields[key];
  fields[key] = rest.length === 0 ? value : set(typeof inner === 'object' && inner !== null ? inner : {}, rest, value);
  return fields;
}
