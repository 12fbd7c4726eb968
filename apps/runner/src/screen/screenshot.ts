/**
 * `--screenshot FILE`: the guest's screen at the end of the run, as a PNG file. Like a report, the file is whole or not
 * there at all.
 */
import { RingfenceError, type ScreenFrame } from '@ringfence/sdk';
import { encode } from 'fast-png';
import { writeWhole } from '../report-file.js';
import { rasterize } from './raster.js';

export function encodePng(frame: ScreenFrame): Uint8Array {
  const { width, height, rgb } = rasterize(frame);
  return encode({ width, height, data: rgb, channels: 3, depth: 8 });
}

/** Throws RF_NO_SCREEN or RF_OUTPUT_UNWRITABLE. */
export function writeScreenshot(path: string, frame: ScreenFrame | undefined): void {
  if (frame === undefined) {
    throw new RingfenceError('RF_NO_SCREEN', {
      message: 'there is no picture of the screen: no display, or a mode that it does not show',
      value: path,
      fix: 'leave --screenshot out, or give the machine a display that shows this mode',
    });
  }
  writeWhole(path, encodePng(frame));
}
