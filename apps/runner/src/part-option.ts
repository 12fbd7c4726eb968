/**
 * Parsers of flag values, pure functions: `NAME[,key=value...]` for a part with options, whole numbers, seconds, and
 * regular expressions. Each throws RF_BAD_USAGE that names the flag. They do not know which names exist.
 */
import { type NamedPart, RingfenceError } from '@ringfence/sdk';

/** `tracked-lru,capacity=64` becomes `{ name: 'tracked-lru', capacity: 64 }`; a bare name stays a string. */
export function parsePart(flag: string, text: string): NamedPart {
  const [name, ...pairs] = text.split(',').map((piece) => piece.trim());
  if (name === '' || name.includes('=')) throw badPart(flag, text);
  if (pairs.length === 0) return name;
  const options: Record<string, unknown> = {};
  for (const pair of pairs) {
    const at = pair.indexOf('=');
    const key = pair.slice(0, at);
    if (at <= 0 || key === 'name' || Object.hasOwn(options, key)) throw badPart(flag, text);
    options[key] = parseScalar(pair.slice(at + 1));
  }
  return { name, ...options };
}

function badPart(flag: string, text: string): RingfenceError {
  return new RingfenceError('RF_BAD_USAGE', {
    message: `${flag} "${text}" is not NAME or NAME,key=value`,
    value: text,
    fix: `write e.g. ${flag} tracked-lru,capacity=64`,
  });
}

/** Numbers (decimal or 0x) and booleans become values, everything else stays text. */
function parseScalar(text: string): unknown {
  if (/^(0x[0-9a-f]+|-?\d+(\.\d+)?)$/i.test(text)) return Number(text);
  if (text === 'true' || text === 'false') return text === 'true';
  return text;
}

/** A count of instructions: `2000000000`, `2e9`, `2_000_000`. */
export function parseCount(flag: string, text: string): number {
  const plain = text.replaceAll('_', '').trim();
  const value = /^\d+(\.\d+)?(e\d+)?$/i.test(plain) ? Number(plain) : Number.NaN;
  if (!Number.isSafeInteger(value) || value < 1) {
    throw new RingfenceError('RF_BAD_USAGE', {
      message: `${flag} "${text}" is not a whole number above 0`,
      value: text,
      fix: `write e.g. ${flag} 2000000000 or ${flag} 2e9`,
    });
  }
  return value;
}

export function parseSeconds(flag: string, text: string): number {
  const value = /^\d+(\.\d+)?$/.test(text.trim()) ? Number(text) : Number.NaN;
  if (!(value > 0) || value > 1e9) {
    throw new RingfenceError('RF_BAD_USAGE', {
      message: `${flag} "${text}" is not a number of seconds above 0`,
      value: text,
      fix: `write e.g. ${flag} 60`,
    });
  }
  return value;
}

/** Compiles a regular expression (multi-line: `^` and `$` match at lines) or says what is wrong with it. */
export function parseRegex(flag: string, text: string): RegExp {
  try {
    if (text === '') throw new Error('it is empty and would match at once');
    return new RegExp(text, 'm');
  } catch (cause) {
    throw new RingfenceError('RF_BAD_USAGE', {
      message: `${flag} "${text}" is not a regular expression: ${(cause as Error).message}`,
      value: text,
      fix: 'escape special characters with a backslash, e.g. "Errors: 0" or "login\\\\?"',
      cause,
    });
  }
}
