/**
 * `--drive file=F[,key=value...]`, `--hda F`, `--cdrom F` and `--fda F` as members of a configuration's `drives`. Text in, plain data
 * out; what a value may be, the configuration's schema says.
 */
import { type MachineConfigInput, RingfenceError } from '@ringfence/sdk';

type DriveInput = NonNullable<MachineConfigInput['drives']>[number];

const KEYS = ['file', 'format', 'interface', 'media', 'unit', 'snapshot'];

export interface DriveFlags {
  readonly drive?: readonly string[];
  readonly hda?: string;
  readonly cdrom?: string;
  readonly fda?: string;
}

export function driveFlags(flags: DriveFlags): DriveInput[] {
  const drives: DriveInput[] = [];
  if (flags.hda !== undefined) drives.push({ file: flags.hda, unit: 0 });
  if (flags.cdrom !== undefined) drives.push({ file: flags.cdrom, media: 'cdrom', unit: 2 });
  if (flags.fda !== undefined) drives.push({ file: flags.fda, interface: 'floppy', unit: 0 });
  return [...drives, ...(flags.drive ?? []).map(parseDrive)];
}

/** Throws RF_BAD_USAGE for what is not a list of known keys with `file` among them. */
function parseDrive(text: string): DriveInput {
  const drive: Record<string, unknown> = {};
  for (const pair of text.split(',')) {
    const at = pair.indexOf('=');
    const key = pair.slice(0, at).trim();
    if (at <= 0 || at === pair.length - 1 || !KEYS.includes(key) || Object.hasOwn(drive, key)) throw badDrive(text);
    const value = pair.slice(at + 1);
    drive[key] = key === 'unit' && /^\d+$/.test(value) ? Number(value) : value;
  }
  if (drive.file === undefined) throw badDrive(text);
  return drive as unknown as DriveInput;
}

function badDrive(text: string): RingfenceError {
  return new RingfenceError('RF_BAD_USAGE', {
    message: `--drive "${text}" is not file=F,key=value`,
    value: text,
    fix: `write e.g. --drive file=disk.img,media=disk,snapshot=off; keys are ${KEYS.join(', ')}`,
  });
}
