// vga: text with a font of the guest's own, CGA, planar, chained and unchained graphics modes by the registers of the VGA, and
// linear modes by the Bochs VBE registers. Every write mode and both read modes draw; what stands in memory is read back
// and printed as a checksum for each mode. Waits for retraces. With `mode=N` on the command line only that mode is set, and its
// picture stays on the screen at the end.
//
// No BIOS is needed: where the framebuffer's base address register is zero, the guest sets it.

#include "pc.h"

#define VGA_FUNCTION 0x1000  // device 2, function 0
#define FRAMEBUFFER 0xfd000000u
#define REGISTERS 0xfebf0000u
#define SEQUENCER 0x3c4
#define GRAPHICS 0x3ce
#define CRTC 0x3d4
#define STATUS 0x3da

struct mode {
  u8 misc, sequencer[4], crtc[25], graphics[9], attribute[21];
};

#define EGA_COLORS 0, 1, 2, 3, 4, 5, 0x14, 7, 0x38, 0x39, 0x3a, 0x3b, 0x3c, 0x3d, 0x3e, 0x3f
#define DAC_COLORS 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15

static const struct mode text_mode = {
  0x67, {0x00, 0x03, 0x00, 0x02},
  {0x5f, 0x4f, 0x50, 0x82, 0x55, 0x81, 0xbf, 0x1f, 0x00, 0x4f, 0x20, 0x0e, 0, 0, 0, 0,
   0x9c, 0x8e, 0x8f, 0x28, 0x1f, 0x96, 0xb9, 0xa3, 0xff},
  {0, 0, 0, 0, 0, 0x10, 0x0e, 0, 0xff}, {EGA_COLORS, 0x04, 0, 0x0f, 0x08, 0}};
static const struct mode cga_mode = {
  0x63, {0x09, 0x03, 0x00, 0x02},
  {0x2d, 0x27, 0x28, 0x90, 0x2b, 0x80, 0xbf, 0x1f, 0x00, 0xc1, 0, 0, 0, 0, 0, 0,
   0x9c, 0x8e, 0x8f, 0x14, 0x00, 0x96, 0xb9, 0xa2, 0xff},
  {0, 0, 0, 0, 0, 0x30, 0x0f, 0, 0xff},
  {0, 0x13, 0x15, 0x17, 2, 4, 6, 7, 0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x01, 0, 0x03, 0, 0}};
static const struct mode low_mode = {
  0x63, {0x09, 0x0f, 0x00, 0x06},
  {0x2d, 0x27, 0x28, 0x90, 0x2b, 0x80, 0xbf, 0x1f, 0x00, 0xc0, 0, 0, 0, 0, 0, 0,
   0x9c, 0x8e, 0x8f, 0x14, 0x00, 0x96, 0xb9, 0xe3, 0xff},
  {0, 0, 0, 0, 0, 0, 0x05, 0x0f, 0xff}, {DAC_COLORS, 0x01, 0, 0x0f, 0, 0}};
static const struct mode planar_mode = {
  0xe3, {0x01, 0x0f, 0x00, 0x06},
  {0x5f, 0x4f, 0x50, 0x82, 0x54, 0x80, 0x0b, 0x3e, 0x00, 0x40, 0, 0, 0, 0, 0, 0,
   0xea, 0x8c, 0xdf, 0x28, 0x00, 0xe7, 0x04, 0xe3, 0xff},
  {0, 0, 0, 0, 0, 0, 0x05, 0x0f, 0xff}, {EGA_COLORS, 0x01, 0, 0x0f, 0, 0}};
static const struct mode chained_mode = {
  0x63, {0x01, 0x0f, 0x00, 0x0e},
  {0x5f, 0x4f, 0x50, 0x82, 0x54, 0x80, 0xbf, 0x1f, 0x00, 0x41, 0, 0, 0, 0, 0, 0,
   0x9c, 0x8e, 0x8f, 0x28, 0x40, 0x96, 0xb9, 0xa3, 0xff},
  {0, 0, 0, 0, 0, 0x40, 0x05, 0x0f, 0xff}, {DAC_COLORS, 0x41, 0, 0x0f, 0, 0}};
// 320 by 240 in 256 colours, the lower screen split off behind scan line 399.
static const struct mode unchained_mode = {
  0xe3, {0x01, 0x0f, 0x00, 0x06},
  {0x5f, 0x4f, 0x50, 0x82, 0x54, 0x80, 0x0d, 0x3e, 0x00, 0x01, 0, 0, 0x20, 0x00, 0, 0,
   0xea, 0xac, 0xdf, 0x28, 0x00, 0xe7, 0x06, 0xe3, 0x8f},
  {0, 0, 0, 0, 0, 0x40, 0x05, 0x0f, 0xff}, {DAC_COLORS, 0x41, 0, 0x0f, 0, 0}};

static u32 sum, buffer[2048] PAGE_ALIGNED;
static u8 *const a0000 = (u8 *)0xa0000, *const b8000 = (u8 *)0xb8000;

static void add(u32 value) { sum = (sum << 5 | sum >> 27) ^ value; }
static void add_memory(const volatile u8 *from, u32 bytes) {
  for (u32 i = 0; i < bytes; i += 4) add(*(const volatile u32 *)(from + i));
}
static void copy_words(u8 *to, u32 words) {
  const u32 *from = buffer;
  asm volatile("rep movsl" : "+D"(to), "+S"(from), "+c"(words) : : "memory");
}
static void set(u16 port, u8 index, u8 value) { outw(port, (u16)(index | value << 8)); }
static u8 get(u16 port, u8 index) {
  outb(port, index);
  return inb((u16)(port + 1));
}

static void set_mode(const struct mode *mode) {
  inb(STATUS);
  outb(0x3c0, 0);  // dark
  outb(0x3c2, mode->misc);
  set(SEQUENCER, 0, 1);
  for (u8 i = 0; i < 4; i++) set(SEQUENCER, (u8)(i + 1), mode->sequencer[i]);
  set(SEQUENCER, 0, 3);
  set(CRTC, 0x11, 0);  // registers 0-7 can be written
  for (u8 i = 0; i < 25; i++) set(CRTC, i, mode->crtc[i]);
  for (u8 i = 0; i < 9; i++) set(GRAPHICS, i, mode->graphics[i]);
  for (u8 i = 0; i < 21; i++) {
    inb(STATUS);
    outb(0x3c0, i);
    outb(0x3c0, mode->attribute[i]);
  }
  inb(STATUS);
  outb(0x3c0, 0x20);
  // What was written is there.
  for (u8 i = 0; i < 25; i++) CHECK_EQ(get(CRTC, i), mode->crtc[i]);
  for (u8 i = 0; i < 9; i++) CHECK_EQ(get(GRAPHICS, i), mode->graphics[i]);
  for (u8 i = 0; i < 4; i++) CHECK_EQ(get(SEQUENCER, (u8)(i + 1)), mode->sequencer[i]);
  CHECK_EQ(inb(0x3cc), mode->misc);
}

static void set_color(u8 index, u8 red, u8 green, u8 blue) {
  outb(0x3c8, index);
  outb(0x3c9, red), outb(0x3c9, green), outb(0x3c9, blue);
}

// The 64 colours of the EGA, whichever the palette registers choose.
static void ega_colors(void) {
  for (u8 i = 0; i < 64; i++) {
    u8 part[3];
    for (u8 n = 0; n < 3; n++) part[n] = (u8)((i >> (2 - n) & 1) * 0x2a + (i >> (5 - n) & 1) * 0x15);
    set_color(i, part[0], part[1], part[2]);
  }
}

static void many_colors(void) {
  outb(0x3c8, 0);
  for (u32 i = 0; i < 256; i++) outb(0x3c9, i & 63), outb(0x3c9, i >> 2), outb(0x3c9, (63 - i) & 63);
  outb(0x3c7, 100);
  for (u32 i = 0; i < 9; i++) add(inb(0x3c9));
}

static void wait_status(u8 bit, u8 value) {
  while ((inb(STATUS) & bit) != value)
    for (u32 i = 0; i < 500; i++) asm volatile("");
}

static void text(void) {
  set_mode(&text_mode);
  ega_colors();
  // Two fonts into plane 2, 256 characters at 0 and 64 at 4000h, by the window at A0000h.
  set(SEQUENCER, 2, 4), set(SEQUENCER, 4, 6), set(GRAPHICS, 4, 2), set(GRAPHICS, 5, 0), set(GRAPHICS, 6, 4);
  for (u32 i = 0; i < 256 * 4; i++) buffer[i / 4 * 8 + i % 4] = i * 0x04081021u ^ (i << 13);
  copy_words(a0000, 2048);
  for (u32 i = 0; i < 64 * 4; i++) buffer[i / 4 * 8 + i % 4] = ~(i * 0x00110101u);
  copy_words(a0000 + 0x4000, 512);
  add_memory(a0000 + 32 * 100, 128);
  set(SEQUENCER, 2, 3), set(SEQUENCER, 4, 2), set(GRAPHICS, 4, 0), set(GRAPHICS, 5, 0x10), set(GRAPHICS, 6, 0x0e);
  set(SEQUENCER, 3, 0x04);  // attribute bit 3 chooses the second font
  for (u32 i = 0; i < 2000; i++) ((u16 *)buffer)[i] = (u16)((i & 0xff) | (i * 7 + i / 80) << 8);
  copy_words(b8000, 990);
  for (u32 i = 1980; i < 2000; i++) *(volatile u16 *)(b8000 + 2 * i) = ((u16 *)buffer)[i];
  for (u32 i = 0; i < 16; i++) b8000[320 + 2 * i] = (u8)(0xc0 + i), b8000[321 + 2 * i] = (u8)(0x17 + (i << 4));
  *(volatile u32 *)(b8000 + 801) = 0x12345678;
  add_memory(b8000, 1000);
}

static void cga(void) {
  set_mode(&cga_mode);
  ega_colors();
  for (u32 y = 0; y < 200; y++) {
    for (u32 x = 0; x < 80; x += 4) buffer[x / 4] = (x * 0x01020408u) ^ y * 0x00110055u;
    copy_words(b8000 + (y & 1) * 0x2000 + y / 2 * 80, 20);
  }
  add_memory(b8000 + 0x2000, 400);
}

// Sixteen colours in 320 by 200, plane by plane.
static void low(void) {
  set_mode(&low_mode);
  ega_colors();
  for (u32 plane = 0; plane < 4; plane++) {
    set(SEQUENCER, 2, (u8)(1 << plane));
    for (u32 i = 0; i < 8000; i += 4) buffer[i / 4] = (i / 40 & 8 << plane ? 0xff00ff00u : 0x0f0f0f0fu) ^ (i << plane);
    copy_words(a0000, 2000);
  }
  for (u8 plane = 0; plane < 4; plane++) set(GRAPHICS, 4, plane), add_memory(a0000 + 400 * plane, 200);
}

static void planar(void) {
  set_mode(&planar_mode);
  ega_colors();
  // Blue, by set/reset; the data do not count.
  set(GRAPHICS, 0, 1), set(GRAPHICS, 1, 0x0f);
  fill32(a0000, 0x12345678, 9600);
  // Write mode 2: sixteen bars, all but the first and last bit of each byte.
  set(GRAPHICS, 1, 0), set(GRAPHICS, 5, 2), set(GRAPHICS, 8, 0x7e);
  for (u32 y = 16; y < 80; y++)
    for (u32 color = 0; color < 16; color++) {
      volatile u8 *at = a0000 + y * 80 + 8 + color * 4;
      (void)*at;
      *at = (u8)color;
    }
  // Write mode 0 with rotation and each function against the latches, bits from set/reset in two planes.
  set(GRAPHICS, 5, 0), set(GRAPHICS, 8, 0xff), set(GRAPHICS, 0, 0x0a), set(GRAPHICS, 1, 0x06);
  for (u32 func = 0; func < 4; func++) {
    set(GRAPHICS, 3, (u8)(func << 3 | 3));
    for (u32 i = 0; i < 320; i++) {
      volatile u8 *at = a0000 + (96 + func * 12) * 80 + i;
      (void)*at;
      *at = (u8)(i * 5);
    }
  }
  set(GRAPHICS, 3, 0), set(GRAPHICS, 1, 0);
  // Write mode 3: strokes in one colour, the data a mask beside the bit mask.
  set(GRAPHICS, 5, 3), set(GRAPHICS, 0, 0x0e), set(GRAPHICS, 8, 0xdf);
  for (u32 y = 160; y < 192; y++)
    for (u32 x = 0; x < 20; x++) {
      volatile u8 *at = a0000 + y * 80 + x;
      (void)*at;
      *at = (u8)(0x81 << (y & 3) | x);
    }
  // One plane, 16 and 32 bits at a time.
  set(GRAPHICS, 5, 0), set(GRAPHICS, 8, 0xff), set(SEQUENCER, 2, 4);
  for (u32 i = 0; i < 200; i++) *(volatile u32 *)(a0000 + 200 * 80 + i * 4) = i * 0x01010101u;
  for (u32 i = 0; i < 101; i++) *(volatile u16 *)(a0000 + 211 * 80 + 1 + i * 2) = (u16)(i * 0x0305);
  // Write mode 1: sixteen lines copied, all planes by the latches.
  set(SEQUENCER, 2, 0x0f), set(GRAPHICS, 5, 1);
  for (u32 i = 0; i < 1280; i++) ((volatile u8 *)a0000)[240 * 80 + i] = ((volatile u8 *)a0000)[72 * 80 + i];
  copy(a0000 + 300 * 80, a0000 + 96 * 80, 800);
  set(GRAPHICS, 5, 0);
  for (u8 plane = 0; plane < 4; plane++) {
    set(GRAPHICS, 4, plane);
    add_memory(a0000 + 72 * 80, 1600), add_memory(a0000 + 160 * 80, 800);
  }
  // Read mode 1: where colour 5 is, then where the low two planes hold 1.
  set(GRAPHICS, 5, 8), set(GRAPHICS, 2, 5);
  add_memory(a0000 + 40 * 80, 80);
  set(GRAPHICS, 2, 1), set(GRAPHICS, 7, 3);
  add_memory(a0000 + 40 * 80, 80);
  set(GRAPHICS, 5, 0), set(GRAPHICS, 7, 0x0f);
}

static void chained(void) {
  set_mode(&chained_mode);
  many_colors();
  for (u32 y = 0; y < 200; y++) {
    for (u32 x = 0; x < 320; x += 4) buffer[x / 4] = (x ^ y) * 0x01010101u + 0x03020100u;
    copy_words(a0000 + y * 320, 80);
  }
  for (u32 i = 0; i < 64; i++) a0000[100 * 320 + i] = (u8)(i * 3);
  for (u32 i = 0; i < 63; i++) *(volatile u16 *)(a0000 + 101 * 320 + 1 + 2 * i) = (u16)(i * 0x0407);
  *(volatile u32 *)(a0000 + 102 * 320 + 3) = 0xfedcba98;
  add_memory(a0000 + 99 * 320, 1600);
  add(*(volatile u16 *)(a0000 + 101 * 320 + 7)), add(a0000[101 * 320 + 9]);
}

static void unchained(void) {
  set_mode(&unchained_mode);
  many_colors();
  // Four pixels of a colour at once: the split screen at 0, the rest at 2000h; then a diagonal, plane by plane.
  fill32(a0000, 0x55555555, 800);
  for (u32 y = 0; y < 200; y++) fill32(a0000 + 0x2000 + y * 80, y * 0x01010101u, 20);
  for (u32 i = 0; i < 160; i++) {
    set(SEQUENCER, 2, (u8)(1 << (i & 3)));
    a0000[0x2000 + i * 80 + i / 4] = (u8)(255 - i);
    if (i < 40) a0000[i * 80 + i] = (u8)i;
  }
  for (u8 plane = 0; plane < 4; plane++) set(GRAPHICS, 4, plane), add_memory(a0000 + 0x2000, 2000);
  wait_status(8, 8), wait_status(8, 0), wait_status(1, 0), wait_status(8, 8);
}

// --- Bochs VBE -------------------------------------------------------------------------------------------

static u8 *framebuffer, *registers;

static void dispi(u16 index, u16 value) {
  outw(0x1ce, index);
  outw(0x1cf, value);
}
static u16 dispi_read(u16 index) {
  outw(0x1ce, index);
  return inw(0x1cf);
}

static void find_framebuffer(void) {
  CHECK_EQ(config_read(VGA_FUNCTION, 0), 0x11111234);
  CHECK_EQ(config_read(VGA_FUNCTION, 8) >> 8, 0x030000);
  if ((config_read(VGA_FUNCTION, 0x10) & ~15u) == 0) config_write(VGA_FUNCTION, 0x10, FRAMEBUFFER), config_write(VGA_FUNCTION, 0x18, REGISTERS);
  config_write(VGA_FUNCTION, 4, 3);
  framebuffer = (u8 *)(config_read(VGA_FUNCTION, 0x10) & ~15u);
  registers = (u8 *)(config_read(VGA_FUNCTION, 0x18) & ~15u);
  config_write(VGA_FUNCTION, 0x10, 0xffffffff);
  CHECK_EQ(config_read(VGA_FUNCTION, 0x10), 0xff000008);  // 16 MB, prefetchable
  config_write(VGA_FUNCTION, 0x10, (u32)framebuffer);
  dispi(0, 0xb0c4);
  CHECK_EQ(dispi_read(0), 0xb0c4);
  CHECK_EQ(dispi_read(10), 256);
}

static void set_linear(u16 width, u16 height, u16 bits) {
  find_framebuffer();
  dispi(4, 0);
  dispi(1, width), dispi(2, height), dispi(3, bits);
  dispi(4, 0x41);
  CHECK_EQ(dispi_read(6), width);
  CHECK_EQ(dispi_read(4), 0x41);
}

static void linear32(void) {
  set_linear(640, 480, 32);
  CHECK_EQ(*(volatile u16 *)(registers + 0x502), 640);
  volatile u32 *pixels = (u32 *)framebuffer;
  for (u32 y = 0; y < 96; y++) {
    for (u32 x = 0; x < 64; x++) buffer[x] = x << 18 | y << 9 | (x ^ y);
    copy_words((u8 *)(pixels + (y + 40) * 640 + 100), 64);
  }
  for (u32 i = 0; i < 480; i++) pixels[i * 640 + i] = 0xffffff, pixels[i * 640 + 639 - i] = i << 16;
  // Lines 204 and on by bank 8 of the window at A0000h: 80000h is 204.8 lines.
  dispi(5, 8);
  for (u32 i = 0; i < 1000; i++) *(volatile u32 *)(a0000 + 4 * i) = i * 0x000a1b2cu;
  CHECK_EQ(pixels[0x20000 + 999], 999 * 0x000a1b2cu);
  dispi(5, 0);
  add_memory(framebuffer + 50 * 2560, 5120);
  // A taller picture than the screen, moved by nine lines.
  *(volatile u16 *)(registers + 0x512) = 9;
  CHECK_EQ(dispi_read(9), 9);
  for (u32 x = 0; x < 640; x++) pixels[484 * 640 + x] = x;
}

static void linear24(void) {
  set_linear(320, 200, 24);
  for (u32 i = 0; i < 4000; i++) {
    buffer[i & 1023] = i * 0x00010305u;
    if ((i & 1023) == 1023 || i == 3999) copy_words(framebuffer + (i & ~1023u) * 4, (i & 1023) + 1);
  }
  framebuffer[960 * 30 + 5] = 0x77;
  add_memory(framebuffer, 400);
}

static void linear16(void) {
  set_linear(320, 200, 16);
  dispi(6, 512);
  CHECK_EQ(dispi_read(6), 512);
  for (u32 y = 0; y < 64; y++) {
    for (u32 x = 0; x < 64; x++) ((u16 *)buffer)[x] = (u16)(x << 10 | y);
    copy_words(framebuffer + y * 1024, 32);
  }
  dispi(8, 16);
  fill32(framebuffer + 128000, 0, 768);  // shown, now that lines are longer
  add_memory(framebuffer + 1024, 100);
}

static void linear8(void) {
  set_linear(800, 600, 8);
  many_colors();
  dispi(4, 0xe1);  // eight bits a component; memory stays
  outb(0x3c8, 7), outb(0x3c9, 0xff), outb(0x3c9, 0x81), outb(0x3c9, 0x43);
  for (u32 i = 0; i < 2000; i++) buffer[i] = (i / 4) * 0x01010101u;
  copy_words(framebuffer, 2000);
  fill32(framebuffer + 800 * 20, 0x07070707, 2000);
  add_memory(framebuffer, 1600);
}

static const struct {
  u32 number;
  const char *name;
  void (*draw)(void);
} modes[] = {
  {3, "text", text}, {4, "cga", cga}, {13, "low", low}, {18, "planar", planar}, {19, "chained", chained},
  {20, "unchained", unchained}, {32, "linear32", linear32}, {24, "linear24", linear24}, {16, "linear16", linear16},
  {8, "linear8", linear8},
};

int main(void) {
  u32 only = argument("mode", 0);
  for (u32 i = 0; i < LENGTH(modes); i++) {
    if (only != 0 && only != modes[i].number) continue;
    sum = 0;
    dispi(4, 0);
    modes[i].draw();
    put(modes[i].name);
    put(" ");
    put_hex(sum);
    put("\n");
  }
  return 0;
}
