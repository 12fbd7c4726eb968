/**
 * `--screenshot FILE`: the guest's screen at the end of the run, as a PNG file. Like a report, the file is whole or not
 * there at all.
 */
import { type PixelFrame, RingfenceError } from '@ringfence/sdk';
import { encode } from 'fast-png';
import { writeWhole } from '../report-file.js';

export function encodePng({ width, height, rgb }: PixelFrame): Uint8Array {
  return encode({ width, height, data: rgb, channels: 3, depth: 8 });
}

/** Throws RF_NO_SCREEN or RF_OUTPUT_UNWRITABLE. */
export function writeScreenshot(path: string, picture: PixelFrame | undefined): void {
  if (picture === undefined) {
    throw new RingfenceError('RF_NO_SCREEN', {
      message: 'there is no picture of the screen: no display, or one that draws none',
      value: path,
      fix: 'leave --screenshot out, or give the machine a display, e.g. devices: { vga: {} }',
    });
  }
  writeWhole(path, encodePng(picture));
}
