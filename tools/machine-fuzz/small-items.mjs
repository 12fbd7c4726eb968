/**
 * Random instructions of 16-bit code: virtual-8086, real mode (with those of real-items.mjs), 16-bit protected segments. DS is PLAY_FRAMES >> 4 (or a segment
 * with that base), so that [disp16] names the playground.
 */
import { abs16, d16, d32 } from './assembler.mjs';
import * as L from './layout.mjs';
import { realItem } from './real-items.mjs';

const disp = (r) => r.pick([0, 2, 0x10, 0xffe, 0xfff, 0x1000, 0xfffe, 0xffff, r.below(0x4000)]);

export function smallItem(c) {
  const { a, random: r } = c;
  if (c.mode !== 'segment' && r.chance(45)) return realItem(c);
  switch (r.below(16)) {
    case 0:
      return a.skippable(0xb8 | r.pick([0, 1, 2, 3, 5, 6, 7]), d16(r.value()));
    case 1:
      return a.skippable((r.below(8) << 3) | r.below(4), 0xc0 | (r.below(4) << 3) | r.below(4));
    case 2:
      return a.skippable((r.below(8) << 3) | r.below(4), 0x06 | (r.below(4) << 3), d16(disp(r)));
    case 3:
      return a.skippable(r.chance(20) ? 0x66 : [], 0x9c);
    case 4:
      // PUSHF, a bit the other way (through BP), POPF
      a.skippable(0x9c);
      a.skippable(0x89, 0xe5);
      a.skippable(0x81, 0x76, 0x00, d16(r.pick([0x200, 0x100, 0x3000, 0x4000, 1, 0x800])));
      return a.skippable(r.chance(15) ? 0x66 : [], 0x9d);
    case 5:
      return a.skippable(r.chance(50) ? 0xfa : 0xfb);
    case 6:
      return c.mode === 'real' ? a.skippable(0x90) : a.skippable(0xcd, r.pick([0x30, 0x31, 0x40, 0x10, 0x21, 0x03]));
    case 7: {
      // IRET to the instruction behind
      const behind = a.fresh('iret');
      a.skippable(0x9c);
      a.skippable(0x0e);
      a.skippable(0x68, abs16(behind));
      a.skippable(0xcf);
      a.label(behind);
      return undefined;
    }
    case 8:
      a.skippable(0xb8, d16(c.mode === 'segment' ? L.SEL.data16 | 3 : L.PLAY_FRAMES >>> 4));
      return a.skippable(0x8e, 0xc0 | (r.pick([0, 3, 4, 5]) << 3));
    case 9:
      return a.skippable(0xe4 | r.below(2), r.pick([0x21, 0x40, 0x61, 0x92, 0xe9]));
    case 10:
      a.skippable(0xbe, d16(disp(r)));
      a.skippable(0xbf, d16(disp(r)));
      a.skippable(0xb9, d16(r.below(8)));
      return a.skippable(r.chance(60) ? 0xf3 : [], r.pick([0xa4, 0xa5, 0xaa, 0xac, 0xa6]));
    case 11:
      return a.skippable(r.pick([0x60, 0x61, 0x50, 0x53, 0x5b, 0x1e, 0x06, 0x16, 0x0e]));
    case 12:
      return a.skippable(0x66, 0x67, 0x8b, 0x05, d32(disp(r)));
    case 13: {
      const behind = a.fresh('near');
      a.skippable(0xe8, { label: behind, plus: 0, size: 2, relative: true });
      a.label(behind);
      return undefined;
    }
    case 14:
      return a.skippable(
        r.pick([
          [0x0f, 0x01, 0xe0],
          [0x0f, 0x20, 0xc0],
          [0x0f, 0xa2],
          [0x0f, 0x00, 0xc0],
          [0x0f, 0x02, 0xc0],
          [0x63, 0xc0],
        ]),
      );
    default:
      return a.skippable(r.pick([0x40, 0x4b, 0x98, 0x99, 0xf5, 0x27, 0x37, 0xd6, 0xcc, 0xce]));
  }
}
