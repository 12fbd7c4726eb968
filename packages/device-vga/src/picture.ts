/**
 * What the monitor shows: every dot of every displayed scan line, so 640 by 400 for the 320 by 200 pixels of mode 13h, each
 * of which a VGA draws on two lines of two dots; without the border. Modes of the DISPI interface have their own size.
 * A blanked screen is black.
 */
import type { PixelFrame } from '@ringfence/sdk';
import type { AttributeController } from './attribute-controller.js';
import type { Crtc } from './crtc.js';
import type { Dac } from './dac.js';
import type { Dispi } from './dispi.js';
import { dispiPixels, planarLines } from './graphics-picture.js';
import type { RegisterFile } from './register-file.js';
import * as R from './registers.js';
import { textLines } from './text-picture.js';
import type { VideoMemory } from './video-memory.js';

/** The chip's units, as the renderers read them. */
export interface DisplayUnits {
  readonly sequencer: RegisterFile;
  readonly graphics: RegisterFile;
  readonly crtc: Crtc;
  readonly attributes: AttributeController;
  readonly dac: Dac;
  readonly dispi: Dispi;
  readonly memory: VideoMemory;
  readonly dotsPerCharacter: number;
  /** The panning register, which the lower half of a split screen may be exempt from. */
  panning(below: boolean): number;
}

/** Takes a line's pixels as numbers of the DAC, from the one at `pan` on; the array is used again for the next line. */
export type LineSink = (y: number, line: Uint8Array, pan: number) => void;

/** Pictures between changes of what blinks: the cursor, characters. */
const CURSOR_BLINK = 8;
const TEXT_BLINK = 16;

export function isText({ graphics, dispi }: DisplayUnits): boolean {
  return !dispi.enabled && (graphics.values[R.GRAPHICS_MISCELLANEOUS] & R.GRAPHICS_MODE_BIT) === 0;
}

/** `frames` counts pictures since power-on. */
export function drawPicture(units: DisplayUnits, frames: number, blank: boolean): PixelFrame {
  const { dispi, dac, crtc, attributes, sequencer } = units;
  if (dispi.enabled) {
    const rgb = new Uint8Array(dispi.width * dispi.height * 3);
    if (!blank) dispiPixels(units, rgb);
    return { kind: 'pixels', width: dispi.width, height: dispi.height, rgb };
  }
  const text = isText(units);
  const halfClock = (sequencer.values[R.SEQUENCER_CLOCKING] & R.CLOCKING_HALF_DOT_CLOCK) !== 0;
  const widePels = !text && (attributes.mode & R.ATTRIBUTE_WIDE_PEL) !== 0;
  const repeat = (halfClock ? 2 : 1) * (widePels ? 2 : 1);
  const perLine = crtc.columns * (text ? units.dotsPerCharacter : widePels ? 4 : 8);
  const width = perLine * repeat;
  const height = crtc.lines;
  const rgb = new Uint8Array(width * height * 3);
  if (blank) return { kind: 'pixels', width, height, rgb };
  const colors = Int32Array.from({ length: 256 }, (_, n) => dac.rgb(n));
  const sink: LineSink = (y, line, pan) => {
    let at = y * width * 3;
    for (let x = 0; x < perLine; x++) {
      const color = colors[line[x + pan]];
      for (let n = 0; n < repeat; n++, at += 3) {
        rgb[at] = color >>> 16;
        rgb[at + 1] = color >>> 8;
        rgb[at + 2] = color;
      }
    }
  };
  if (text) textLines(units, { cursor: isLit(frames, CURSOR_BLINK), text: isLit(frames, TEXT_BLINK) }, sink);
  else planarLines(units, sink);
  return { kind: 'pixels', width, height, rgb };
}

function isLit(frames: number, period: number): boolean {
  return Math.floor(frames / period) % 2 === 0;
}
