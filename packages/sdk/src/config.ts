/**
 * The machine's configuration: what a YAML or JSON file may say, as one zod schema from which the published JSON Schema
 * is generated. Names are resolved against the part registry later; here only shapes are checked.
 */
import { z } from 'zod';
import { RingfenceError } from './errors.js';
import { BOOT_SOURCES } from './firmware.js';
import { MAX_RAM_BYTES } from './memory.js';
import { networkConfigSchema } from './network-config.js';

const SIZE_UNITS: Readonly<Record<string, number>> = { '': 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3 };

/** Parses `16M`, `64K`, `1G` or a number of bytes. Throws RF_BAD_MEMORY_SIZE. */
export function parseMemorySize(text: string | number): number {
  const match = /^\s*(\d+(?:\.\d+)?)\s*([kmg]?)(?:i?b)?\s*$/i.exec(String(text));
  const bytes = match === null ? Number.NaN : Number(match[1]) * SIZE_UNITS[match[2].toLowerCase()];
  if (!Number.isInteger(bytes) || bytes < 1024 * 1024 || bytes > MAX_RAM_BYTES || bytes % 4096 !== 0) {
    throw new RingfenceError('RF_BAD_MEMORY_SIZE', {
      message: `"${text}" is not a memory size we can give a guest`,
      value: text,
      fix: 'choose between 1M and 3G, in steps of 4K, e.g. 64M',
    });
  }
  return bytes;
}

/** `name` or `{ name, ...options }`. */
const named = z.union([z.string().min(1), z.object({ name: z.string().min(1) }).catchall(z.unknown())]);
export type NamedPart = z.infer<typeof named>;

export const monitorConfigSchema = z
  .strictObject({
    policy: named.describe("Monitor policy: step-through, data-swap, full-emulation, or a plugin's."),
    shadowCache: named
      .default('tracked-lru')
      .describe('Shadow-cache strategy, e.g. { name: tracked-lru, capacity: 64 }.'),
    sensitive: named.default('assist').describe('How sensitive instructions are caught.'),
    protection: named.default('wp-toggle').describe('How the monitor opens its own pages.'),
    rdtsc: z
      .enum(['native', 'trap'])
      .optional()
      .describe(
        'native: RDTSC runs directly (the default); trap: each one exits, and is counted. The guest sees the same time.',
      ),
  })
  .describe('The monitor; absent or "none" for a bare run.');

const driveConfigSchema = z.strictObject({
  file: z.string().min(1).describe('Image file; relative to the configuration file.'),
  format: z.enum(['raw', 'qcow2']).optional().describe('Default: found by the file itself.'),
  interface: z
    .enum(['ide', 'virtio', 'floppy'])
    .default('ide')
    .describe('ide; virtio: one PCI device a drive; floppy: a diskette image of up to 2880 KB.'),
  media: z.enum(['disk', 'cdrom']).default('disk'),
  unit: z
    .number()
    .int()
    .min(0)
    .max(3)
    .optional()
    .describe('0 and 1 are on the first cable. Default: the next free one.'),
  snapshot: z
    .enum(['on', 'off'])
    .default('on')
    .describe('on: writes stay in memory, the image is never written; off: writes go to the image, which must be raw.'),
});
export type DriveConfig = z.infer<typeof driveConfigSchema>;

const shareConfigSchema = z.strictObject({
  tag: z
    .string()
    .regex(/^[\x21-\x7e]{1,31}$/)
    .describe('What the guest mounts it by: mount -t 9p -o trans=virtio TAG /mnt.'),
  path: z.string().min(1).describe('A folder of the host; relative to the configuration file.'),
  writable: z.boolean().default(false).describe('The guest may change what is in it, for good.'),
  times: z
    .enum(['fixed', 'host'])
    .default('fixed')
    .describe("fixed: everything was modified at the clock's epoch, in every run; host: when the host says."),
});
export type ShareConfig = z.infer<typeof shareConfigSchema>;

const firmwareConfigSchema = z.strictObject({
  bios: z
    .string()
    .min(1)
    .default('seabios')
    .describe(
      "seabios: Debian's, fetched when it is not here; or a ROM image file, relative to the configuration file.",
    ),
  vgaBios: z
    .string()
    .min(1)
    .optional()
    .describe('seabios, none, or a ROM image file. Default: seabios when `bios` says so, else none.'),
  boot: z
    .array(z.enum(BOOT_SOURCES))
    .min(1)
    .default(['disk', 'cdrom', 'floppy'])
    .describe('Kinds of drives, in the order in which they are tried. A kernel comes before them all.'),
  menuSeconds: z.number().min(0).max(60).default(0).describe("How long the firmware's boot menu waits for its key."),
  serialConsole: z
    .boolean()
    .default(false)
    .describe('The firmware, and what it boots by its text output, also use the first serial line.'),
});
export type FirmwareConfig = z.infer<typeof firmwareConfigSchema>;

export const machineConfigSchema = z
  .strictObject({
    kernel: z.string().min(1).optional().describe('Kernel file; relative to the configuration file.'),
    initrd: z.string().min(1).optional(),
    append: z.string().default('').describe('Kernel command line.'),
    loader: named.optional().describe('Loader; by default the one that recognises the file.'),
    firmware: firmwareConfigSchema
      .optional()
      .describe('A BIOS that starts the guest: from a drive, or the kernel by its real-mode entry.'),
    memory: z.union([z.string(), z.number()]).default('64M').describe('Guest RAM, e.g. 64M.'),
    cpu: z
      .strictObject({
        core: z.string().min(1).default('interpreter'),
        model: z.string().min(1).default('p6'),
        assist: z.enum(['none', 'trap', 'vif']).optional().describe('Default: trap under a monitor, none bare.'),
      })
      .prefault({}),
    monitor: z.union([z.literal('none'), monitorConfigSchema]).default('none'),
    clock: z
      .strictObject({
        hz: z
          .number()
          .int()
          .min(1_000_000)
          .max(10_000_000_000)
          .default(100_000_000)
          .describe('Ticks (instructions) per virtual second.'),
        epoch: z.iso.datetime().default('2000-01-01T00:00:00Z').describe('What the real-time clock says at power-on.'),
      })
      .prefault({}),
    drives: z.array(driveConfigSchema).default([]).describe('Disks and CD-ROM drives.'),
    onReset: z
      .enum(['end', 'restart'])
      .default('end')
      .describe('What a reset by the guest or its triple fault does: end the run, or start the machine again.'),
    network: networkConfigSchema.optional(),
    shares: z.array(shareConfigSchema).max(8).default([]).describe('Folders of the host, by 9P over virtio.'),
    serial: z.string().default('stdio').describe('stdio, file:PATH or none.'),
    debugcon: z.string().default('none').describe('stdio, file:PATH or none.'),
    virtioConsole: z.string().default('none').describe('stdio, file:PATH or none: no such device.'),
    devices: z
      .record(z.string(), z.union([z.literal(false), z.record(z.string(), z.unknown())]))
      .default({})
      .describe('Options of a device by its name; false leaves it out.'),
    plugins: z.array(z.string().min(1)).default([]).describe('Modules that export a plugin.'),
    limits: z
      .strictObject({
        maxInstructions: z.number().int().positive().optional(),
        timeoutSeconds: z.number().positive().optional(),
        untilSerial: z
          .string()
          .optional()
          .describe('Regular expression; the run ends well when the serial output matches.'),
      })
      .prefault({}),
    report: z.string().optional().describe('File for the JSON report.'),
  })
  .describe('A Ringfence machine.');

export type MachineConfig = z.infer<typeof machineConfigSchema>;
export type MachineConfigInput = z.input<typeof machineConfigSchema>;
export type MonitorConfig = z.infer<typeof monitorConfigSchema>;

/** Validates a configuration; throws RF_BAD_CONFIG naming each wrong field. */
export function parseMachineConfig(input: unknown): MachineConfig {
  const result = machineConfigSchema.safeParse(input);
  if (result.success) return result.data;
  throw new RingfenceError('RF_BAD_CONFIG', {
    message: `the configuration is not valid: ${result.error.issues.map((i) => `${i.path.join('.') || '(top)'}: ${i.message}`).join('; ')}`,
    value: input,
    fix: 'see docs/config.schema.json for what each field may be',
  });
}

/** The published JSON Schema of the configuration. */
export function machineConfigJsonSchema(): Record<string, unknown> {
  return z.toJSONSchema(machineConfigSchema, { io: 'input' });
}

/** Splits a named part into its name and options. */
export function splitNamed(part: NamedPart): { name: string; options: Record<string, unknown> } {
  if (typeof part === 'string') return { name: part, options: {} };
  const { name, ...options } = part;
  return { name, options };
}
