// Page-table bits, and the identity map that the guests start from.
#pragma once

#include "guest.h"

#define P 1u
#define RW 2u
#define US 4u
#define ACCESSED 0x20u
#define DIRTY 0x40u
#define PS 0x80u
#define GLOBAL 0x100u
#define DIRECTORY_INDEX(linear) ((linear) >> 22)
#define TABLE_INDEX(linear) ((linear) >> 12 & 1023)

/** The first 16 MB onto themselves in 4 KB pages. Ring 3 may use what lies in .user. */
static inline void map_identity(u32 *directory, u32 tables[4][1024]) {
  for (u32 i = 0; i < 4096; i++) {
    u32 address = i * PAGE, by_user = address >= (u32)user_start && address < (u32)user_end;
    tables[i >> 10][i & 1023] = address | P | RW | (by_user ? US : 0);
  }
  for (u32 i = 0; i < 4; i++) directory[i] = (u32)tables[i] | P | RW | US;
}

static inline void set(u32 *entry, u32 value) { *(volatile u32 *)entry = value; }
static inline void reload_cr3(void) { set_cr3(get_cr3()); }
