/**
 * `--share TAG=PATH[,rw][,times=host]` as members of a configuration's `shares`. Text in, plain data out; what a tag may be,
 * the configuration's schema says. A path may hold anything but a comma.
 */
import { type MachineConfigInput, RingfenceError } from '@ringfence/sdk';

type ShareInput = NonNullable<MachineConfigInput['shares']>[number];

/** Throws RF_BAD_USAGE for what is not of that form. */
export function parseShare(text: string): ShareInput {
  const [first, ...words] = text.split(',');
  const at = first.indexOf('=');
  const known = words.every((word, i) => ['rw', 'ro', 'times=host'].includes(word) && words.indexOf(word) === i);
  if (at <= 0 || at === first.length - 1 || !known || (words.includes('rw') && words.includes('ro'))) {
    throw new RingfenceError('RF_BAD_USAGE', {
      message: `--share "${text}" is not TAG=FOLDER`,
      value: text,
      fix: 'write e.g. --share host=./files, or --share host=./files,rw to let the guest change what is in it',
    });
  }
  return {
    tag: first.slice(0, at),
    path: first.slice(at + 1),
    ...(words.includes('rw') ? { writable: true } : {}),
    ...(words.includes('times=host') ? { times: 'host' as const } : {}),
  };
}
