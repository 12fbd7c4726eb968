/**
 * The flags that `ringfence trace` and `ringfence diff-trace` have of their own, from text to values; the flags of the
 * run itself are flags.ts's. Pure functions; each throws RF_BAD_USAGE or RF_CONTRADICTION that names the flag.
 */
import { RingfenceError } from '@ringfence/sdk';
import type { CodeAddress } from '@ringfence/trace';

/** As commander hands them over. */
export interface TraceFlags {
  readonly from?: string;
  readonly to?: string;
  readonly around?: string;
  readonly context?: string;
  readonly hits?: string;
  readonly output?: string;
  readonly format?: string;
  readonly symbols?: string;
}

export interface TracePlan {
  readonly from: number;
  readonly to: number;
  readonly around: CodeAddress | undefined;
  readonly context: number;
  readonly hits: number;
  readonly output: string | undefined;
  readonly format: 'text' | 'jsonl';
}

const DEFAULT_CONTEXT = 16;
const MAX_CONTEXT = 1_000_000;

/** `symbol` resolves a name given to --around; undefined for one it does not know. */
export function planTrace(
  flags: TraceFlags,
  symbol: (name: string) => number | undefined = () => undefined,
): TracePlan {
  const from = flags.from === undefined ? 0 : parseWhole('--from', flags.from);
  const to = flags.to === undefined ? Infinity : parseWhole('--to', flags.to);
  checkRange(from, to);
  if (flags.around === undefined && (flags.context ?? flags.hits) !== undefined) {
    const flag = flags.context === undefined ? '--hits' : '--context';
    throw new RingfenceError('RF_CONTRADICTION', {
      message: `${flag} without --around says nothing`,
      value: flag,
      fix: 'add --around ADDRESS, or choose a range with --from and --to',
    });
  }
  return {
    from,
    to,
    around: flags.around === undefined ? undefined : parseAddress(flags.around, symbol),
    context: parseContext(flags.context, DEFAULT_CONTEXT),
    hits: flags.hits === undefined ? 1 : atLeastOne('--hits', parseWhole('--hits', flags.hits)),
    output: flags.output,
    format: parseFormat(flags.format ?? 'text'),
  };
}

export function checkRange(from: number, to: number): void {
  if (from <= to) return;
  throw new RingfenceError('RF_BAD_USAGE', {
    message: `--from ${from} is behind --to ${to}`,
    value: from,
    fix: 'counts go from the first instruction to show (--from) to the last (--to)',
  });
}

export function parseContext(text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise;
  const context = parseWhole('--context', text);
  if (context <= MAX_CONTEXT) return context;
  throw new RingfenceError('RF_BAD_USAGE', {
    message: `--context ${text} is more than ${MAX_CONTEXT}`,
    value: text,
    fix: 'use --from and --to for long stretches',
  });
}

/** A count, 0 included: `1200`, `2e6`, `1_000_000`. */
export function parseWhole(flag: string, text: string): number {
  const plain = text.replaceAll('_', '').trim();
  const value = /^\d+(\.\d+)?(e\d+)?$/i.test(plain) ? Number(plain) : Number.NaN;
  if (Number.isSafeInteger(value)) return value;
  throw new RingfenceError('RF_BAD_USAGE', {
    message: `${flag} "${text}" is not a whole number`,
    value: text,
    fix: `write e.g. ${flag} 1000000 or ${flag} 1e6`,
  });
}

function atLeastOne(flag: string, value: number): number {
  if (value >= 1) return value;
  throw new RingfenceError('RF_BAD_USAGE', { message: `${flag} 0 shows nothing`, value, fix: `write e.g. ${flag} 3` });
}

/** `0x101234` or `101234`, linear; `10:101234`, CS and EIP; or a symbol. Always hexadecimal. */
export function parseAddress(text: string, symbol: (name: string) => number | undefined): CodeAddress {
  const named = symbol(text);
  if (named !== undefined) return { kind: 'linear', linear: named };
  const [, selector, offset] = /^(?:(?:0x)?([0-9a-f]{1,4}):)?(?:0x)?([0-9a-f]{1,8})$/i.exec(text.trim()) ?? [];
  if (offset === undefined) {
    throw new RingfenceError('RF_BAD_USAGE', {
      message: `--around "${text}" is no address`,
      value: text,
      fix: 'write a linear address (--around 0x101234) or CS:EIP (--around 0010:00101234), hexadecimal; names need --symbols',
    });
  }
  const value = Number.parseInt(offset, 16);
  return selector === undefined
    ? { kind: 'linear', linear: value }
    : { kind: 'far', selector: Number.parseInt(selector, 16), offset: value };
}

function parseFormat(text: string): 'text' | 'jsonl' {
  if (text === 'text' || text === 'jsonl') return text;
  throw new RingfenceError('RF_BAD_USAGE', {
    message: `--format "${text}" is neither text nor jsonl`,
    value: text,
    fix: 'write --format text or --format jsonl',
  });
}
