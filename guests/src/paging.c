// paging: two-level page tables, edited in every way while they are active and while they are not; what is seen
// after each edit, with INVLPG and without where the architecture allows it; access rights by P, R/W, U/S, CPL and
// CR0.WP with exact error codes and CR2; 4 MB and global pages; instructions that rewrite the mapping of their own
// code, stack or operand.
//
// It does not look at what a translation that was changed without INVLPG gives, beyond "the old or the new": see
// sees_either(). Nothing that may legally differ reaches memory.

#include "paging.h"

// Linear windows: one page directory entry each, below 1 GB.
#define WINDOW_A 0x10000000u
#define WINDOW_B 0x10400000u
#define WINDOW_C 0x10800000u
#define WINDOW_D 0x10c00000u
#define WINDOW_LARGE 0x11000000u
#define RECURSIVE 0xc0000000u

static u32 directory[1024] PAGE_ALIGNED, second_directory[1024] PAGE_ALIGNED;
static u32 low_tables[4][1024] PAGE_ALIGNED;
// Two tables side by side between pages of ordinary data, for accesses that cross from one into the other.
static struct {
  u8 before[4096];
  u32 a[1024], b[1024];
  u8 after[4096];
} t PAGE_ALIGNED;
static struct {
  u32 c[1024], d[1024];
} more PAGE_ALIGNED;
#define table_c more.c
#define table_d more.d
static u32 source[4];

// Sixteen frames of data, in one aligned 64 KB outside the image.
#define FRAMES 16u
#define FRAME(i) (0x00900000u + (i) * PAGE)
#define SIGNATURE(i) (0xc0de0000u + (i))

/** 1 when the word at the address is one of the two; leaves the same registers and flags behind in either case. */
static NOINLINE u32 sees_either(u32 address, u32 one, u32 other) {
  u32 result;
  asm volatile(
      "movl (%1), %%eax\n\t"
      "cmpl %2, %%eax\n\tsete %%cl\n\tcmpl %3, %%eax\n\tsete %%al\n\t"
      "orb %%cl, %%al\n\tmovzbl %%al, %%eax\n\tmovl $0, %%ecx\n\ttestl %%eax, %%eax"
      : "=&a"(result) : "D"(address), "S"(one), "d"(other) : "ecx", "memory", "cc");
  return result;
}

// --- ways to write a table entry -------------------------------------------------------------------------
// old is what the program last wrote there (the processor may have set A and D since).

typedef void edit(u32 *entry, u32 old, u32 new);
#define EDIT(name) static NOINLINE void edit_##name(u32 *entry, u32 old __attribute__((unused)), u32 new)

EDIT(mov) { asm volatile("movl %1, (%0)" : : "r"(entry), "r"(new) : "memory"); }
EDIT(xchg) { asm volatile("xchgl %1, (%0)\n\txorl %1, %1" : "+r"(entry), "+r"(new) : : "memory", "cc"); }
EDIT(and_or) {
  asm volatile("andl %1, (%0)\n\torl %2, (%0)" : : "r"(entry), "r"(old & new), "r"(new) : "memory", "cc");
}
EDIT(lock_xor) { asm volatile("lock xorl %1, (%0)" : : "r"(entry), "r"(old ^ new) : "memory", "cc"); }
EDIT(add) { asm volatile("addl %1, (%0)" : : "r"(entry), "r"(new - old) : "memory", "cc"); }
EDIT(sbb) { asm volatile("clc\n\tsbbl %1, (%0)" : : "r"(entry), "r"(old - new) : "memory", "cc"); }
EDIT(xadd) {
  u32 delta = new - old;
  asm volatile("lock xaddl %1, (%0)\n\txorl %1, %1" : "+r"(entry), "+r"(delta) : : "memory", "cc");
}
// BTS/BTR/BTC with a register operand address bits far from their base: here, from the base of the table.
EDIT(bts_btr) {
  u32 *table = (u32 *)((u32)entry & ~4095u);
  for (u32 bit = 0, at = ((u32)entry & 4095) * 8; bit < 32; bit++, at++) {
    if ((new & ~old) >> bit & 1) asm volatile("btsl %1, (%0)" : : "r"(table), "r"(at) : "memory", "cc");
    if ((old & ~new) >> bit & 1) asm volatile("lock btrl %1, (%0)" : : "r"(table), "r"(at) : "memory", "cc");
  }
}
EDIT(btc) {
  for (u32 bit = 0; bit < 32; bit++)
    if ((new ^ old) >> bit & 1) asm volatile("btcl %1, (%0)" : : "r"(entry), "r"(bit) : "memory", "cc");
}
EDIT(cmpxchg) {
  u8 same;
  // First one that fails: it writes back what was there.
  asm volatile("movl $0x5a5a5a5a, %%eax\n\tlock cmpxchgl %2, (%1)\n\tsete %0\n\txorl %%eax, %%eax"
               : "=&d"(same) : "r"(entry), "r"(new) : "eax", "memory", "cc");
  CHECK_EQ(same, 0);
  asm volatile("movl (%1), %%eax\n\tlock cmpxchgl %2, (%1)\n\tsete %0\n\txorl %%eax, %%eax"
               : "=&d"(same) : "r"(entry), "r"(new) : "eax", "memory", "cc");
  CHECK_EQ(same, 1);
}
EDIT(cmpxchg8b) {
  // The pair that holds the entry; its neighbour stays 0.
  u32 pair = (u32)entry & ~7u, high = (u32)entry >> 2 & 1;
  u8 same;
  asm volatile(
      "movl (%1), %%eax\n\tmovl 4(%1), %%edx\n\tlock cmpxchg8b (%1)\n\tsete %0\n\t"
      "xorl %%eax, %%eax\n\txorl %%edx, %%edx"
      : "=m"(source[3]) : "S"(pair), "b"(high ? 0 : new), "c"(high ? new : 0) : "eax", "edx", "memory", "cc");
  same = (u8)source[3];
  CHECK_EQ(same, 1);
}
EDIT(rep_stosd) { fill32(entry, new, 1); }
EDIT(movsd) {
  source[0] = new;
  const u32 *from = source;
  asm volatile("movsl" : "+D"(entry), "+S"(from) : : "memory");
}
EDIT(rep_movsb_down) {
  source[0] = new;
  u32 to = (u32)entry + 3, from = (u32)source + 3, count = 4;
  asm volatile("std\n\trep movsb\n\tcld" : "+D"(to), "+S"(from), "+c"(count) : : "memory", "cc");
}
EDIT(push) {
  u32 keep;
  asm volatile("movl %%esp, %0\n\tleal 4(%1), %%esp\n\tpushl %2\n\tmovl %0, %%esp"
               : "=&r"(keep) : "r"(entry), "r"(new) : "memory");
}
EDIT(push_memory) {
  u32 keep;
  source[1] = new;
  asm volatile("movl %%esp, %0\n\tleal 4(%1), %%esp\n\tpushl source+4\n\tmovl %0, %%esp"
               : "=&r"(keep) : "r"(entry) : "memory");
}
EDIT(pop) { asm volatile("pushl %1\n\tpopl (%0)" : : "r"(entry), "r"(new) : "memory"); }
EDIT(bytes) {
  volatile u8 *byte = (volatile u8 *)entry;
  byte[3] = (u8)(new >> 24), byte[1] = (u8)(new >> 8), byte[0] = (u8)new, byte[2] = (u8)(new >> 16);
}
EDIT(words) {
  volatile u16 *word = (volatile u16 *)entry;
  word[1] = (u16)(new >> 16), word[0] = (u16)new;
}
// Two dwords that straddle the entry's ends. Its neighbours are 0.
EDIT(unaligned) {
  write32((u32)entry - 1, new << 8);
  write32((u32)entry + 3, new >> 24);
}
EDIT(not) { asm volatile("movl %1, (%0)\n\tnotl (%0)" : : "r"(entry), "r"(~new) : "memory"); }
EDIT(neg) { asm volatile("movl %1, (%0)\n\tnegl (%0)" : : "r"(entry), "r"(-new) : "memory", "cc"); }
EDIT(inc) { asm volatile("movl %1, (%0)\n\tincl (%0)" : : "r"(entry), "r"(new - 1) : "memory", "cc"); }
EDIT(dec) { asm volatile("movl %1, (%0)\n\tlock decl (%0)" : : "r"(entry), "r"(new + 1) : "memory", "cc"); }
EDIT(rol) { asm volatile("movl %1, (%0)\n\troll $8, (%0)" : : "r"(entry), "r"(new >> 8 | new << 24) : "memory", "cc"); }
EDIT(shld) {
  asm volatile("movl %1, (%0)\n\tshldl $16, %2, (%0)" : : "r"(entry), "r"(new >> 16), "r"(new << 16) : "memory", "cc");
}

static const struct {
  const char *name;
  edit *edit;
} edits[] = {
#define ENTRY(name) {#name, edit_##name}
    ENTRY(mov), ENTRY(xchg), ENTRY(and_or), ENTRY(lock_xor), ENTRY(add), ENTRY(sbb), ENTRY(xadd), ENTRY(bts_btr),
    ENTRY(btc), ENTRY(cmpxchg), ENTRY(cmpxchg8b), ENTRY(rep_stosd), ENTRY(movsd), ENTRY(rep_movsb_down), ENTRY(push),
    ENTRY(push_memory), ENTRY(pop), ENTRY(bytes), ENTRY(words), ENTRY(unaligned), ENTRY(not), ENTRY(neg), ENTRY(inc),
    ENTRY(dec), ENTRY(rol), ENTRY(shld),
};

/** Each way of writing, on an entry of an active table. */
static void active_entries(void) {
  for (u32 i = 0; i < LENGTH(edits); i++) {
    edit *change = edits[i].edit;
    note(edits[i].name);
    note(" ");
    u32 slot = 8 + 5 * i, linear = WINDOW_A + slot * PAGE, *entry = &t.a[slot];
    u32 a = i % 8, b = 8 + i % 8;
    u32 to_a = FRAME(a) | P | RW | US, to_b = FRAME(b) | P | RW, gone = FRAME(b) | RW | US;

    // Absent to present needs no INVLPG: absence is not cached.
    CHECK_EQ(TRY("movl (%0), %%eax", "r"(linear)), 1);
    CHECK_PAGE_FAULT(0, linear);
    change(entry, 0, to_a);
    CHECK_EQ(read32(linear), SIGNATURE(a));

    // To another frame, with INVLPG.
    change(entry, to_a, to_b);
    invlpg(linear);
    CHECK_EQ(read32(linear), SIGNATURE(b));
    write32(linear + 16, SIGNATURE(b) + i);
    CHECK_EQ(read32(FRAME(b) + 16), SIGNATURE(b) + i);

    // And back without: the old or the new, until INVLPG.
    change(entry, to_b, to_a);
    CHECK(sees_either(linear, SIGNATURE(a), SIGNATURE(b)));
    invlpg(linear);
    CHECK_EQ(read32(linear), SIGNATURE(a));

    // Gone, by INVLPG and by a CR3 load.
    change(entry, to_a, gone);
    invlpg(linear);
    CHECK_EQ(TRY("movl %0, (%0)", "r"(linear)), 1);
    CHECK_PAGE_FAULT(2, linear);
    CHECK_EQ(trap.eip, trap_site);
    change(entry, gone, to_b);
    CHECK_EQ(read32(linear), SIGNATURE(b));
    change(entry, to_b, gone);
    reload_cr3();
    CHECK_EQ(TRY("movl (%0), %%eax", "r"(linear)), 1);
    CHECK_PAGE_FAULT(0, linear);
    change(entry, gone, 0);
    // What works by differences has kept A and D.
    CHECK_EQ(*entry & ~(ACCESSED | DIRTY), 0);
    set(entry, 0);
  }
  note("\n");
}

// --- instructions that touch two tables, or tables and data ----------------------------------------------

// The frames lie in one aligned 64 KB: what tells them apart is in byte 1 of an entry, and P and R/W in byte 0.
static void straddling(void) {
  // One dword over two entries of a table: the frame of the one, P of the other.
  u32 low = WINDOW_A + 400 * PAGE, high = low + PAGE;
  set(&t.a[400], FRAME(0) | P | RW);
  set(&t.a[401], FRAME(1) | RW);
  CHECK_EQ(read32(low), SIGNATURE(0));
  write32((u32)&t.a[400] + 1, FRAME(2) >> 8 | (P | RW) << 24);
  invlpg(low);
  CHECK_EQ(read32(low), SIGNATURE(2));
  CHECK_EQ(read32(high), SIGNATURE(1));

  // One dword over the last entry of table A and the first of table B, which are two page-table pages.
  low = WINDOW_A + 1023 * PAGE, high = WINDOW_B;
  set(&t.a[1023], P | RW);
  set(&t.b[0], FRAME(5) | RW);
  write32((u32)&t.a[1023] + 1, FRAME(4) >> 8 | (P | RW) << 24);
  CHECK_EQ(read32(low), SIGNATURE(4));
  CHECK_EQ(read32(high), SIGNATURE(5));
  // A locked read-modify-write there: another frame for the one, read-only for the other.
  asm volatile("lock xorl %1, (%0)" : : "r"((u32)&t.a[1023] + 1), "r"((FRAME(4) ^ FRAME(6)) >> 8 | RW << 24) : "memory", "cc");
  invlpg(low);
  invlpg(high);
  CHECK_EQ(read32(low), SIGNATURE(6));
  CHECK_EQ(TRY("movl %0, (%0)", "r"(high)), 1);
  CHECK_PAGE_FAULT(3, high);
  // CMPXCHG8B over both: back.
  asm volatile("movl (%%esi), %%eax\n\tmovl 4(%%esi), %%edx\n\tmovl %%eax, %%ebx\n\tmovl %%edx, %%ecx\n\t"
               "xorl %0, %%ebx\n\tlock cmpxchg8b (%%esi)"
               : : "D"((FRAME(4) ^ FRAME(6)) >> 8 | RW << 24), "S"((u32)&t.a[1023] + 1) : "eax", "ebx", "ecx", "edx", "memory", "cc");
  invlpg(low);
  invlpg(high);
  // An access over the two pages they map.
  write32(low + 0xffe, 0x89abcdef);
  CHECK_EQ(*(u16 *)(FRAME(4) + 0xffe), 0xcdef);
  CHECK_EQ(*(u16 *)FRAME(5), 0x89ab);
  CHECK_EQ(read32(low + 0xffe), 0x89abcdef);

  // From ordinary data into a table, and from a table into ordinary data.
  set(&t.a[0], FRAME(7) | RW);
  write32((u32)&t.a[0] - 3, 0x123456 | (P | RW) << 24);
  CHECK_EQ(read32(WINDOW_A), SIGNATURE(7));
  CHECK_EQ(t.before[4093] | t.before[4094] << 8 | t.before[4095] << 16, 0x123456);
  set(&t.b[1023], P | RW);
  u32 over = FRAME(8) >> 8 | 0x78000000u;
  asm volatile("xchgl %0, (%1)" : "+r"(over) : "r"((u32)&t.b[1023] + 1) : "memory");
  CHECK_EQ(over, 0);
  CHECK_EQ(t.after[0], 0x78);
  CHECK_EQ(read32(WINDOW_B + 1023 * PAGE), SIGNATURE(8));
}

// Position-independent: ECX = new entry, EDX = address of the entry, EBX = the address to flush, ESI = way back.
extern const u8 code_swap[], code_swap_end[], code_lazy[], code_lazy_end[], code_leave[];
asm(".text\n"
    "code_swap:\n\tmovl %ecx, (%edx)\n\tinvlpg (%ebx)\n\tmovl $0x11111111, %eax\n\tjmp *%esi\ncode_swap_end:\n"
    "code_lazy:\n\txchgl %ecx, (%edx)\n\tmovl $0x11111111, %eax\n\tcmpl $0x11111111, %eax\n\tsete %cl\n\t"
    "cmpl $0x22222222, %eax\n\tsete %al\n\torb %cl, %al\n\tmovzbl %al, %eax\n\tmovl $0, %ecx\n\ttestl %eax, %eax\n\tjmp *%esi\n"
    "code_lazy_end:\n"
    "code_leave:\n\tmovl %ecx, %cr3\n\tnop\n");

static u32 run_with(u32 code, u32 *entry, u32 new, u32 flush) {
  u32 result;
  asm volatile("movl $1f, %%esi\n\tjmp *%%edi\n1:"
               : "=a"(result), "+c"(new) : "d"(entry), "b"(flush), "D"(code) : "esi", "memory", "cc");
  return result;
}
static u32 run_at(u32 linear, u32 *entry, u32 new) { return run_with(linear, entry, new, linear); }

static void two_tables(void) {
  // MOVSD and REP MOVSD from table to table.
  for (u32 i = 0; i < 8; i++) set(&t.a[500 + i], FRAME(i) | P | RW | US);
  for (u32 i = 0; i < 8; i++) CHECK_EQ(read32(WINDOW_A + (500 + i) * PAGE), SIGNATURE(i));
  const u32 *from = &t.a[500];
  u32 *to = &t.b[600], count = 7;
  asm volatile("movsl\n\trep movsl" : "+S"(from), "+D"(to), "+c"(count) : : "memory");
  for (u32 i = 0; i < 8; i++) CHECK_EQ(read32(WINDOW_B + (600 + i) * PAGE), SIGNATURE(i));
  CHECK_EQ(t.b[607] & ~0x60u, FRAME(7) | P | RW | US);

  // CMPSD over both; they have the same A and D bits by now.
  from = &t.a[500], to = &t.b[600], count = 8;
  u8 equal;
  asm volatile("repe cmpsl\n\tsete %0" : "=q"(equal), "+S"(from), "+D"(to), "+c"(count) : : "memory", "cc");
  CHECK_EQ(equal, 1);

  // PUSH m32 from a table onto the ordinary stack, onto a stack in a table, and POP from there into a table.
  u32 value, keep;
  asm volatile("pushl (%1)\n\tpopl %0" : "=r"(value) : "r"(&t.a[503]) : "memory");
  CHECK_EQ(value & ~0x60u, FRAME(3) | P | RW | US);
  asm volatile("movl %%esp, %0\n\tmovl %2, %%esp\n\tpushl (%1)\n\tpushl 4(%1)\n\tmovl %0, %%esp"
               : "=&r"(keep) : "r"(&t.a[504]), "r"(&t.b[700]) : "memory");
  CHECK_EQ(read32(WINDOW_B + 699 * PAGE), SIGNATURE(4));
  CHECK_EQ(read32(WINDOW_B + 698 * PAGE), SIGNATURE(5));
  asm volatile("movl %%esp, %0\n\tmovl %2, %%esp\n\tpopl (%1)\n\tmovl %0, %%esp"
               : "=&r"(keep) : "r"(&t.a[505]), "r"(&t.b[699]) : "memory");
  invlpg(WINDOW_A + 505 * PAGE);
  CHECK_EQ(read32(WINDOW_A + 505 * PAGE), SIGNATURE(4));

  // CALL and INT 3 with the stack in a table: what they push are entries of addresses that nobody touches.
  u32 top = (u32)&table_c[512];
  asm volatile("movl %%esp, %0\n\tmovl %1, %%esp\n\tcall 1f\n1:\tpopl %%eax\n\tcmpl $1b, %%eax\n\tsete %%al\n\tmovzbl %%al, %%eax\n\tmovl %0, %%esp"
               : "=&S"(keep), "=&a"(value) : "1"(top) : "memory", "cc");
  CHECK_EQ(value, 1);
  CHECK((table_c[511] & ~0xfffu) >= 0x100000);
  CHECK_EQ(TRY("movl %0, %%esp\n\tint3", "r"(top)), 1);
  CHECK_FAULT(3, 0);
  CHECK_EQ(trap.esp, top);
  CHECK_EQ(table_c[510], KERNEL_CS);
  CHECK_EQ(table_c[509], trap.eip);
  // The frame of an INT 3 over two tables: what lies below belongs to the handler.
  CHECK_EQ(TRY("movl %0, %%esp\n\tint3", "r"(&t.b[1])), 1);
  CHECK_FAULT(3, 0);
  CHECK_EQ(t.a[1023], KERNEL_CS);
  CHECK_EQ(t.a[1022], trap.eip);
  fill32(&t.a[900], 0, 126);
  fill32(table_c, 0, 1024);
  reload_cr3();

  // MOVSD and PUSH from over two tables to over two others: four tables in one instruction.
  set(&t.a[1023], FRAME(1) | P | RW);
  set(&t.b[0], FRAME(2) | P | RW);
  from = (u32 *)((u32)&t.a[1023] + 2), to = (u32 *)((u32)&table_c[1023] + 2);
  set(&table_c[1023], (FRAME(3) & 0xffffu) | P | RW);
  set(&table_d[0], FRAME(3) & 0xffff0000u);
  asm volatile("movsl" : "+S"(from), "+D"(to) : : "memory");
  CHECK_EQ(read32(WINDOW_C + 1023 * PAGE), SIGNATURE(3));
  CHECK_EQ(read32(WINDOW_D), SIGNATURE(2));
  asm volatile("movl %%esp, %0\n\tmovl %2, %%esp\n\tpushl (%1)\n\tmovl %0, %%esp"
               : "=&r"(keep) : "r"((u32)&t.a[1023] + 1), "r"((u32)&table_d[0] + 1) : "memory");
  // Bytes 1-3 of the one and byte 0 of the other.
  CHECK_EQ(table_c[1023] & ~0x60u, FRAME(1) | P | RW);
  invlpg(WINDOW_C + 1023 * PAGE);
  CHECK_EQ(read32(WINDOW_C + 1023 * PAGE), SIGNATURE(1));

  // Code in a page that is a table in use, and edits it: the entry that maps other data, and its own page's.
  u8 *code = (u8 *)&table_c[600];
  copy(code, code_swap, (u32)(code_swap_end - code_swap));
  set(&table_c[20], FRAME(4) | P | RW);
  CHECK_EQ(read32(WINDOW_C + 20 * PAGE), SIGNATURE(4));
  CHECK_EQ(run_with((u32)code, &table_c[20], FRAME(5) | P | RW, WINDOW_C + 20 * PAGE), 0x11111111);
  CHECK_EQ(read32(WINDOW_C + 20 * PAGE), SIGNATURE(5));
  set(&table_c[21], (u32)table_c | P | RW);
  CHECK_EQ(run_with(WINDOW_C + 21 * PAGE + 600 * 4, &table_c[22], FRAME(6) | P | RW, WINDOW_C + 22 * PAGE), 0x11111111);
  CHECK_EQ(read32(WINDOW_C + 22 * PAGE), SIGNATURE(6));
  // It rewrites its own instructions, too, while it is a table: the immediate behind the two it has run.
  CHECK_EQ(run_with((u32)code, (u32 *)(code + 6), 0x22222222, WINDOW_C), 0x22222222);
  fill32(table_c, 0, 1024);
  fill32(table_d, 0, 1);
  fill32(&t.a[1023], 0, 1);
  fill32(t.b, 0, 1);
  reload_cr3();
}

// --- an instruction that rewrites the mapping of its own code, stack or operand ---------------------------

static void own_code(void) {
  u32 slot = 420, linear = WINDOW_A + slot * PAGE, *entry = &t.a[slot];
  u8 *one = (u8 *)FRAME(10), *two = (u8 *)FRAME(11);
  u32 to_one = FRAME(10) | P | RW, to_two = FRAME(11) | P | RW;
  copy(one + 64, code_swap, (u32)(code_swap_end - code_swap));
  copy(two + 64, code_swap, (u32)(code_swap_end - code_swap));
  fill32(two + 64 + 6, 0x22222222, 1);  // the immediate behind MOV (2 bytes), INVLPG (3) and the opcode
  CHECK_EQ(*(u32 *)(one + 64 + 6), 0x11111111);
  set(entry, to_one);
  CHECK_EQ(run_at(linear + 64, entry, to_two), 0x22222222);
  CHECK_EQ(run_at(linear + 64, entry, to_one), 0x11111111);

  // Without INVLPG, from the one frame or the other.
  u32 length = (u32)(code_lazy_end - code_lazy);
  copy(one + 128, code_lazy, length);
  copy(two + 128, code_lazy, length);
  fill32(two + 128 + 3, 0x22222222, 1);
  CHECK_EQ(run_at(linear + 128, entry, to_two), 1);
  invlpg(linear);
  CHECK_EQ(read32(linear + 128 + 3), 0x22222222);

  // Code that takes its own page away, by loading another directory: the next fetch faults, at its own address.
  copy(two + 256, code_leave, 4);
  copy(second_directory, directory, PAGE);
  second_directory[DIRECTORY_INDEX(WINDOW_A)] = 0;
  CHECK_EQ(TRY("jmp *%0", "r"(linear + 256), "c"(second_directory)), 1);
  CHECK_PAGE_FAULT(0, linear + 256 + 3);
  CHECK_EQ(trap.eip, linear + 256 + 3);
  set_cr3((u32)directory);
  fill32(second_directory, 0, 1024);
  set(entry, 0);
  invlpg(linear);
  CHECK_EQ(TRY("jmp *%0", "r"(linear + 64)), 1);
  CHECK_PAGE_FAULT(0, linear + 64);

  // An instruction whose second half lies on a page that is not there: EIP is its start, CR2 the page.
  set(entry, to_one);
  invlpg(linear);
  u8 *end = one + PAGE - 2;
  u8 keep[2] = {end[0], end[1]};
  end[0] = 0xb8, end[1] = 0x78;  // mov $..., %eax
  CHECK_EQ(TRY("jmp *%0", "r"(linear + PAGE - 2)), 1);
  CHECK_PAGE_FAULT(0, linear + PAGE);
  CHECK_EQ(trap.eip, linear + PAGE - 2);
  static const u8 rest[] = {0x56, 0x34, 0x12, 0xff, 0xe6};  // ...123456, jmp *%esi
  copy((u8 *)FRAME(12), rest, sizeof rest);
  set(entry + 1, FRAME(12) | P);
  CHECK_EQ(run_at(linear + PAGE - 2, entry, 0), 0x12345678);
  end[0] = keep[0], end[1] = keep[1];
  fill32((u8 *)FRAME(12), SIGNATURE(12), 1);
  fill32((u8 *)FRAME(12) + 4, 0, 1);
  set(entry + 1, 0);
  set(entry, 0);
  reload_cr3();
}

static void own_stack(void) {
  u32 slot = 430, linear = WINDOW_A + slot * PAGE, *entry = &t.a[slot], result, keep;
  u32 to_a = FRAME(13) | P | RW, to_b = FRAME(14) | P | RW;
  set(entry, to_a);

  // The page under ESP is exchanged between a push and the pop.
  write32(FRAME(14) + 0x7fc, 0x0b0b0b0b);
  asm volatile("movl %%esp, %1\n\tleal 0x800(%2), %%esp\n\tpushl $0x0a0a0a0a\n\tmovl %3, (%4)\n\tinvlpg (%2)\n\tpopl %0\n\tmovl %1, %%esp"
               : "=&r"(result), "=&r"(keep) : "r"(linear), "r"(to_b), "r"(entry) : "memory");
  CHECK_EQ(result, 0x0b0b0b0b);
  CHECK_EQ(read32(FRAME(13) + 0x7fc), 0x0a0a0a0a);

  // POP into the entry that maps the stack it pops from.
  write32(FRAME(14) + 0x800, to_a);
  write32(FRAME(13) + 0x804, 0x0c0c0c0c);
  asm volatile("movl %%esp, %1\n\tleal 0x800(%2), %%esp\n\tpopl (%3)\n\tinvlpg (%2)\n\tpopl %0\n\tmovl %1, %%esp"
               : "=&r"(result), "=&r"(keep) : "r"(linear), "r"(entry) : "memory");
  CHECK_EQ(result, 0x0c0c0c0c);

  // PUSH onto a stack that is the very table that maps it.
  linear = WINDOW_C + 40 * PAGE;
  set(&table_c[40], (u32)table_c | P | RW);
  asm volatile("movl %%esp, %0\n\tleal 41*4(%1), %%esp\n\tpushl %2\n\tmovl %0, %%esp"
               : "=&r"(keep) : "r"(linear), "r"(to_b) : "memory");
  CHECK_EQ(table_c[40] & ~0x60u, to_b);
  invlpg(linear);
  CHECK_EQ(read32(linear), SIGNATURE(14));
  set(&table_c[40], 0);
  invlpg(linear);
}

// A and D are set from the start: whether a read-modify-write of its own entry reads it before or after the processor
// sets them there is not for us to say.
static void own_operand(void) {
  u32 linear = WINDOW_C + 50 * PAGE, mine = linear + 50 * 4, self = (u32)table_c | P | RW | ACCESSED | DIRTY;
  set(&table_c[50], self);
  CHECK_EQ(read32(mine), self);
  u32 value = FRAME(3) | P | RW;
  asm volatile("xchgl %0, (%1)" : "+r"(value) : "r"(mine) : "memory");
  CHECK_EQ(value, self);
  invlpg(linear);
  CHECK_EQ(read32(linear), SIGNATURE(3));
  set(&table_c[50], self);
  invlpg(linear);
  // MOVSD whose destination is the entry that maps it, as the last of a run.
  u32 image[4] = {FRAME(4) | P | RW, FRAME(5) | P | RW, 0, FRAME(6) | P | RW};
  u32 *from = image, to = linear + 47 * 4, count = 4;
  asm volatile("rep movsl" : "+S"(from), "+D"(to), "+c"(count) : : "memory");
  invlpg(linear);
  CHECK_EQ(read32(linear), SIGNATURE(6));
  CHECK_EQ(read32(WINDOW_C + 47 * PAGE), SIGNATURE(4));
  CHECK_EQ(read32(WINDOW_C + 48 * PAGE), SIGNATURE(5));
  // CMPXCHG8B over the pair of which one maps it.
  set(&table_c[50], self);
  invlpg(linear);
  asm volatile("movl (%%esi), %%eax\n\tmovl 4(%%esi), %%edx\n\tlock cmpxchg8b (%%esi)"
               : : "S"(mine), "b"(FRAME(1) | P | RW), "c"(FRAME(2) | P | RW) : "eax", "edx", "memory", "cc");
  invlpg(linear);
  CHECK_EQ(read32(linear), SIGNATURE(1));
  CHECK_EQ(read32(linear + PAGE), SIGNATURE(2));
  fill32(table_c, 0, 1024);
  reload_cr3();
}

// --- directories, recursion, aliases, inactive tables ------------------------------------------------------

static void directories(void) {
  u32 linear = WINDOW_C + 60 * PAGE, *pde = &directory[DIRECTORY_INDEX(WINDOW_C)];
  set(&table_c[60], FRAME(0) | P | RW);
  set(&table_d[60], FRAME(1) | P | RW);
  CHECK_EQ(read32(linear), SIGNATURE(0));
  set(pde, (u32)table_d | P | RW | US);
  invlpg(linear);
  CHECK_EQ(read32(linear), SIGNATURE(1));
  // The table that is no longer used, edited; then used again.
  set(&table_c[60], FRAME(2) | P | RW);
  asm volatile("xchgl %0, (%1)" : : "r"((u32)table_c | P | RW | US), "r"(pde) : "memory");
  reload_cr3();
  CHECK_EQ(read32(linear), SIGNATURE(2));
  // Directory entry gone, with BTR; back, with BTS and no INVLPG.
  asm volatile("btrl $0, (%0)" : : "r"(pde) : "memory", "cc");
  reload_cr3();
  CHECK_EQ(TRY("movl (%0), %%eax", "r"(linear)), 1);
  CHECK_PAGE_FAULT(0, linear);
  asm volatile("lock btsl $0, (%0)" : : "r"(pde) : "memory", "cc");
  CHECK_EQ(read32(linear), SIGNATURE(2));
  // One frame as the table of two windows.
  directory[DIRECTORY_INDEX(WINDOW_D)] = (u32)table_c | P | RW | US;
  CHECK_EQ(read32(WINDOW_D + 60 * PAGE), SIGNATURE(2));
  set(&table_c[60], FRAME(3) | P | RW);
  invlpg(linear);
  invlpg(WINDOW_D + 60 * PAGE);
  CHECK_EQ(read32(WINDOW_D + 60 * PAGE), SIGNATURE(3));
  CHECK_EQ(read32(linear), SIGNATURE(3));
  directory[DIRECTORY_INDEX(WINDOW_D)] = (u32)table_d | P | RW | US;
  reload_cr3();

  // A second directory: edits of the one that is not loaded have no effect, until it is.
  copy(second_directory, directory, PAGE);
  set_cr3((u32)second_directory);
  CHECK_EQ(get_cr3(), (u32)second_directory);
  directory[DIRECTORY_INDEX(WINDOW_C)] = 0;
  CHECK_EQ(read32(linear), SIGNATURE(3));
  set(&second_directory[DIRECTORY_INDEX(WINDOW_C)], (u32)table_d | P | RW | US);
  invlpg(linear);
  CHECK_EQ(read32(linear), SIGNATURE(1));
  set_cr3((u32)directory);
  CHECK_EQ(TRY("movl (%0), %%eax", "r"(linear)), 1);
  CHECK_PAGE_FAULT(0, linear);
  directory[DIRECTORY_INDEX(WINDOW_C)] = (u32)table_c | P | RW | US;
  CHECK_EQ(read32(linear), SIGNATURE(3));
  // The one page as directory and, elsewhere, as a table of itself: below.
  fill32(second_directory, 0, 1024);
}

// A page table in the display adapter's memory: a place that no monitor can write-protect.
static void table_in_device_memory(void) {
  u32 *table = (u32 *)0x000bc000, *pde = &directory[DIRECTORY_INDEX(WINDOW_C)], linear = WINDOW_C + 60 * PAGE;
  u32 before = *pde;
  fill32(table, 0, 1024);
  table[60] = FRAME(3) | P | RW;
  set(pde, (u32)table | P | RW);
  reload_cr3();
  CHECK_EQ(read32(linear), SIGNATURE(3));
  table[60] = FRAME(4) | P | RW;
  invlpg(linear);
  CHECK_EQ(read32(linear), SIGNATURE(4));
  write32(linear + 8, 0x5eed);
  CHECK_EQ(read32(FRAME(4) + 8), 0x5eed);
  write32(linear + 8, 0);
  table[60] = 0;
  invlpg(linear);
  CHECK_EQ(TRY("movl (%0), %%eax", "r"(linear)), 1);
  CHECK_PAGE_FAULT(0, linear);
  set(pde, before);
  reload_cr3();
  fill32(table, 0, 1024);
}

static void recursion(void) {
  u32 slot = 0xc00 / 4;
  directory[slot] = (u32)directory | P | RW;
  u32 *entries = (u32 *)RECURSIVE, *self = (u32 *)(RECURSIVE + slot * PAGE);
  u32 linear = WINDOW_A + 440 * PAGE;
  CHECK_EQ(self[DIRECTORY_INDEX(WINDOW_A)] & ~0x60u, (u32)t.a | P | RW | US);
  entries[linear >> 12] = FRAME(4) | P | RW;
  CHECK_EQ(read32(linear), SIGNATURE(4));
  asm volatile("xorl %1, (%0)" : : "r"(&entries[linear >> 12]), "r"(FRAME(4) ^ FRAME(5)) : "memory", "cc");
  invlpg(linear);
  CHECK_EQ(read32(linear), SIGNATURE(5));
  // A new table through the directory's own window.
  self[DIRECTORY_INDEX(WINDOW_LARGE)] = (u32)table_d | P | RW;
  CHECK_EQ(read32(WINDOW_LARGE + 60 * PAGE), SIGNATURE(1));
  self[DIRECTORY_INDEX(WINDOW_LARGE)] = 0;
  reload_cr3();
  // The entry that maps the window, removed through the window.
  asm volatile("movl $0, (%0)\n\tinvlpg (%0)" : : "r"(&self[slot]) : "memory");
  CHECK_EQ(TRY("movl $0, (%0)", "r"(&self[slot])), 1);
  CHECK_PAGE_FAULT(2, &self[slot]);
  reload_cr3();
  CHECK_EQ(TRY("movl $0, (%0)", "r"(&entries[linear >> 12])), 1);
  CHECK_PAGE_FAULT(2, &entries[linear >> 12]);
  set(&t.a[440], 0);
  invlpg(linear);
}

static void aliases(void) {
  // Table A seen through a page of window D: writable, read-only, and by ring 3.
  u32 alias = WINDOW_D + 70 * PAGE, linear = WINDOW_A + 450 * PAGE, entry = alias + 450 * 4;
  set(&table_d[70], (u32)t.a | P | RW);
  write32(entry, FRAME(2) | P | RW);
  CHECK_EQ(read32(linear), SIGNATURE(2));
  fill32((void *)entry, FRAME(3) | P | RW, 1);
  invlpg(linear);
  CHECK_EQ(read32(linear), SIGNATURE(3));
  // A fault of the guest's own in the middle of an edit: REP STOSD over the end of the alias.
  u32 count = 3, to = alias + 1022 * 4;
  u32 saved[2] = {t.a[1022], t.a[1023]};
  CHECK_EQ(TRY("rep stosl", "D"(to), "c"(count), "a"(FRAME(1) | P | RW)), 1);
  CHECK_PAGE_FAULT(2, alias + PAGE);
  CHECK_EQ(trap.eip, trap_site);
  CHECK_EQ(trap.ecx, 1);
  CHECK_EQ(trap.edi, alias + PAGE);
  invlpg(WINDOW_A + 1022 * PAGE);
  CHECK_EQ(read32(WINDOW_A + 1022 * PAGE), SIGNATURE(1));
  set(&t.a[1022], saved[0]);
  set(&t.a[1023], saved[1]);
  reload_cr3();
  // Read-only: the edit faults and changes nothing.
  set(&table_d[70], (u32)t.a | P);
  invlpg(alias);
  CHECK_EQ(TRY("movl $0, (%0)", "r"(entry)), 1);
  CHECK_PAGE_FAULT(3, entry);
  CHECK_EQ(t.a[450] & ~0x60u, FRAME(3) | P | RW);
  CHECK_EQ(read32(entry) & ~0x60u, FRAME(3) | P | RW);
  // Ring 3 edits an active table, with MOV and with OR.
  set(&table_d[70], (u32)t.a | P | RW | US);
  invlpg(alias);
  user(user_write, entry, FRAME(5) | RW);
  CHECK_USER_TRAP(0x80, 0);
  user(user_rmw, entry, P | US);
  CHECK_USER_TRAP(0x80, 0);
  invlpg(linear);
  CHECK_EQ(read32(linear), SIGNATURE(5));
  user(user_read, linear, 0);
  CHECK_USER_TRAP(0x80, 0);
  CHECK_EQ(trap.ecx, SIGNATURE(5));
  set(&table_d[70], 0);
  set(&t.a[450], 0);
  reload_cr3();
}

static void paging_off_and_on(void) {
  u32 linear = WINDOW_A + 460 * PAGE;
  set(&t.a[460], FRAME(6) | P | RW);
  CHECK_EQ(read32(linear), SIGNATURE(6));
  u32 cr0 = get_cr0();
  set_cr0(cr0 & ~CR0_PG);
  set(&t.a[460], FRAME(7) | P | RW);
  CHECK_EQ(read32((u32)&t.a[460]), FRAME(7) | P | RW);
  set_cr0(cr0);
  CHECK_EQ(get_cr0(), cr0);
  reload_cr3();
  CHECK_EQ(read32(linear), SIGNATURE(7));
  set(&t.a[460], 0);
  invlpg(linear);
}

// --- 4 MB and global pages ---------------------------------------------------------------------------------

static void large_pages(void) {
  u32 *pde = &directory[DIRECTORY_INDEX(WINDOW_LARGE)], memory = 0x00800000;
  write32(memory + 0x123458, 0xfeed0001);
  set(pde, memory | P | RW | PS);
  CHECK_EQ(read32(WINDOW_LARGE + 0x123458), 0xfeed0001);
  CHECK_EQ(*pde & (ACCESSED | DIRTY), ACCESSED);
  write32(WINDOW_LARGE + 0x3ffffc, 0xfeed0002);
  CHECK_EQ(*pde & (ACCESSED | DIRTY), ACCESSED | DIRTY);
  CHECK_EQ(read32(memory + 0x3ffffc), 0xfeed0002);
  user(user_read, WINDOW_LARGE, 0);
  CHECK_USER_TRAP(14, 5);
  CHECK_EQ(trap.cr2, WINDOW_LARGE);
  // Read-only.
  set(pde, memory | P | PS);
  invlpg(WINDOW_LARGE);
  CHECK_EQ(TRY("movl $0, (%0)", "r"(WINDOW_LARGE + 0x200004)), 1);
  CHECK_PAGE_FAULT(3, WINDOW_LARGE + 0x200004);
  // Another 4 MB: physical 0, where our tables are seen and edited.
  set(pde, 0 | P | RW | PS);
  invlpg(WINDOW_LARGE);
  u32 entry = WINDOW_LARGE + (u32)&t.a[470], linear = WINDOW_A + 470 * PAGE;
  write32(entry, FRAME(1) | P | RW);
  CHECK_EQ(read32(linear), SIGNATURE(1));
  asm volatile("btcl $0, (%0)" : : "r"(entry) : "memory", "cc");
  invlpg(linear);
  CHECK_EQ(TRY("movl (%0), %%eax", "r"(linear)), 1);
  CHECK_PAGE_FAULT(0, linear);
  write32(entry, 0);
  // A reserved bit.
  set(pde, memory | 1u << 21 | P | RW | PS);
  invlpg(WINDOW_LARGE);
  CHECK_EQ(TRY("movl (%0), %%eax", "r"(WINDOW_LARGE)), 1);
  CHECK_PAGE_FAULT(on_tcg ? trap.error : 9, WINDOW_LARGE);  // TCG leaves P out: 8
  // Without CR4.PSE the same entry names a table, here at the start of that memory.
  fill32((void *)memory, 0, 1024);
  write32(memory + 4, FRAME(2) | P | RW);
  set(pde, memory | P | RW | PS);
  set_cr4(get_cr4() & ~CR4_PSE);
  reload_cr3();
  CHECK_EQ(read32(WINDOW_LARGE + PAGE), SIGNATURE(2));
  CHECK_EQ(TRY("movl (%0), %%eax", "r"(WINDOW_LARGE)), 1);
  CHECK_PAGE_FAULT(0, WINDOW_LARGE);
  set_cr4(get_cr4() | CR4_PSE);
  reload_cr3();
  CHECK_EQ(read32(WINDOW_LARGE + 4) & ~0x60u, FRAME(2) | P | RW);
  // From 4 MB to 4 KB pages and back, with INVLPG on the page in question.
  set(&table_d[9], FRAME(9) | P | RW);
  set(pde, (u32)table_d | P | RW);
  invlpg(WINDOW_LARGE + 9 * PAGE);
  reload_cr3();
  CHECK_EQ(read32(WINDOW_LARGE + 9 * PAGE), SIGNATURE(9));
  set(pde, memory | P | RW | PS);
  reload_cr3();
  CHECK_EQ(read32(WINDOW_LARGE + 9 * PAGE), 0);
  set(pde, 0);
  set(&table_d[9], 0);
  reload_cr3();
}

static void global_pages(void) {
  u32 linear = WINDOW_A + 480 * PAGE, *entry = &t.a[480];
  set_cr4(get_cr4() | CR4_PGE);
  CHECK_EQ(get_cr4() & (CR4_PGE | CR4_PSE), CR4_PGE | CR4_PSE);
  set(entry, FRAME(1) | P | RW | GLOBAL);
  CHECK_EQ(read32(linear), SIGNATURE(1));
  set(entry, FRAME(2) | P | RW | GLOBAL);
  reload_cr3();
  CHECK(sees_either(linear, SIGNATURE(1), SIGNATURE(2)));
  invlpg(linear);
  CHECK_EQ(read32(linear), SIGNATURE(2));
  set(entry, FRAME(3) | P | RW | GLOBAL);
  set_cr4(get_cr4() & ~CR4_PGE);
  CHECK_EQ(read32(linear), SIGNATURE(3));
  set_cr4(get_cr4() | CR4_PGE);
  // A page that is not global goes with CR3.
  set(entry, FRAME(4) | P | RW);
  set_cr4(get_cr4() & ~CR4_PGE);
  set_cr4(get_cr4() | CR4_PGE);
  CHECK_EQ(read32(linear), SIGNATURE(4));
  set(entry, FRAME(5) | P | RW);
  reload_cr3();
  CHECK_EQ(read32(linear), SIGNATURE(5));
  set(entry, 0);
  invlpg(linear);
  set_cr4(get_cr4() & ~CR4_PGE);
}

// --- rights, accessed and dirty, faults in the middle --------------------------------------------------------

static void rights(void) {
  u32 linear = WINDOW_D + 80 * PAGE + 0x124, *pde = &directory[DIRECTORY_INDEX(WINDOW_D)];
  for (u32 wp = 0; wp < 2; wp++) {
    set_cr0(wp ? get_cr0() | CR0_WP : get_cr0() & ~CR0_WP);
    for (u32 upper = 0; upper < 4; upper++) {
      for (u32 lower = 0; lower < 8; lower++) {
        set(pde, (u32)table_d | P | upper << 1);
        set(&table_d[80], FRAME(9) | lower);
        reload_cr3();
        u32 both = (upper << 1 | P) & lower;
        for (u32 access = 0; access < 4; access++) {
          u32 by_user = access & 2 ? 1 : 0, write = access & 1;
          u32 faults = !(both & P) || (by_user && !(both & US)) || (write && !(both & RW) && (by_user || wp));
          if (by_user) {
            user(write ? user_write : user_read, linear, 0x77);
            CHECK_EQ(trap.vector, faults ? 14 : 0x80);
          } else if (write) {
            CHECK_EQ(TRY("movl $0x77, (%0)", "r"(linear)), faults);
          } else {
            CHECK_EQ(TRY("movl (%0), %%eax", "r"(linear)), faults);
          }
          if (!faults) continue;
          CHECK_EQ(trap.vector, 14);
          CHECK_EQ(trap.error, (both & P) | write << 1 | by_user << 2);
          CHECK_EQ(trap.cr2, linear);
        }
      }
    }
  }
  // A read-modify-write of a read-only page faults as a write; ring 0 writes there with WP off, and D is set.
  set(pde, (u32)table_d | P | RW | US);
  set(&table_d[80], FRAME(9) | P | US);
  reload_cr3();
  CHECK_EQ(TRY("lock orl $1, (%0)", "r"(linear)), 1);
  CHECK_PAGE_FAULT(3, linear);
  set_cr0(get_cr0() & ~CR0_WP);
  asm volatile("incl (%0)" : : "r"(linear) : "memory", "cc");
  CHECK_EQ(table_d[80], FRAME(9) | P | US | ACCESSED | DIRTY);
  user(user_rmw, linear, 1);
  CHECK_USER_TRAP(14, 7);
  set_cr0(get_cr0() | CR0_WP);
  CHECK_EQ(TRY("incl (%0)", "r"(linear)), 1);
  CHECK_PAGE_FAULT(3, linear);
  // Fetch by ring 3 from a supervisor page, and ring 3 on a supervisor stack.
  user(user_fetch, (u32)main, 0);
  CHECK_USER_TRAP(14, 5);
  CHECK_EQ(trap.eip, (u32)main);
  CHECK_EQ(trap.cr2, (u32)main);
  set(&table_d[80], 0);
  invlpg(linear);
}

static void accessed_and_dirty(void) {
  u32 linear = WINDOW_D + 90 * PAGE, *entry = &table_d[90], *pde = &directory[DIRECTORY_INDEX(WINDOW_D)];
  set(pde, (u32)table_d | P | RW | US);
  reload_cr3();
  set(entry, FRAME(10) | P | RW);
  CHECK_EQ(read32(linear) >> 16, SIGNATURE(0) >> 16);
  CHECK_EQ(*entry & 0x60, ACCESSED);
  CHECK_EQ(*pde & ACCESSED, ACCESSED);
  write32(linear + 8, 1);
  CHECK_EQ(*entry & 0x60, ACCESSED | DIRTY);
  // Cleared with the flush that makes it visible.
  asm volatile("andl $~0x60, (%0)\n\tinvlpg (%1)" : : "r"(entry), "r"(linear) : "memory", "cc");
  CHECK_EQ(*entry & 0x60, 0);
  CHECK_EQ(read32(linear) >> 16, SIGNATURE(0) >> 16);
  CHECK_EQ(*entry & 0x60, ACCESSED);
  // A write straight away sets both; a fault sets nothing.
  set(entry, FRAME(10) | P | RW);
  invlpg(linear);
  write32(linear + 8, 2);
  CHECK_EQ(*entry & 0x60, ACCESSED | DIRTY);
  set(entry, FRAME(10) | P);
  invlpg(linear);
  CHECK_EQ(TRY("movl $0, (%0)", "r"(linear)), 1);
  CHECK_PAGE_FAULT(3, linear);
  CHECK_EQ(*entry & DIRTY, 0);
  set(entry, 0);
  invlpg(linear);
}

static u32 demanded;

/** Maps what is asked for in pages 100-107 of window D, and lets the instruction go on. */
static u32 demand(struct frame *frame) {
  u32 address = get_cr2(), page = address >> 12 & 1023;
  if ((address & ~0x3fffffu) != WINDOW_D || page < 100 || page > 107 || (frame->error & ~2u)) return 0;
  set(&table_d[page], FRAME(page - 100) | P | RW);
  demanded++;
  return 1;
}

static void faults_in_the_middle(void) {
  u32 linear = WINDOW_D + 110 * PAGE;
  set(&table_d[110], FRAME(12) | P | RW);
  write32(linear + 0xffc, 0x01020304);

  // A write over a page's end where the second page is missing or read-only: CR2 is its start, nothing is written.
  CHECK_EQ(TRY("movl $-1, (%0)", "r"(linear + 0xffe)), 1);
  CHECK_PAGE_FAULT(2, linear + PAGE);
  set(&table_d[111], FRAME(13) | P);
  CHECK_EQ(TRY("movl $-1, (%0)", "r"(linear + 0xffd)), 1);
  CHECK_PAGE_FAULT(3, linear + PAGE);
  CHECK_EQ(TRY("addl $1, (%0)", "r"(linear + 0xfff)), 1);
  CHECK_PAGE_FAULT(3, linear + PAGE);
  CHECK_EQ(read32(linear + 0xffc), 0x01020304);
  // The first one missing.
  CHECK_EQ(TRY("movl $-1, (%0)", "r"(linear - 2)), 1);
  CHECK_PAGE_FAULT(2, linear - 2);

  // REP STOSD stops with its registers where it stands, also downwards.
  CHECK_EQ(TRY("rep stosl", "D"(linear + 0xff0), "c"(8), "a"(0x5555)), 1);
  CHECK_PAGE_FAULT(3, linear + PAGE);
  CHECK_EQ(trap.eip, trap_site);
  CHECK_EQ(trap.ecx, 4);
  CHECK_EQ(trap.edi, linear + PAGE);
  CHECK_EQ(read32(linear + 0xffc), 0x5555);
  CHECK_EQ(TRY("std\n\trep stosl\n\tcld", "D"(linear + 8), "c"(8), "a"(0x6666)), 1);
  CHECK_PAGE_FAULT(2, linear - 4);
  CHECK_EQ(trap.ecx, 5);
  CHECK_EQ(trap.edi, linear - 4);
  CHECK_EQ(read32(linear), 0x6666);
  write32(linear, SIGNATURE(12));
  set(&table_d[110], 0);
  set(&table_d[111], 0);
  reload_cr3();

  // Demand paging: the handler maps, the instruction starts again where it was.
  trap_hook[14] = demand;
  linear = WINDOW_D + 100 * PAGE;
  u32 from = (u32)image_start, to = linear + 0x803, count = 3 * PAGE;
  asm volatile("rep movsb" : "+S"(from), "+D"(to), "+c"(count) : : "memory");
  CHECK_EQ(demanded, 4);
  from = (u32)image_start, to = linear + 0x803, count = 3 * PAGE;
  u8 equal;
  asm volatile("repe cmpsb\n\tsete %0" : "=q"(equal), "+S"(from), "+D"(to), "+c"(count) : : "memory", "cc");
  CHECK_EQ(equal, 1);
  CHECK_EQ(demanded, 4);
  // Two faults of one instruction: MOVSD from one missing page to another. One of PUSH m32, whose stack is there.
  write32(FRAME(4), SIGNATURE(4));
  from = linear + 4 * PAGE, to = linear + 5 * PAGE + 0x10;
  asm volatile("movsl" : "+S"(from), "+D"(to) : : "memory");
  CHECK_EQ(demanded, 6);
  CHECK_EQ(read32(FRAME(5) + 0x10), SIGNATURE(4));
  u32 keep;
  set(&table_d[107], FRAME(7) | P | RW);
  asm volatile("movl %%esp, %0\n\tleal 0x800(%2), %%esp\n\tpushl (%1)\n\tmovl %0, %%esp"
               : "=&r"(keep) : "r"(linear + 6 * PAGE), "r"(linear + 7 * PAGE) : "memory");
  CHECK_EQ(demanded, 7);
  CHECK_EQ(read32(FRAME(7) + 0x7fc), SIGNATURE(6));
  trap_hook[14] = 0;
  fill32(&table_d[100], 0, 8);
  reload_cr3();
}

static void sign_frames(void) {
  for (u32 i = 0; i < FRAMES; i++) {
    fill32((u8 *)FRAME(i), 0, 1024);
    write32(FRAME(i), SIGNATURE(i));
    write32(FRAME(i) + 0xffc, SIGNATURE(i) + 1);
  }
}

int main(void) {
  sign_frames();
  map_identity(directory, low_tables);
  directory[DIRECTORY_INDEX(WINDOW_A)] = (u32)t.a | P | RW | US;
  directory[DIRECTORY_INDEX(WINDOW_B)] = (u32)t.b | P | RW | US;
  directory[DIRECTORY_INDEX(WINDOW_C)] = (u32)table_c | P | RW | US;
  directory[DIRECTORY_INDEX(WINDOW_D)] = (u32)table_d | P | RW | US;
  set_cr3((u32)directory);
  set_cr4(get_cr4() | CR4_PSE);
  set_cr0(get_cr0() | CR0_PG | CR0_WP);

  active_entries();
  straddling();
  sign_frames();
  two_tables();
  own_code();
  own_stack();
  own_operand();
  sign_frames();
  directories();
  if (!on_tcg) table_in_device_memory();  // TCG does not come back from its first use
  recursion();
  aliases();
  paging_off_and_on();
  large_pages();
  global_pages();
  rights();
  accessed_and_dirty();
  faults_in_the_middle();

  set_cr0(get_cr0() & ~(CR0_PG | CR0_WP));
  set_cr4(get_cr4() & ~CR4_PSE);
  return 0;
}
