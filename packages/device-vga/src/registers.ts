/**
 * Register files of the VGA (IBM PS/2 Hardware Interface Technical Reference, "Video Subsystem") by their indices, and
 * the values that a BIOS sets for mode 3: 80 columns by 25 rows, 16 colours, 9 by 16 dots.
 */

// Sequencer.
export const SEQUENCER_CLOCKING = 0x01;
export const CLOCKING_EIGHT_DOTS = 0x01;
export const CLOCKING_HALF_DOT_CLOCK = 0x08;
export const CLOCKING_SCREEN_OFF = 0x20;
export const SEQUENCER_MAP_MASK = 0x02;
export const SEQUENCER_CHARACTER_MAP = 0x03;
export const SEQUENCER_MEMORY_MODE = 0x04;
/** Set: even and odd addresses go to all planes alike. */
export const MEMORY_MODE_NO_ODD_EVEN = 0x04;
export const MEMORY_MODE_CHAIN_4 = 0x08;

// CRT controller.
export const CRTC_HORIZONTAL_TOTAL = 0x00;
export const CRTC_HORIZONTAL_DISPLAY_END = 0x01;
export const CRTC_VERTICAL_TOTAL = 0x06;
export const CRTC_OVERFLOW = 0x07;
export const CRTC_PRESET_ROW_SCAN = 0x08;
export const CRTC_MAXIMUM_SCAN_LINE = 0x09;
/** Bit 7 of CRTC 09h: every scan line twice. */
export const CRTC_DOUBLE_SCAN = 0x80;
export const CRTC_CURSOR_START = 0x0a;
/** Bit 5 of CRTC 0Ah: no cursor. */
export const CRTC_CURSOR_OFF = 0x20;
export const CRTC_CURSOR_END = 0x0b;
export const CRTC_START_HIGH = 0x0c;
export const CRTC_START_LOW = 0x0d;
export const CRTC_CURSOR_HIGH = 0x0e;
export const CRTC_CURSOR_LOW = 0x0f;
export const CRTC_VERTICAL_RETRACE_START = 0x10;
export const CRTC_VERTICAL_RETRACE_END = 0x11;
export const CRTC_VERTICAL_DISPLAY_END = 0x12;
export const CRTC_OFFSET = 0x13;
export const CRTC_UNDERLINE = 0x14;
/** Bit 6 of CRTC 14h: addresses count four bytes of a plane. */
export const CRTC_DOUBLE_WORD = 0x40;
export const CRTC_MODE_CONTROL = 0x17;
export const MODE_CONTROL_A13 = 0x01; // clear: address bit 13 is bit 0 of the row scan counter
export const MODE_CONTROL_A14 = 0x02; // clear: address bit 14 is bit 1 of it
export const MODE_CONTROL_VERTICAL_BY_2 = 0x04;
export const MODE_CONTROL_WRAP_15 = 0x20; // in word mode address bit 0 is bit 15 of the counter, else bit 13
export const MODE_CONTROL_BYTE = 0x40;
export const MODE_CONTROL_SYNC = 0x80;
export const CRTC_LINE_COMPARE = 0x18;
/** Bit 7 of CRTC 11h: registers 0-7 are read-only. */
export const CRTC_PROTECT = 0x80;
/** What stays writable of CRTC 7 when protected: bit 8 of the line compare. */
export const CRTC_OVERFLOW_LINE_COMPARE = 0x10;

// Attribute controller.
export const ATTRIBUTE_MODE = 0x10;
/** Bit 2 of attribute 10h: characters C0h-DFh go on into the ninth dot. */
export const ATTRIBUTE_LINE_GRAPHICS = 0x04;
/** Bit 3 of attribute 10h: bit 7 of a character's attribute blinks instead of choosing a bright background. */
export const ATTRIBUTE_BLINK = 0x08;
/** Bit 5 of attribute 10h: the lower half of a split screen is not panned. */
export const ATTRIBUTE_PAN_UPPER_ONLY = 0x20;
/** Bit 6 of attribute 10h: a colour takes two dots of four bits, as in the modes of 256 colours. */
export const ATTRIBUTE_WIDE_PEL = 0x40;
export const ATTRIBUTE_PLANE_ENABLE = 0x12;
export const ATTRIBUTE_PANNING = 0x13;
/** Attribute 14h bits 2-3 are bits 6-7 of every colour number, bits 0-1 its bits 4-5 when bit 7 of 10h says so. */
export const ATTRIBUTE_COLOR_SELECT = 0x14;
export const ATTRIBUTE_P54_SELECT = 0x80;

// Graphics controller.
export const GRAPHICS_SET_RESET = 0x00;
export const GRAPHICS_ENABLE_SET_RESET = 0x01;
export const GRAPHICS_COLOR_COMPARE = 0x02;
export const GRAPHICS_DATA_ROTATE = 0x03;
export const GRAPHICS_READ_MAP = 0x04;
export const GRAPHICS_MODE = 0x05;
export const MODE_READ_COMPARE = 0x08;
export const MODE_HOST_ODD_EVEN = 0x10;
export const MODE_SHIFT_INTERLEAVE = 0x20;
export const MODE_SHIFT_256 = 0x40;
export const GRAPHICS_MISCELLANEOUS = 0x06;
export const GRAPHICS_MODE_BIT = 0x01;
export const GRAPHICS_CHAIN_ODD_EVEN = 0x02;
export const GRAPHICS_COLOR_DONT_CARE = 0x07;
export const GRAPHICS_BIT_MASK = 0x08;

export const MISC_COLOR = 0x01;
export const MISC_RAM_ENABLE = 0x02;
export const ATTRIBUTE_INDEX = 0x1f;
export const ATTRIBUTE_PALETTE_SOURCE = 0x20;
export const PALETTE_REGISTERS = 16;

export const CRTC_REGISTERS = 25;
export const DAC_BYTES = 768;

/** The bits that exist of each register of a file. */
export const SEQUENCER_BITS = [0x03, 0x3d, 0x0f, 0x3f, 0x0e] as const;
export const GRAPHICS_BITS = [0x0f, 0x0f, 0x0f, 0x1f, 0x03, 0x7b, 0x0f, 0x0f, 0xff] as const;
export const ATTRIBUTE_BITS = [...Array<number>(16).fill(0x3f), 0xef, 0xff, 0x3f, 0x0f, 0x0f] as const;

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
