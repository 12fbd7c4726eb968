// descriptors: a GDT and two LDTs that share one page with ordinary data, edited in many ways; segments loaded from
// them and tried by real accesses: base, limit, rights, presence, the Accessed bit, expand-down and 16-bit segments;
// a loaded segment keeps its descriptor until it is loaded again; LLDT and LGDT to other tables, tables that cross
// pages; far jumps, calls and returns within ring 0; everything twice, without and with paging, and then the GDT on
// read-only and missing pages.

#include "paging.h"

static struct {
  u32 before[64];
  u64 gdt[64];
  u32 between[16];
  u64 ldt[16];
  u32 middle[16];
  u64 other_ldt[8];
  u32 behind[1024 - 64 - 128 - 16 - 32 - 16 - 16];
} page PAGE_ALIGNED;

static u8 two_pages[8192] PAGE_ALIGNED;  // for a GDT over a page's end
// Where the segments point; ring 3 may look, too.
#define TARGET __attribute__((aligned(512), section(".user.b")))
static u8 one[512] TARGET, two[512] TARGET;
static u32 directory[1024] PAGE_ALIGNED, low_tables[4][1024] PAGE_ALIGNED;
static u64 template;
static u32 rounds;

_Static_assert(sizeof page == 4096, "one page");

#define ENTRY(n) ((n)*8u)
#define LOCAL(n) ((n)*8u | 4u)
#define ACCESSED_BIT ((u64)1 << 40)
#define PRESENT_BIT ((u64)1 << 47)
#define DATA(base, limit) DESCRIPTOR((u32)(base), limit, 0x92, 4)
#define LOAD(segment, selector) ({ asm volatile("movl %0, %%" #segment : : "r"(selector) : "memory"); })
#define SELECTOR(segment) ({ u32 value_; asm volatile("movl %%" #segment ", %0" : "=r"(value_)); value_ & 0xffff; })
#define PEEK(segment, offset) \
  ({ u32 value_; asm volatile("movl %%" #segment ":(%1), %0" : "=r"(value_) : "r"(offset) : "memory"); value_; })
#define POKE(segment, offset, value) asm volatile("movl %1, %%" #segment ":(%0)" : : "r"(offset), "r"(value) : "memory")

/** Ordinary work on the data that shares the page, and a look that nobody else touched it. */
static void neighbours(void) {
  rounds++;
  asm volatile("incl (%0)\n\tlock xaddl %%eax, 4(%0)\n\tmovl 8(%0), %%eax\n\taddl $2, %%eax\n\tmovl %%eax, 8(%0)"
               : : "r"(&page.between[0]), "a"(1) : "memory", "cc");
  page.before[63]++;
  page.middle[15]++;
  page.behind[0]++;
  CHECK_EQ(page.between[0], rounds);
  CHECK_EQ(page.between[1], rounds);
  CHECK_EQ(page.between[2], 2 * rounds);
  CHECK_EQ(page.before[63], rounds);
  CHECK_EQ(page.middle[15], rounds);
  CHECK_EQ(page.behind[0], rounds);
}

static void mark_data(void) {
  for (u32 i = 0; i < sizeof one; i += 4) {
    *(u32 *)(one + i) = 0x11000000 + i;
    *(u32 *)(two + i) = 0x22000000 + i;
  }
}

static void use_page(void) {
  copy(page.gdt, gdt, sizeof gdt);
  load_gdt(page.gdt, sizeof page.gdt);
  asm volatile("ljmp %0, $1f\n1:" : : "i"(KERNEL_CS));
  LOAD(ds, KERNEL_DS), LOAD(es, KERNEL_DS), LOAD(ss, KERNEL_DS);
  struct table_register r;
  asm volatile("sgdtl %0" : "=m"(r.limit), "=m"(r) : : "memory");
  CHECK_EQ(r.base, (u32)page.gdt);
  CHECK_EQ(r.limit, sizeof page.gdt - 1);
}

// --- ways to write a descriptor --------------------------------------------------------------------------------

typedef void edit(u64 *entry, u64 new);
#define EDIT(name) static NOINLINE void edit_##name(u64 *entry, u64 new)
#define LOW ((u32)new)
#define HIGH ((u32)(new >> 32))

EDIT(mov) { asm volatile("movl %1, (%0)\n\tmovl %2, 4(%0)" : : "r"(entry), "r"(LOW), "r"(HIGH) : "memory"); }
EDIT(or) {
  asm volatile("andl $0, (%0)\n\tandl $0, 4(%0)\n\torl %1, (%0)\n\tlock orl %2, 4(%0)"
               : : "r"(entry), "r"(LOW), "r"(HIGH) : "memory", "cc");
}
EDIT(xchg) {
  u32 low = LOW, high = HIGH;
  asm volatile("xchgl %1, (%0)\n\txchgl %2, 4(%0)" : "+r"(entry), "+r"(low), "+r"(high) : : "memory");
}
EDIT(bts) {
  asm volatile("movl $0, (%0)\n\tmovl $0, 4(%0)" : : "r"(entry) : "memory");
  for (u32 bit = 0; bit < 64; bit++)
    if (new >> bit & 1) asm volatile("btsl %1, (%0)" : : "r"(entry), "r"(bit) : "memory", "cc");
}
EDIT(rep_movsd) {
  template = new;
  u64 *from = &template;
  u32 count = 2;
  asm volatile("rep movsl" : "+D"(entry), "+S"(from), "+c"(count) : : "memory");
}
EDIT(stosd) { asm volatile("stosl\n\tmovl %2, %%eax\n\tstosl" : "+D"(entry) : "a"(LOW), "r"(HIGH) : "memory"); }
EDIT(cmpxchg8b) {
  asm volatile("movl (%%esi), %%eax\n\tmovl 4(%%esi), %%edx\n\tlock cmpxchg8b (%%esi)"
               : : "S"(entry), "b"(LOW), "c"(HIGH) : "eax", "edx", "memory", "cc");
}
EDIT(push) {
  u32 keep;
  asm volatile("movl %%esp, %0\n\tleal 8(%1), %%esp\n\tpushl %3\n\tpushl %2\n\tmovl %0, %%esp"
               : "=&r"(keep) : "r"(entry), "r"(LOW), "r"(HIGH) : "memory");
}
EDIT(bytes) {
  for (int i = 7; i >= 0; i--) ((volatile u8 *)entry)[i] = (u8)(new >> (8 * i));
}
EDIT(unaligned) {
  write32((u32)entry + 2, (u32)(new >> 16));
  asm volatile("movw %w1, (%0)\n\tmovw %w2, 6(%0)" : : "r"(entry), "r"(LOW), "r"(HIGH >> 16) : "memory");
}

static edit *const edits[] = {edit_mov,   edit_or,        edit_xchg, edit_bts,   edit_rep_movsd,
                              edit_stosd, edit_cmpxchg8b, edit_push, edit_bytes, edit_unaligned};

static void every_edit(u64 *table, u32 n, u32 selector) {
  for (u32 i = 0; i < LENGTH(edits); i++) {
    edit *write = edits[i];
    u64 *entry = &table[n];
    write(entry, DATA(one, 0xffu));
    CHECK_EQ(*entry & ACCESSED_BIT ? 1 : 0, 0);
    LOAD(fs, selector);
    CHECK_EQ(SELECTOR(fs), selector);
    CHECK_EQ(PEEK(fs, 16), 0x11000010);
    CHECK(*entry == (DATA(one, 0xffu) | ACCESSED_BIT));
    POKE(fs, 0x20, 0x33330000 + i);
    CHECK_EQ(*(u32 *)(one + 0x20), 0x33330000 + i);
    neighbours();
    // Changed under the register: it keeps what it has, over an interrupt too, until it is loaded again.
    write(entry, DATA(two, 0x7fu));
    CHECK_EQ(PEEK(fs, 16), 0x11000010);
    CHECK_EQ(TRY("int $0x42"), 1);
    CHECK_FAULT(0x42, 0);
    CHECK_EQ(PEEK(fs, 0xfc), 0x110000fc);
    CHECK_EQ(SELECTOR(fs), selector);
    LOAD(fs, selector);
    CHECK_EQ(PEEK(fs, 16), 0x22000010);
    if (!on_tcg) {
      CHECK_EQ(TRY("movl %%fs:(%0), %%eax", "r"(0x7d)), 1);
      CHECK_FAULT_HERE(13, 0);
    }
    CHECK_EQ(PEEK(fs, 0x7c), 0x2200007c);
    // Not present: the load faults, the register keeps what it had.
    write(entry, DATA(one, 0xffu) & ~PRESENT_BIT);
    CHECK_EQ(TRY("movl %0, %%fs", "r"(selector)), 1);
    CHECK_FAULT_HERE(11, selector);
    CHECK_EQ(SELECTOR(fs), selector);
    CHECK_EQ(PEEK(fs, 16), 0x22000010);
    asm volatile("lock btsl $15, 4(%0)" : : "r"(entry) : "memory", "cc");
    LOAD(fs, selector);
    CHECK_EQ(PEEK(fs, 16), 0x11000010);
    LOAD(fs, 0);
    write(entry, 0);
    CHECK_EQ(TRY("movl %0, %%fs", "r"(selector)), 1);
    CHECK_FAULT_HERE(13, selector);
    neighbours();
  }
}

// --- limits and rights -------------------------------------------------------------------------------------------

/** Bytes of a 4-byte read at an offset through GS: 1 when it is allowed; a violation is #GP(0). */
static u32 readable(u32 offset) {
  if (!TRY("movl %%gs:(%0), %%eax", "r"(offset))) return 1;
  CHECK_FAULT_HERE(13, 0);
  return 0;
}

static u32 writable(u32 offset) {
  if (!TRY("movl %0, %%gs:(%0)", "r"(offset))) return 1;
  CHECK_FAULT_HERE(13, 0);
  return 0;
}

static void limits(void) {
  u32 selector = ENTRY(9);
  u64 *entry = &page.gdt[9];
  // Pages as the unit of the limit.
  *entry = DESCRIPTOR((u32)one, 0u, 0x92, 0xc);
  LOAD(gs, selector);
  CHECK_EQ(PEEK(gs, 0x1fc), 0x110001fc);
  if (!on_tcg) {
    CHECK_EQ(readable(0xffc), 1);
    CHECK_EQ(readable(0xffd), 0);
    CHECK_EQ(readable(0x1000), 0);
    CHECK_EQ(readable(0xffffffff), 0);
  }
  // Bytes.
  *entry = DATA(one, 0u);
  LOAD(gs, selector);
  u32 value;
  asm volatile("movzbl %%gs:0, %0" : "=r"(value));
  CHECK_EQ(value, 0);
  if (!on_tcg) {
    CHECK_EQ(readable(0), 0);
    CHECK_EQ(TRY("movb %%gs:1, %%al"), 1);
    CHECK_FAULT_HERE(13, 0);
    // REP MOVSB from it stops after one byte.
    CHECK_EQ(TRY("gs rep movsb", "S"(0), "D"(two + 256), "c"(4)), 1);
    CHECK_FAULT_HERE(13, 0);
    CHECK_EQ(trap.ecx, 3);
    CHECK_EQ(trap.esi, 1);
  }
  // Expand-down: above the limit.
  *entry = DESCRIPTOR((u32)one - 0x1000, 0xfffu, 0x96, 4);
  LOAD(gs, selector);
  CHECK_EQ(PEEK(gs, 0x1004), 0x11000004);
  POKE(gs, 0x1008, 0x44);
  CHECK_EQ(*(u32 *)(one + 8), 0x44);
  if (!on_tcg) {
    CHECK_EQ(readable(0x1000), 1);
    CHECK_EQ(readable(0xfff), 0);
    CHECK_EQ(readable(0), 0);
    CHECK_EQ(writable(0xffd), 0);
    // 16-bit: to 0xffff only.
    *entry = DESCRIPTOR((u32)one - 0x1000, 0xfffu, 0x96, 0);
    LOAD(gs, selector);
    CHECK_EQ(readable(0x1000), 1);
    CHECK_EQ(readable(0xfffd), 0);
    CHECK_EQ(readable(0x10000), 0);
  }
  // Read-only data; readable and execute-only code.
  *entry = DESCRIPTOR((u32)one, 0xffu, 0x90, 4);
  LOAD(gs, selector);
  CHECK_EQ(PEEK(gs, 4), 0x11000004);
  if (!on_tcg) CHECK_EQ(writable(4), 0);
  *entry = DESCRIPTOR((u32)one, 0xffu, 0x9a, 4);
  LOAD(gs, selector);
  CHECK_EQ(PEEK(gs, 4), 0x11000004);
  CHECK_EQ(*entry >> 40 & 0xff, 0x9b);
  if (!on_tcg) CHECK_EQ(writable(4), 0);
  *entry = DESCRIPTOR((u32)one, 0xffu, 0x98, 4);
  CHECK_EQ(TRY("movl %0, %%gs", "r"(selector)), 1);
  CHECK_FAULT_HERE(13, selector);
  if (!on_tcg) {
    CHECK_EQ(TRY("movl %0, %%cs:(%0)", "r"(&one[0x40])), 1);
    CHECK_FAULT_HERE(13, 0);
  }
  // Null.
  LOAD(gs, 0);
  LOAD(gs, 3);
  CHECK_EQ(SELECTOR(gs), 3);
  LOAD(gs, 0);
  if (!on_tcg) {
    CHECK_EQ(readable(0), 0);
    CHECK_EQ(writable((u32)one), 0);
  }
  *(u32 *)(one + 8) = 0x11000008;
  *entry = 0;
}

static void refused_loads(void) {
  u32 selector = ENTRY(10);
  u64 *entry = &page.gdt[10];
  // Into DS and SS: system descriptors, code, missing and foreign privilege.
  static const struct {
    u8 access, data_vector, stack_vector;
  } cases[] = {
      {0x89, 13, 13}, {0x82, 13, 13}, {0x8c, 13, 13}, {0x8e, 13, 13}, {0x98, 13, 13}, {0x9a, 0, 13}, {0x90, 0, 13},
      {0x92, 0, 0},   {0x96, 0, 0},   {0x12, 11, 12}, {0x16, 11, 12}, {0xb2, 0, 13},  {0xf2, 0, 13}, {0x00, 13, 13},
  };
  for (u32 i = 0; i < LENGTH(cases); i++) {
    // Expand-down with a limit of all ones would leave nothing, so those get none.
    *entry = DESCRIPTOR(0u, cases[i].access & 4 && cases[i].access & 0x10 ? 0u : 0xfffffu, cases[i].access, 0xc);
    u32 faults = TRY("pushl %%ds\n\tmovl %0, %%ds\n\tpopl %%ds", "r"(selector));
    CHECK_EQ(faults, cases[i].data_vector != 0);
    if (faults) CHECK_FAULT(cases[i].data_vector, selector);
    // Straight back, so that no trap meets the odd stack.
    faults = TRY("movl %%ss, %%ecx\n\tmovl %0, %%ss\n\tmovl %%ecx, %%ss", "r"(selector));
    CHECK_EQ(faults, cases[i].stack_vector != 0);
    if (faults) CHECK_FAULT(cases[i].stack_vector, selector);
  }
  CHECK_EQ(TRY("movl %0, %%ss", "r"(0)), 1);
  CHECK_FAULT_HERE(13, 0);
  CHECK_EQ(TRY("movl %0, %%ss", "r"(KERNEL_DS | 3)), 1);
  CHECK_FAULT_HERE(13, KERNEL_DS);
  // RPL weakens: DPL 0 data with RPL 3.
  CHECK_EQ(TRY("movl %0, %%fs", "r"(KERNEL_DS | 3)), 1);
  CHECK_FAULT_HERE(13, KERNEL_DS);
  CHECK_EQ(TRY("movl %0, %%fs", "r"(sizeof page.gdt)), 1);
  CHECK_FAULT_HERE(13, sizeof page.gdt);
  *entry = 0;
}

/** The ways to load a segment register. */
static void loaders(void) {
  page.gdt[11] = DATA(one, 0xffu);
  page.gdt[12] = DATA(two, 0xffu);
  static struct {
    u32 offset;
    u16 selector;
  } __attribute__((packed)) pointer;
  pointer.offset = 0x30, pointer.selector = ENTRY(11);
  u32 offset, value;
  asm volatile("lfs %1, %0" : "=r"(offset) : "m"(pointer) : "memory");
  CHECK_EQ(PEEK(fs, offset), 0x11000030);
  pointer.selector = ENTRY(12);
  asm volatile("lgs %1, %0" : "=r"(offset) : "m"(pointer) : "memory");
  CHECK_EQ(PEEK(gs, offset), 0x22000030);
  asm volatile("pushl %%es\n\tles %1, %%edi\n\tmovl %%es:(%%edi), %0\n\tpopl %%es" : "=a"(value) : "m"(pointer) : "edi", "memory");
  CHECK_EQ(value, 0x22000030);
  asm volatile("pushl %%ds\n\tlds %1, %%esi\n\tlodsl\n\tpopl %%ds" : "=a"(value) : "m"(pointer) : "esi", "memory");
  CHECK_EQ(value, 0x22000030);
  asm volatile("pushl %0\n\tpopl %%fs" : : "r"(ENTRY(12)) : "memory");
  CHECK_EQ(PEEK(fs, 4), 0x22000004);
  asm volatile("pushl %%fs\n\tpopl %%gs" : : : "memory");
  CHECK_EQ(PEEK(gs, 4), 0x22000004);
  // Strings between segments of different bases.
  LOAD(fs, ENTRY(11));
  asm volatile("pushl %%es\n\tmovl %0, %%es\n\tmovl $0x40, %%esi\n\tmovl $0x80, %%edi\n\tmovl $4, %%ecx\n\tfs rep movsl\n\tpopl %%es"
               : : "r"(ENTRY(12)) : "ecx", "esi", "edi", "memory", "cc");
  CHECK_EQ(*(u32 *)(two + 0x8c), 0x1100004c);
  // ES and DS keep what they have while their descriptors go.
  asm volatile("pushl %%es\n\tmovl %2, %%es\n\tmovl $0, (%1)\n\tmovl $0, 4(%1)\n\tmovl %%es:4, %0\n\tpopl %%es"
               : "=&r"(value) : "r"(&page.gdt[11]), "r"(ENTRY(11)) : "memory");
  CHECK_EQ(value, 0x11000004);
  // The kernel's own data segment: gone from the table for a moment, while DS, ES and SS are in use.
  asm volatile("btrl $15, 4(%1)\n\tpushl $0x55\n\tpopl %0\n\tincl (%2)\n\tbtsl $15, 4(%1)"
               : "=&r"(value) : "r"(&page.gdt[2]), "r"(&page.behind[9]) : "memory", "cc");
  CHECK_EQ(value, 0x55);
  LOAD(fs, 0), LOAD(gs, 0);
  page.gdt[12] = 0;
  mark_data();
  neighbours();
}

// --- stacks --------------------------------------------------------------------------------------------------------

static void stacks(void) {
  u32 keep, value, other;
  // A stack with a base. No trap may come here: the handlers take ESP for a flat address.
  page.gdt[13] = DATA(one, 0x1ffu);
  asm volatile("movl %%esp, %0\n\tmovl %%ss, %%ecx\n\tmovl %3, %%ss\n\tmovl $0x100, %%esp\n\tpushl $0x1234\n\tpushl $0x5678\n\t"
               "popl %1\n\tmovl %%esp, %2\n\tmovl %%ecx, %%ss\n\tmovl %0, %%esp"
               : "=&r"(keep), "=&r"(value), "=&r"(other) : "r"(ENTRY(13)) : "ecx", "memory");
  CHECK_EQ(value, 0x5678);
  CHECK_EQ(other, 0xfc);
  CHECK_EQ(*(u32 *)(one + 0xfc), 0x1234);
  // 16-bit: SP wraps, the upper half of ESP stays.
  page.gdt[13] = DESCRIPTOR((u32)one, 0xffffu, 0x92, 0);
  asm volatile("movl %%esp, %0\n\tmovl %%ss, %%ecx\n\tmovl %3, %%ss\n\tmovl $0xabcd0080, %%esp\n\tpushl $0x4321\n\tpopl %1\n\tpushl %1\n\t"
               "movl %%esp, %2\n\tmovl %%ecx, %%ss\n\tmovl %0, %%esp"
               : "=&r"(keep), "=&r"(value), "=&r"(other) : "r"(ENTRY(13)) : "ecx", "memory");
  CHECK_EQ(value, 0x4321);
  CHECK_EQ(other, 0xabcd007c);
  CHECK_EQ(*(u32 *)(one + 0x7c), 0x4321);
  if (!on_tcg) {
    // Stack faults: over EBP in ring 0 where the stack itself is in order, and in ring 3 by PUSH.
    page.gdt[13] = DESCRIPTOR(0u, 0x7ffu, 0x92, 0xc);  // 8 MB
    CHECK_EQ(TRY("movl %0, %%ss\n\tmovl %1, %%ebp\n\tmovl (%%ebp), %%eax", "r"(ENTRY(13)), "r"(0x900000)), 1);
    LOAD(ss, KERNEL_DS);
    CHECK_FAULT(12, 0);
    page.gdt[13] = DESCRIPTOR(0u, 0xffu, 0xf2, 0x4);
    static const u8 push[] __attribute__((section(".user.d"))) = {0x50};
    struct user_regs regs = {0};
    page.gdt[3] = gdt[3], page.gdt[4] = gdt[4];
    // IRET cannot load a stack of another selector in user_with(), so ring 3 loads it.
    static const u8 load_and_push[] __attribute__((section(".user.d"))) = {0x8e, 0xd0, 0x50};
    regs.eax = ENTRY(13) | 3;
    user_with(load_and_push, user_stack_top, 2, &regs);
    CHECK_USER_TRAP(12, 0);
    CHECK_EQ(trap.eip, (u32)load_and_push + 2);
    CHECK_EQ(trap.ss, (ENTRY(13) | 3));
    CHECK_EQ(trap.esp, (u32)user_stack_top);
    (void)push;
  }
  page.gdt[13] = 0;
  mark_data();
}

// --- LDTs ------------------------------------------------------------------------------------------------------------

static void local_tables(void) {
  u32 ldt = ENTRY(14), other = ENTRY(15), value;
  page.gdt[14] = DESCRIPTOR((u32)page.ldt, sizeof page.ldt - 1, 0x82, 0);
  page.gdt[15] = DESCRIPTOR((u32)page.other_ldt, sizeof page.other_ldt - 1, 0x82, 0);
  asm volatile("lldt %w0" : : "r"(ldt) : "memory");
  asm volatile("sldt %0" : "=r"(value));
  CHECK_EQ(value & 0xffff, ldt);
  every_edit(page.ldt, 3, LOCAL(3));
  // The same selector in two tables.
  page.ldt[1] = DATA(one, 0xffu);
  page.other_ldt[1] = DATA(two, 0xffu);
  LOAD(fs, LOCAL(1));
  asm volatile("lldt %w0" : : "r"(other) : "memory");
  CHECK_EQ(PEEK(fs, 4), 0x11000004);
  LOAD(gs, LOCAL(1));
  CHECK_EQ(PEEK(gs, 4), 0x22000004);
  CHECK_EQ(page.other_ldt[1] >> 40 & 0xff, 0x93);
  LOAD(fs, LOCAL(1));
  CHECK_EQ(PEEK(fs, 4), 0x22000004);
  // Beyond the limit of the smaller one; the first one is plain data now.
  CHECK_EQ(TRY("movl %0, %%fs", "r"(LOCAL(8))), 1);
  CHECK_FAULT_HERE(13, LOCAL(8));
  fill32(page.ldt, 0xffffffff, 32);
  neighbours();
  // Ring 3 with segments of an LDT.
  page.other_ldt[2] = DESCRIPTOR((u32)two, 0xffu, 0xf2, 4);
  static const u8 user_load[] __attribute__((section(".user.d"))) = {0x8e, 0xe0, 0x64, 0x8b, 0x0d, 4, 0, 0, 0, 0xcd, 0x80};
  user(user_load, LOCAL(2) | 3, 0);  // mov %eax, %fs; mov %fs:4, %ecx
  CHECK_USER_TRAP(0x80, 0);
  CHECK_EQ(trap.ecx, 0x22000004);
  CHECK_EQ(page.other_ldt[2] >> 40 & 0xff, 0xf3);
  user(user_load, LOCAL(1) | 3, 0);
  CHECK_USER_TRAP(13, LOCAL(1));
  // LLDT's refusals; none of them changes LDTR.
  page.gdt[16] = DESCRIPTOR((u32)page.ldt, 127u, 0x02, 0);
  CHECK_EQ(TRY("lldt %w0", "r"(ENTRY(16))), 1);
  CHECK_FAULT_HERE(11, ENTRY(16));
  CHECK_EQ(TRY("lldt %w0", "r"(KERNEL_DS)), 1);
  CHECK_FAULT_HERE(13, KERNEL_DS);
  CHECK_EQ(TRY("lldt %w0", "r"(TSS_SELECTOR)), 1);
  CHECK_FAULT_HERE(13, TSS_SELECTOR);
  CHECK_EQ(TRY("lldt %w0", "r"(LOCAL(1))), 1);
  CHECK_FAULT_HERE(13, LOCAL(1));
  CHECK_EQ(TRY("lldt %w0", "r"(sizeof page.gdt)), 1);
  CHECK_FAULT_HERE(13, sizeof page.gdt);
  asm volatile("sldt %0" : "=r"(value));
  CHECK_EQ(value & 0xffff, other);
  // LDTR keeps its descriptor as well: the entry in the GDT moves the table only with the next LLDT.
  fill32(page.ldt, 0, 32);
  page.ldt[1] = DATA(one, 0xffu);
  page.gdt[15] = DESCRIPTOR((u32)page.ldt, sizeof page.ldt - 1, 0x82, 0);
  LOAD(fs, LOCAL(1));
  CHECK_EQ(PEEK(fs, 4), 0x22000004);
  asm volatile("lldt %w0" : : "r"(other) : "memory");
  LOAD(fs, LOCAL(1));
  CHECK_EQ(PEEK(fs, 4), 0x11000004);
  // None at all.
  asm volatile("lldt %w0" : : "r"(0) : "memory");
  CHECK_EQ(TRY("movl %0, %%fs", "r"(LOCAL(1))), 1);
  CHECK_FAULT_HERE(13, LOCAL(1));
  CHECK_EQ(PEEK(fs, 4), 0x11000004);
  LOAD(fs, 0), LOAD(gs, 0);
  fill32(&page.gdt[14], 0, 6);
  fill32(page.ldt, 0, 32);
  fill32(page.other_ldt, 0, 16);
  mark_data();
  neighbours();
}

// --- code segments -----------------------------------------------------------------------------------------------------

extern const u8 far_target[], far_16[], far_16_end[], at_limit[];
asm(".text\n\t.balign 16\n"
    // Position-independent; returns CS and what it reads through CS at offset 0.
    "far_target:\n\tmovl %cs, %eax\n\tmovl %cs:0, %edx\n\tlret\n"
    "\t.balign 16\n\t.code16\nfar_16:\n\tmovw $0x1234, %ax\n\tincl %ecx\n\tpushw $0x77\n\tpopw %dx\n\tlretl\nfar_16_end:\n\t.code32\n"
    "\t.balign 16\nat_limit:\n\tnop\n\tmovl $0x01020304, %eax\n\tlret\n");

// EDX = descriptor 17, ESI and EDI = its new halves, EBX = the immediate of the last MOV.
asm("in_page:\n\tmovl %esi, (%edx)\n\tmovl %edi, 4(%edx)\n\tmovl $17*8, %eax\n\tmovl %eax, %gs\n\tmovl %gs:4, %ecx\n\t"
    "xorl %eax, %eax\n\tmovl %eax, %gs\n\tmovl $0x0badcafe, (%ebx)\n\tmovl $0x11111111, %eax\nin_page_value = . - 4\n\tret\nin_page_end:\n");
#define LOW_OF(value) ((u32)(value))
#define HIGH_OF(value) ((u32)((u64)(value) >> 32))

#define FAR_CALL(selector_, offset_)                                                                             \
  do {                                                                                                           \
    far.offset = (offset_), far.selector = (selector_);                                                           \
    asm volatile("lcall *%3" : "=a"(a), "=d"(d), "+c"(c) : "m"(far), "a"(0), "d"(0) : "memory", "cc");            \
  } while (0)
static struct {
  u32 offset;
  u16 selector;
} __attribute__((packed)) far;

static u32 refused_jump(u32 selector, u32 offset) {
  far.offset = offset, far.selector = (u16)selector;
  CHECK_EQ(TRY("ljmp *%0", "m"(far)), 1);
  CHECK_EQ(trap.eip, trap_site);
  u32 vector = trap.vector, error = trap.error;
  CHECK_EQ(TRY("lcall *%0", "m"(far)), 1);
  CHECK_EQ(trap.eip, trap_site);
  CHECK_EQ(trap.vector, vector);
  CHECK_EQ(trap.error, error);
  return vector << 16 | error;
}

static void code_segments(void) {
  u32 a, d, c = 0, selector = ENTRY(17);
  u64 *entry = &page.gdt[17];
  // Flat, with a base, conforming; CS is marked accessed.
  FAR_CALL(KERNEL_CS, (u32)far_target);
  CHECK_EQ(a & 0xffff, KERNEL_CS);
  *entry = DESCRIPTOR((u32)far_target, 0xffu, 0x9a, 4);
  FAR_CALL(selector, 0u);
  CHECK_EQ(a & 0xffff, selector);
  CHECK_EQ(d, *(u32 *)far_target);
  if (!on_tcg) CHECK_EQ(*entry >> 40 & 0xff, 0x9b);
  *entry = DESCRIPTOR((u32)far_target, 0xffu, 0x9e, 4);
  FAR_CALL(selector, 0u);
  CHECK_EQ(a & 0xffff, selector);
  // 16-bit code.
  *entry = DESCRIPTOR((u32)far_16, 0xffu, 0x9a, 0);
  far.offset = 0, far.selector = (u16)selector;
  asm volatile("lcall *%3" : "=a"(a), "=d"(d), "+c"(c) : "m"(far), "0"(0xaaaa0000), "1"(0xbbbb0000) : "memory", "cc");
  CHECK_EQ(a, 0xaaaa1234);
  CHECK_EQ(d, 0xbbbb0077);
  CHECK_EQ(c, 1);
  // Over a call gate of the same ring: the offset comes from the gate, no stack switch.
  page.gdt[18] = GATE(KERNEL_CS, (u32)far_target, 0x8c);
  FAR_CALL(ENTRY(18), 0xffffffffu);
  CHECK_EQ(a & 0xffff, KERNEL_CS);
  // Its descriptor changes while CS is in use: nothing happens.
  *entry = DESCRIPTOR(0u, 0xfffffu, 0x9b, 0xc);
  asm volatile("ljmp %0, $1f\n1:\tmovl $0, (%1)\n\tmovl $0, 4(%1)\n\tnop\n\tmovl %%cs, %2\n\tljmp %3, $2f\n2:"
               : : "i"(ENTRY(17)), "r"(entry), "r"(0), "i"(KERNEL_CS) : "memory");
  // LRET to another selector of the same ring, releasing bytes.
  *entry = DESCRIPTOR(0u, 0xfffffu, 0x9b, 0xc);
  u32 cs, keep;
  asm volatile("movl %%esp, %1\n\tpushl $1\n\tpushl $2\n\tpushl %2\n\tpushl $1f\n\tlret $8\n1:\tmovl %%cs, %0\n\tsubl %%esp, %1\n\tljmp %3, $2f\n2:"
               : "=&r"(cs), "=&r"(keep) : "r"(selector), "i"(KERNEL_CS) : "memory", "cc");
  CHECK_EQ(cs & 0xffff, selector);
  CHECK_EQ(keep, 0);

  // Refusals.
  CHECK_EQ(refused_jump(0, 0), 13u << 16);
  CHECK_EQ(refused_jump(sizeof page.gdt, 0), 13u << 16 | sizeof page.gdt);
  CHECK_EQ(refused_jump(KERNEL_DS, 0), 13u << 16 | KERNEL_DS);
  CHECK_EQ(refused_jump(USER_CS, 0), 13u << 16 | (USER_CS & ~3u));
  CHECK_EQ(refused_jump(KERNEL_CS | 3, 0), 13u << 16 | KERNEL_CS);
  *entry = DESCRIPTOR((u32)far_target, 0xffu, 0x1a, 4);
  CHECK_EQ(refused_jump(selector, 0), 11u << 16 | selector);
  *entry = DESCRIPTOR((u32)far_target, 0xffu, 0x9a, 4);
  if (!on_tcg) CHECK_EQ(refused_jump(selector, 0x100), 13u << 16);  // it gives the selector
  *entry = DESCRIPTOR((u32)far_target, 0xffu, 0xfe, 4);  // conforming, DPL 3
  CHECK_EQ(refused_jump(selector, 0), 13u << 16 | selector);
  page.gdt[18] = GATE(KERNEL_CS, (u32)far_target, 0x0c);
  CHECK_EQ(refused_jump(ENTRY(18), 0), 11u << 16 | ENTRY(18));
  page.gdt[18] = GATE(KERNEL_DS, (u32)far_target, 0x8c);
  CHECK_EQ(refused_jump(ENTRY(18), 0), 13u << 16 | KERNEL_DS);
  page.gdt[18] = GATE(0u, (u32)far_target, 0x8c);
  CHECK_EQ(refused_jump(ENTRY(18), 0), 13u << 16);
  if (!on_tcg) {
    // An instruction that crosses the limit, and one beyond it.
    *entry = DESCRIPTOR((u32)at_limit, 3u, 0x9a, 4);
    far.offset = 0, far.selector = (u16)selector;
    CHECK_EQ(TRY("lcall *%0", "m"(far)), 1);
    CHECK_FAULT(13, 0);
    CHECK_EQ(trap.cs & 0xffff, selector);
    CHECK_EQ(trap.eip, 1);
  }
  // Code in the page of the tables, which writes a descriptor, then runs in the segment that it makes, then changes
  // what it is about to run.
  extern const u8 in_page[], in_page_end[], in_page_value[];
  u8 *code = (u8 *)&page.behind[100];
  copy(code, in_page, (u32)(in_page_end - in_page));
  page.gdt[17] = page.gdt[18] = 0;
  asm volatile("call *%4"
               : "=a"(a), "+c"(c) : "d"(&page.gdt[17]), "b"((u32)code + (u32)(in_page_value - in_page)), "r"(code),
                 "S"(LOW_OF(DATA(two, 0xffu))), "D"(HIGH_OF(DATA(two, 0xffu))) : "memory", "cc");
  CHECK_EQ(c, 0x22000004);
  CHECK_EQ(a, 0x0badcafe);
  fill32(code, 0, 16);
  page.gdt[17] = page.gdt[18] = 0;
  neighbours();
}

// --- other tables ---------------------------------------------------------------------------------------------------

static void moved_tables(void) {
  // Over a page's end, not even aligned: entry 8 lies half on each page.
  u64 *table = (u64 *)(two_pages + 4096 - 8 * 8 - 4);
  copy(table, gdt, sizeof gdt);
  load_gdt(table, sizeof gdt);
  edit_mov(&table[8], DATA(one, 0xffu));
  LOAD(fs, ENTRY(8));
  CHECK_EQ(PEEK(fs, 4), 0x11000004);
  CHECK_EQ((u32)(table[8] >> 40 & 0xff), 0x93);
  edit_bytes(&table[8], DATA(two, 0xffu));
  CHECK_EQ(PEEK(fs, 4), 0x11000004);
  LOAD(fs, ENTRY(8));
  CHECK_EQ(PEEK(fs, 4), 0x22000004);
  edit_unaligned(&table[9], DATA(one, 0xffu));
  LOAD(gs, ENTRY(9));
  CHECK_EQ(PEEK(gs, 4), 0x11000004);
  // The old table is data: what is written there means nothing.
  page.gdt[9] = DATA(two, 0xffu);
  LOAD(gs, ENTRY(9));
  CHECK_EQ(PEEK(gs, 4), 0x11000004);
  // A smaller limit. What is loaded stays.
  load_gdt(table, ENTRY(9));
  CHECK_EQ(TRY("movl %0, %%gs", "r"(ENTRY(9))), 1);
  CHECK_FAULT_HERE(13, ENTRY(9));
  CHECK_EQ(PEEK(gs, 4), 0x11000004);
  LOAD(fs, ENTRY(8));
  // A limit that ends in the middle of an entry.
  load_gdt(table, ENTRY(8) + 7);
  CHECK_EQ(TRY("movl %0, %%fs", "r"(ENTRY(8))), 1);
  CHECK_FAULT_HERE(13, ENTRY(8));
  load_gdt(page.gdt, sizeof page.gdt);
  LOAD(gs, ENTRY(9));
  CHECK_EQ(PEEK(gs, 4), 0x22000004);
  LOAD(fs, 0), LOAD(gs, 0);
  page.gdt[9] = 0;
}

static u32 mapped_back;

static u32 map_second_page(struct frame *frame) {
  u32 second = (u32)two_pages + PAGE;
  if ((get_cr2() & ~0xfffu) != second) return 0;
  CHECK_EQ(frame->error & ~2u, 0);
  set(&low_tables[0][TABLE_INDEX(second)], second | P | RW);
  mapped_back++;
  return 1;
}

static void tables_under_paging(void) {
  // On a read-only page: a load of a descriptor that is marked accessed is fine, one that is not faults, as the
  // processor's own write does under CR0.WP.
  u32 *entry = &low_tables[0][TABLE_INDEX((u32)&page)];
  page.gdt[20] = DATA(one, 0xffu) | ACCESSED_BIT;
  page.gdt[21] = DATA(two, 0xffu);
  set(entry, (u32)&page | P);
  invlpg((u32)&page);
  LOAD(fs, ENTRY(20));
  CHECK_EQ(PEEK(fs, 4), 0x11000004);
  CHECK_EQ(TRY("movl %0, %%fs", "r"(ENTRY(21))), 1);
  CHECK_FAULT_HERE(14, 3);
  CHECK_EQ(trap.cr2 & ~7u, (u32)&page.gdt[21]);
  CHECK_EQ(PEEK(fs, 4), 0x11000004);
  CHECK_EQ(TRY("movl $0, (%0)", "r"(&page.gdt[20])), 1);
  CHECK_PAGE_FAULT(3, &page.gdt[20]);
  // Ring 3 causes the same, as a supervisor's write.
  set(entry, (u32)&page | P | RW);
  invlpg((u32)&page);
  page.gdt[21] = DESCRIPTOR((u32)two, 0xffu, 0xf2, 4);
  set(entry, (u32)&page | P);
  invlpg((u32)&page);
  static const u8 user_load[] __attribute__((section(".user.d"))) = {0x8e, 0xe0, 0xcd, 0x80};
  user(user_load, ENTRY(21) | 3, 0);
  CHECK_USER_TRAP(14, 3);
  // Without WP the mark is made.
  set_cr0(get_cr0() & ~CR0_WP);
  LOAD(fs, ENTRY(21));
  CHECK_EQ((u32)(page.gdt[21] >> 40 & 0xff), 0xf3);
  set_cr0(get_cr0() | CR0_WP);
  LOAD(fs, ENTRY(21));
  set(entry, (u32)&page | P | RW);
  invlpg((u32)&page);
  LOAD(fs, 0);
  page.gdt[20] = page.gdt[21] = 0;

  // A table whose second page is missing until a load asks for it.
  u64 *table = (u64 *)(two_pages + 4096 - 8 * 8);
  copy(table, gdt, sizeof gdt);
  table[9] = DATA(two, 0xffu);
  load_gdt(table, sizeof gdt);
  u32 second = (u32)two_pages + PAGE;
  set(&low_tables[0][TABLE_INDEX(second)], second | RW);
  invlpg(second);
  trap_hook[14] = map_second_page;
  LOAD(fs, ENTRY(9));
  CHECK_EQ(mapped_back, 1);
  CHECK_EQ(PEEK(fs, 4), 0x22000004);
  // And the page replaced by another one, with other descriptors.
  set(&low_tables[0][TABLE_INDEX(second)], 0x00900000 | P | RW);
  copy((void *)0x00900000, (void *)(second - PAGE), PAGE);
  *(u64 *)(0x00900000 + 8) = DATA(one, 0xffu);
  invlpg(second);
  LOAD(fs, ENTRY(9));
  CHECK_EQ(PEEK(fs, 4), 0x11000004);
  set(&low_tables[0][TABLE_INDEX(second)], second | P | RW);
  invlpg(second);
  LOAD(fs, ENTRY(9));
  CHECK_EQ(PEEK(fs, 4), 0x22000004);
  trap_hook[14] = 0;
  LOAD(fs, 0);
  load_gdt(page.gdt, sizeof page.gdt);
}

static void everything(void) {
  mark_data();
  use_page();
  every_edit(page.gdt, 8, ENTRY(8));
  limits();
  refused_loads();
  loaders();
  stacks();
  local_tables();
  code_segments();
  moved_tables();
}

int main(void) {
  everything();
  map_identity(directory, low_tables);
  set_cr3((u32)directory);
  set_cr0(get_cr0() | CR0_PG | CR0_WP);
  everything();
  tables_under_paging();
  set_cr0(get_cr0() & ~(CR0_PG | CR0_WP));
  load_gdt(gdt, sizeof gdt);
  return 0;
}
