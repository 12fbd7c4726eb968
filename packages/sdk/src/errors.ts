/**
 * Typed errors of the host side. Misuse by the host (a bad flag, a broken kernel file, contradictory options) ends in a
 * `RingfenceError` that names a stable code, the offending value and what to do about it, before anything runs.
 * A guest's own faults are never errors of this kind: they are delivered to the guest.
 */

/** Who is to blame, and so which exit status the command line answers with. */
export type ErrorBlame = 'usage' | 'internal';

/** Every code we raise, with its blame. Third-party plugins may use codes of their own that start with `RF_X_`. */
export const ERROR_CODES = {
  RF_BAD_USAGE: 'usage',
  RF_BAD_CONFIG: 'usage',
  RF_CONFIG_NOT_FOUND: 'usage',
  RF_UNKNOWN_NAME: 'usage',
  RF_CONTRADICTION: 'usage',
  RF_BAD_MEMORY_SIZE: 'usage',
  RF_KERNEL_NOT_FOUND: 'usage',
  RF_KERNEL_UNREADABLE: 'usage',
  RF_KERNEL_TRUNCATED: 'usage',
  RF_KERNEL_NOT_BOOTABLE: 'usage',
  RF_KERNEL_TOO_LARGE: 'usage',
  RF_INITRD_NOT_FOUND: 'usage',
  RF_INITRD_TOO_LARGE: 'usage',
  RF_DISK_NOT_FOUND: 'usage',
  RF_DISK_UNREADABLE: 'usage',
  RF_DISK_FORMAT: 'usage',
  RF_SHARE_UNUSABLE: 'usage',
  RF_FIRMWARE_NOT_FOUND: 'usage',
  RF_FIRMWARE_INVALID: 'usage',
  RF_NETWORK_FILE: 'usage',
  RF_PORT_UNAVAILABLE: 'usage',
  RF_OUTPUT_UNWRITABLE: 'usage',
  RF_NO_SCREEN: 'usage',
  RF_NO_PACKAGE_CLIENT: 'usage',
  RF_FETCH_FAILED: 'usage',
  RF_PACKAGE_MISMATCH: 'usage',
  RF_CACHE_UNWRITABLE: 'usage',
  RF_NOT_REACHED: 'usage',
  RF_BAD_TRACE: 'usage',
  RF_BAD_SYMBOLS: 'usage',
  RF_BAD_STATE: 'usage',
  RF_PLUGIN_NOT_FOUND: 'usage',
  RF_PLUGIN_INVALID: 'usage',
  RF_PLUGIN_SDK_MISMATCH: 'usage',
  RF_PLUGIN_DUPLICATE: 'usage',
  RF_NODE_TOO_OLD: 'usage',
  RF_NOT_BUILT: 'usage',
  RF_RESOURCE_CONFLICT: 'usage',
  RF_MONITOR_FAULT: 'internal',
  RF_MONITOR_POOL_EXHAUSTED: 'internal',
  RF_INTERNAL: 'internal',
} as const satisfies Record<string, ErrorBlame>;

export type ErrorCode = keyof typeof ERROR_CODES | `RF_X_${string}`;

export interface RingfenceErrorInit {
  /** What is wrong, one sentence without a trailing full stop. */
  readonly message: string;
  /** The value that was refused, if there is one. */
  readonly value?: unknown;
  /** What the user can do about it, one sentence. */
  readonly fix?: string;
  readonly cause?: unknown;
}

/** An error of the host side. `code` is stable and may be matched on; `message` is for people. */
export class RingfenceError extends Error {
  override readonly name = 'RingfenceError';
  readonly code: ErrorCode;
  readonly value: unknown;
  readonly fix: string | undefined;

  constructor(code: ErrorCode, init: RingfenceErrorInit) {
    super(init.message, { cause: init.cause });
    this.code = code;
    this.value = init.value;
    this.fix = init.fix;
  }

  get blame(): ErrorBlame {
    return (ERROR_CODES as Record<string, ErrorBlame>)[this.code] ?? 'usage';
  }

  /** One line for a terminal: `RF_UNKNOWN_NAME: no monitor policy is called "stpe" (try "step-through")`. */
  toLine(): string {
    return this.fix === undefined ? `${this.code}: ${this.message}` : `${this.code}: ${this.message}. Fix: ${this.fix}`;
  }
}

/** The error for a name nobody registered: lists what exists and the nearest one. */
export function unknownName(kind: string, given: string, known: readonly string[]): RingfenceError {
  const nearest = nearestName(given, known);
  const hint = nearest === undefined ? '' : `did you mean "${nearest}"? `;
  return new RingfenceError('RF_UNKNOWN_NAME', {
    message: `no ${kind} is called "${given}"`,
    value: given,
    fix: `${hint}known: ${[...known].sort().join(', ')}`,
  });
}

/** The known name with the least edit distance, when it is near enough to be a slip of the keyboard. */
export function nearestName(given: string, known: readonly string[]): string | undefined {
  let best: string | undefined;
  let bestDistance = Math.max(2, Math.floor(given.length / 2)) + 1;
  for (const name of known) {
    const distance = editDistance(given.toLowerCase(), name.toLowerCase());
    if (distance < bestDistance) {
      best = name;
      bestDistance = distance;
    }
  }
  return best;
}

function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = previous[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1);
      row.push(Math.min(previous[j] + 1, row[j - 1] + 1, substitution));
    }
    previous = row;
  }
  return previous[b.length];
}
