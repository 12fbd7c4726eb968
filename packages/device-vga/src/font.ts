/**
 * The font that a video BIOS leaves in plane 2: the 256 characters of code page 437 in 8 by 16 dots, in the first character
 * map. IBM's is not ours to give; this is Spleen (guests/PROVENANCE.md).
 */
import { SPLEEN_8X16 } from './generated/spleen-8x16.js';
import type { VideoMemory } from './video-memory.js';

const HEIGHT = 16;
/** Of plane 2, for each character. */
const GLYPH_BYTES = 32;

export function loadFont({ bytes, touched }: VideoMemory): void {
  const font = Buffer.from(SPLEEN_8X16, 'base64');
  font.forEach((line, n) => {
    bytes[(Math.floor(n / HEIGHT) * GLYPH_BYTES + (n % HEIGHT)) * 4 + 2] = line;
  });
  touched[0] = 1;
}
