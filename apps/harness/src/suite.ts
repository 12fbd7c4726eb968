/**
 * The suite file: which guests there are, what each is expected to do, and over which matrix of monitors they run.
 * One zod schema checks it; paths are relative to the file. Names of policies and strategies are checked by the registry
 * later, kernels when they are loaded.
 */
import { readFileSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { parseMemorySize, RingfenceError } from '@ringfence/sdk';
import { parseDocument } from 'yaml';
import { z } from 'zod';

const part = z.union([z.string().min(1), z.object({ name: z.string().min(1) }).catchall(z.unknown())]);

const regex = z.string().min(1).refine(compiles, { error: 'is not a regular expression' });

const expectSchema = z.strictObject({
  /** Exit status as `ringfence run` answers it. */
  status: z.number().int().min(0).max(255).optional(),
  /** The serial output must match each; `^` and `$` match at lines. */
  serial: z.union([regex, z.array(regex)]).optional(),
});

/** What a guest may say for itself and `defaults` for all of them. */
const guestFields = {
  initrd: z.string().min(1).optional(),
  append: z.string().optional(),
  memory: z.union([z.string(), z.number()]).optional(),
  model: z.string().min(1).optional(),
  loader: part.optional(),
  /** As in a configuration; files are relative to the suite. */
  drives: z.array(z.object({ file: z.string().min(1) }).catchall(z.unknown())).optional(),
  /** As in a configuration; the files to serve are relative to the suite. */
  network: z
    .strictObject({
      serve: z.record(z.string(), z.string()).optional(),
      hosts: z.record(z.string(), z.string()).optional(),
    })
    .optional(),
  /** As in a configuration: options of a device by its name, false leaves it out. */
  devices: z.record(z.string(), z.union([z.literal(false), z.record(z.string(), z.unknown())])).optional(),
  maxInstructions: z.number().int().positive().optional(),
  timeoutSeconds: z.number().positive().optional(),
  expect: expectSchema.optional(),
};

const guestSchema = z.strictObject({
  name: z.string().regex(/^[\w.+-]+$/, { error: 'may hold letters, digits and . _ + - only' }),
  kernel: z.string().min(1),
  summary: z.string().optional(),
  ...guestFields,
});

const axis = z.array(part).min(1).optional();

export const matrixSchema = z.strictObject({
  policy: axis,
  shadow: axis,
  protection: axis,
  sensitive: axis,
  assist: axis,
  core: axis,
});

const suiteSchema = z.strictObject({
  defaults: z.strictObject(guestFields).prefault({}),
  guests: z.array(guestSchema).min(1),
  matrix: matrixSchema.prefault({}),
  plugins: z.array(z.string().min(1)).default([]),
});

export type Matrix = z.infer<typeof matrixSchema>;

/** A guest with the defaults filled in and absolute paths. */
export interface Guest {
  readonly name: string;
  readonly kernel: string;
  readonly initrd: string | undefined;
  readonly append: string;
  readonly memory: string | number;
  readonly model: string | undefined;
  readonly loader: z.infer<typeof part> | undefined;
  readonly drives: readonly { readonly file: string }[];
  readonly network: { readonly serve?: Record<string, string>; readonly hosts?: Record<string, string> } | undefined;
  readonly devices: Readonly<Record<string, false | Record<string, unknown>>>;
  readonly maxInstructions: number;
  readonly timeoutSeconds: number;
  readonly expect: { readonly status: number; readonly serial: readonly string[] };
}

export interface Suite {
  readonly path: string;
  readonly guests: readonly Guest[];
  readonly matrix: Matrix;
  readonly plugins: readonly string[];
}

/** Reads and checks a suite. Throws RF_CONFIG_NOT_FOUND or RF_BAD_CONFIG. */
export function readSuite(path: string): Suite {
  const document = parseDocument(readText(path));
  if (document.errors.length > 0) throw badSuite(path, document.errors[0].message.split('\n')[0]);
  const parsed = suiteSchema.safeParse(document.toJS());
  if (!parsed.success) {
    const issues = parsed.error.issues.map((issue) => `${issue.path.join('.') || '(top)'}: ${issue.message}`);
    throw badSuite(path, issues.join('; '));
  }
  const { defaults, guests, matrix, plugins } = parsed.data;
  const folder = dirname(path);
  const local = (module: string): string => (/^\.{1,2}[\\/]/.test(module) ? resolve(folder, module) : module);
  const names = new Set<string>();
  for (const { name } of guests) {
    if (names.has(name)) throw badSuite(path, `two guests are called "${name}"`);
    names.add(name);
  }
  return {
    path,
    guests: guests.map((guest) => complete(folder, defaults, guest)),
    matrix,
    plugins: plugins.map(local),
  };
}

function absoluteFiles(folder: string, files: Readonly<Record<string, string>> = {}): Record<string, string> {
  return Object.fromEntries(Object.entries(files).map(([path, file]) => [path, resolve(folder, file)]));
}

type GuestInput = z.infer<typeof guestSchema>;

function complete(folder: string, defaults: z.infer<typeof suiteSchema>['defaults'], given: GuestInput): Guest {
  const guest = { ...defaults, ...given };
  const expect = { ...defaults.expect, ...given.expect };
  const memory = guest.memory ?? '16M';
  parseMemorySize(memory);
  const serial = expect.serial ?? [];
  return {
    name: guest.name,
    kernel: resolve(folder, guest.kernel),
    initrd: guest.initrd === undefined ? undefined : resolve(folder, guest.initrd),
    append: guest.append ?? '',
    memory,
    model: guest.model,
    loader: guest.loader,
    network: guest.network && { ...guest.network, serve: absoluteFiles(folder, guest.network.serve) },
    drives: (guest.drives ?? []).map((drive) => ({ ...drive, file: resolve(folder, drive.file) })),
    devices: guest.devices ?? {},
    maxInstructions: guest.maxInstructions ?? 1e9,
    timeoutSeconds: guest.timeoutSeconds ?? 120,
    expect: { status: expect.status ?? 0, serial: typeof serial === 'string' ? [serial] : serial },
  };
}

function readText(path: string): string {
  try {
    if (!statSync(path).isFile()) throw new Error('it is not a regular file');
    return readFileSync(path, 'utf8');
  } catch (cause) {
    const missing = (cause as NodeJS.ErrnoException).code === 'ENOENT';
    throw new RingfenceError('RF_CONFIG_NOT_FOUND', {
      message: missing
        ? `there is no suite file ${path}`
        : `cannot read the suite ${path}: ${(cause as Error).message}`,
      value: path,
      fix: 'name a suite, e.g. guests/suite.yaml',
      cause,
    });
  }
}

function badSuite(path: string, what: string): RingfenceError {
  return new RingfenceError('RF_BAD_CONFIG', {
    message: `the suite ${path} is not valid: ${what}`,
    value: path,
    fix: 'see guests/suite.yaml for an example and apps/harness/src/suite.ts for the fields',
  });
}

function compiles(text: string): boolean {
  try {
    new RegExp(text, 'm');
    return true;
  } catch {
    return false;
  }
}
