// What guests of ours know of a PC's board: wide port accesses, the 8259s, PCI configuration mechanism 1.
#pragma once

#include "guest.h"

static inline void outw(u16 port, u16 value) { asm volatile("outw %0, %1" : : "a"(value), "Nd"(port)); }
static inline void outl(u16 port, u32 value) { asm volatile("outl %0, %1" : : "a"(value), "Nd"(port)); }
static inline u16 inw(u16 port) {
  u16 value;
  asm volatile("inw %1, %0" : "=a"(value) : "Nd"(port));
  return value;
}
static inline u32 inl(u16 port) {
  u32 value;
  asm volatile("inl %1, %0" : "=a"(value) : "Nd"(port));
  return value;
}

#define PIC1 0x20
#define PIC2 0xa0
#define PIC_EOI 0x20

/** Vectors 20h and 28h on, edge-triggered, with these masks. */
static inline void program_pics(u8 master_mask, u8 slave_mask) {
  outb(PIC1, 0x11), outb(PIC2, 0x11);
  outb(PIC1 + 1, 0x20), outb(PIC2 + 1, 0x28);
  outb(PIC1 + 1, 4), outb(PIC2 + 1, 2);
  outb(PIC1 + 1, 1), outb(PIC2 + 1, 1);
  outb(PIC1 + 1, master_mask), outb(PIC2 + 1, slave_mask);
}

/** A function's place in configuration space: device and function of bus 0. */
#define PCI_FUNCTION(device, function) ((device) << 11 | (function) << 8)

/** The aligned word that register `at` is in, moved down so that `at` is its lowest byte. */
static inline u32 config_read(u32 function, u32 at) {
  outl(0xcf8, 0x80000000u | function | (at & 0xfc));
  return inl(0xcfc) >> (at & 3) * 8;
}
static inline void config_write(u32 function, u32 at, u32 value) {
  outl(0xcf8, 0x80000000u | function | at);
  outl(0xcfc, value);
}
