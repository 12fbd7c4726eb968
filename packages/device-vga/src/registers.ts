/**
 * Register files of the VGA (IBM PS/2 Hardware Interface Technical Reference, "Video Subsystem") by their indices, and
 * the values that a BIOS sets for mode 3: 80 columns by 25 rows, 16 colours, 9 by 16 dots.
 */

export const CRTC_HORIZONTAL_DISPLAY_END = 0x01;
export const CRTC_OVERFLOW = 0x07;
export const CRTC_MAXIMUM_SCAN_LINE = 0x09;
export const CRTC_CURSOR_START = 0x0a;
/** Bit 5 of CRTC 0Ah: no cursor. */
export const CRTC_CURSOR_OFF = 0x20;
export const CRTC_CURSOR_HIGH = 0x0e;
export const CRTC_CURSOR_LOW = 0x0f;
export const CRTC_START_HIGH = 0x0c;
export const CRTC_START_LOW = 0x0d;
export const CRTC_VERTICAL_RETRACE_END = 0x11;
export const CRTC_VERTICAL_DISPLAY_END = 0x12;
export const CRTC_OFFSET = 0x13;
/** Bit 7 of CRTC 11h: registers 0-7 are read-only. */
export const CRTC_PROTECT = 0x80;
/** What stays writable of CRTC 7 when protected: bit 8 of the line compare. */
export const CRTC_OVERFLOW_LINE_COMPARE = 0x10;

/** Bit 3 of attribute 10h: bit 7 of a character's attribute blinks instead of choosing a bright background. */
export const ATTRIBUTE_MODE = 0x10;
export const ATTRIBUTE_BLINK = 0x08;
/** Attribute 14h bits 2-3 are bits 6-7 of every colour number, bits 0-1 its bits 4-5 when bit 7 of 10h says so. */
export const ATTRIBUTE_COLOR_SELECT = 0x14;
export const ATTRIBUTE_P54_SELECT = 0x80;

export const GRAPHICS_MISCELLANEOUS = 0x06;
export const GRAPHICS_MODE_BIT = 0x01;

export const MISC_COLOR = 0x01;
export const ATTRIBUTE_INDEX = 0x1f;
export const ATTRIBUTE_PALETTE_SOURCE = 0x20;
export const PALETTE_REGISTERS = 16;

export const CRTC_REGISTERS = 25;
export const SEQUENCER_REGISTERS = 5;
export const GRAPHICS_REGISTERS = 9;
export const ATTRIBUTE_REGISTERS = 21;
export const DAC_BYTES = 768;

export const MODE_3 = {
  misc: 0x67,
  sequencer: [0x03, 0x00, 0x03, 0x00, 0x02],
  crtc: [
    0x5f, 0x4f, 0x50, 0x82, 0x55, 0x81, 0xbf, 0x1f, 0x00, 0x4f, 0x0d, 0x0e, 0x00, 0x00, 0x00, 0x00, 0x9c, 0x8e, 0x8f,
    0x28, 0x1f, 0x96, 0xb9, 0xa3, 0xff,
  ],
  graphics: [0x00, 0x00, 0x00, 0x00, 0x00, 0x10, 0x0e, 0x00, 0xff],
  attribute: [
    0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x14, 0x07, 0x38, 0x39, 0x3a, 0x3b, 0x3c, 0x3d, 0x3e, 0x3f, 0x0c, 0x00, 0x0f,
    0x08, 0x00,
  ],
} as const;

/** The DAC's colours for mode 3: the 64 of the EGA, two bits a component, the rest black. */
export function mode3Palette(): Uint8Array {
  const dac = new Uint8Array(DAC_BYTES);
  for (let color = 0; color < 64; color++) {
    for (let component = 0; component < 3; component++) {
      const strong = (color >>> (2 - component)) & 1; // bits 2, 1, 0: red, green, blue
      const weak = (color >>> (5 - component)) & 1; // bits 5, 4, 3
      dac[color * 3 + component] = strong * 0x2a + weak * 0x15;
    }
  }
  return dac;
}

/** Code page 437 as a text screen shows it; NUL and FFh are blank. */
export const CODE_PAGE_437 =
  ' ☺☻♥♦♣♠•◘○◙♂♀♪♫☼►◄↕‼¶§▬↨↑↓→←∟↔▲▼' +
  ' !"#$%&\'()*+,-./0123456789:;<=>?' +
  '@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_' +
  '`abcdefghijklmnopqrstuvwxyz{|}~⌂' +
  'ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒ' +
  'áíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐' +
  '└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀' +
  'αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■ ';
