/**
 * The matrix: axes of part names, spread out to variants. Every guest also runs bare, once per core: the first bare run
 * is the yardstick that every other run must equal. Pure.
 */
import { type NamedPart, RingfenceError, nearestName, splitNamed } from '@ringfence/sdk';
import type { Matrix } from './suite.js';

/** One way to run a guest. `monitor` is undefined for a bare run. */
export interface Variant {
  /** Short and unique within a matrix, e.g. `step-through/rebuild/wp-toggle`; `bare` for the yardstick. */
  readonly label: string;
  readonly core: NamedPart;
  readonly monitor?: {
    readonly policy: NamedPart;
    readonly shadow: NamedPart;
    readonly protection: NamedPart;
    readonly sensitive: NamedPart;
    /** Undefined: the one the strategy prefers. */
    readonly assist?: string;
  };
}

const AXES = ['policy', 'shadow', 'protection', 'sensitive', 'assist', 'core'] as const;
type Axis = (typeof AXES)[number];

/** No value of `assist`: the one the strategy prefers. */
const DEFAULTS: Record<Axis, readonly NamedPart[]> = {
  policy: ['step-through', 'data-swap', 'full-emulation'],
  shadow: ['rebuild', 'tracked-lru'],
  protection: ['wp-toggle', 'pdbr-reload'],
  sensitive: ['assist'],
  assist: [],
  core: ['interpreter'],
};

/** Parses `policy=a+b,shadow=rebuild+tracked-lru:capacity=4`; axes that are not named stay as they are. */
export function parseMatrix(text: string): Matrix {
  const matrix: Partial<Record<Axis, NamedPart[]>> = {};
  for (const piece of text.split(',')) {
    const at = piece.indexOf('=');
    const axis = piece.slice(0, Math.max(0, at)).trim();
    const values = piece
      .slice(at + 1)
      .split('+')
      .map((value) => value.trim());
    if (!AXES.includes(axis as Axis) || values.includes('') || Object.hasOwn(matrix, axis)) {
      const nearest = nearestName(axis, AXES);
      throw new RingfenceError('RF_BAD_USAGE', {
        message: `--matrix: "${piece}" is not AXIS=NAME+NAME`,
        value: text,
        fix: `${nearest === undefined || nearest === axis ? '' : `did you mean ${nearest}? `}axes are ${AXES.join(', ')}, each once; e.g. --matrix policy=step-through+data-swap,shadow=rebuild`,
      });
    }
    matrix[axis as Axis] = values.map(parseValue);
  }
  return matrix;
}

/** `tracked-lru:capacity=4:x=y` */
function parseValue(text: string): NamedPart {
  const [name, ...pairs] = text.split(':');
  if (pairs.length === 0) return name;
  const options = pairs.map((pair) => {
    const [key, value = 'true'] = pair.split('=');
    return [
      key,
      value === 'true' ? true : value === 'false' ? false : Number.isNaN(Number(value)) ? value : Number(value),
    ];
  });
  return { name, ...Object.fromEntries(options) } as NamedPart;
}

/** Every variant: the bare runs first, then the product of the axes. Policy `none` adds nothing to the bare runs. */
export function spread(...layers: Matrix[]): Variant[] {
  const pick = (axis: Axis): readonly NamedPart[] => layers.findLast((layer) => layer[axis])?.[axis] ?? DEFAULTS[axis];
  const cores = pick('core');
  const assists = pick('assist').length === 0 ? [undefined] : pick('assist').map(partLabel);
  const several = (axis: Axis): boolean => pick(axis).length > 1;
  const variants: Variant[] = cores.map((core, index) => ({
    label: index === 0 ? 'bare' : `bare/${partLabel(core)}`,
    core,
  }));
  for (const policy of pick('policy')) {
    if (partLabel(policy) === 'none') continue;
    for (const shadow of pick('shadow'))
      for (const protection of pick('protection'))
        for (const sensitive of pick('sensitive'))
          for (const assist of assists)
            for (const core of cores) {
              const parts = [policy, shadow, protection];
              if (several('sensitive')) parts.push(sensitive);
              if (assist !== undefined && several('assist')) parts.push(assist);
              if (several('core')) parts.push(core);
              const label = parts.map(partLabel).join('/');
              variants.push({ label, core, monitor: { policy, shadow, protection, sensitive, assist } });
            }
  }
  return [...new Map(variants.map((variant) => [variant.label, variant])).values()];
}

/** `tracked-lru,capacity=4`: what a flag of `ringfence run` takes. */
export function partLabel(part: NamedPart): string {
  const { name, options } = splitNamed(part);
  return [name, ...Object.entries(options).map(([key, value]) => `${key}=${String(value)}`)].join(',');
}
