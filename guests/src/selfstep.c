// selfstep: a guest that debugs itself. Its own TF handler, over plain code, jumps, REP, MOV SS, POPF and IRET, traps
// and faults, system instructions, and over writes to its page tables, GDT and IDT; hardware breakpoints on code, on
// data by length and kind, on page-table and descriptor entries and stacks; RF, DR6, DR7.GD, CR4.DE; ring 3 as well.
//
// The pieces of code and the addresses at which they must stop are in selfstep.S.

#include "paging.h"

#define WINDOW 0x11800000u
#define FRAME(i) (0x00900000u + (i) * PAGE)  // aligned to 64 KB: bit 12 and 13 of an entry select one of four

#define DR6_BASE 0xffff0ff0u
#define BS 0x4000u
#define BD 0x2000u
#define SEEN (BS | BD | 15u)

static u32 directory[1024] PAGE_ALIGNED, low_tables[4][1024] PAGE_ALIGNED;
static u32 table[1024] PAGE_ALIGNED, other_table[1024] PAGE_ALIGNED;

static struct {
  u32 count;
  u32 eip[96], dr6[96];
} seen;
static u32 clear_dr7;

/** #DB: remembers where and why; a code breakpoint is passed with RF. */
static u32 on_debug(struct frame *frame) {
  u32 dr6 = get_dr6();
  if (seen.count < LENGTH(seen.eip)) {
    seen.eip[seen.count] = frame->eip;
    seen.dr6[seen.count] = dr6;
  }
  seen.count++;
  set_dr6(0);
  if (clear_dr7) set_dr7(0);
  if ((dr6 & 15) && !(dr6 & BS)) frame->eflags |= EFLAGS_RF;
  return 1;
}

static u32 skip_ud2(struct frame *frame) {
  frame->eip += 2;
  return 1;
}
static u32 go_on(struct frame *frame __attribute__((unused))) { return 1; }
static u32 map_it(struct frame *frame __attribute__((unused))) {
  set(&table[0], FRAME(0) | P | RW);
  return 1;
}

#define PIECE(name) \
  void name(void);  \
  extern const u32 expected_##name[];
PIECE(step_plain)
PIECE(step_jumps)
PIECE(step_strings)
PIECE(step_ss)
PIECE(step_flags)
PIECE(step_iret)
PIECE(step_traps)
PIECE(step_system)
PIECE(step_structures)
extern const u32 expected_step_user[], user_watch_bp, user_watch_after;
extern const char step_user[], step_user_watch[], bp_at[], bp_loop_at[], bp_fault_at[];
u32 bp_function(void);
u32 bp_loop(void);
u32 bp_fault(void);
extern u32 step_word[4];
extern u8 step_text[32], step_copy[32], step_saw_tf;
u32 watched[8] __attribute__((section(".user.b"), aligned(32)));

static void check_steps(const char *name, const u32 *expected) {
  u32 count = 0;
  while (expected[count]) count++;
  for (u32 i = 0; i < count && i < seen.count; i++) {
    if (seen.eip[i] != expected[i]) {
      put(name);
      put(" step ");
      put_dec(i);
      put("\n");
      CHECK_EQ(seen.eip[i], expected[i]);
    }
    CHECK_EQ(seen.dr6[i] & SEEN, BS);
  }
  if (seen.count != count) {
    put(name);
    put("\n");
    CHECK_EQ(seen.count, count);
  }
  seen.count = 0;
}

#define STEP(name)                                       \
  do {                                                   \
    note(#name "\n");                                    \
    seen.count = 0;                                      \
    asm volatile("call " #name : : : "memory", "cc");    \
    check_steps(#name, expected_##name);                 \
  } while (0)

static void stepping(void) {
  STEP(step_plain);
  STEP(step_jumps);
  for (u32 i = 0; i < 32; i++) step_text[i] = (u8)(i + 1);
  step_text[3] = 0;
  STEP(step_strings);
  CHECK_EQ(step_copy[2], 3);
  STEP(step_ss);
  STEP(step_flags);
  CHECK_EQ(step_saw_tf, 1);
  STEP(step_iret);
  trap_hook[0x42] = go_on, trap_hook[3] = go_on, trap_hook[6] = skip_ud2, trap_hook[14] = map_it;
  STEP(step_traps);
  trap_hook[0x42] = trap_hook[3] = trap_hook[6] = trap_hook[14] = 0;
  CHECK_EQ(read32(FRAME(0)), WINDOW);
  set(&table[0], 0);
  invlpg(WINDOW);
  STEP(step_system);

  // Structures.
  u32 *entry = &table[5], *far = &other_table[7];
  static u64 unused_gates[2];
  set(entry, FRAME(0) | P | RW);
  set(entry + 1, FRAME(3) | P | RW);
  for (u32 i = 0; i < 4; i++) write32(FRAME(i), 0xabc00000 + i);
  gdt[7] = 0;
  copy(unused_gates, &idt[0x90], 16);
  note("step_structures\n");
  seen.count = 0;
  asm volatile("pushl %%ebp\n\tmovl %0, %%ebp\n\tcall step_structures\n\tpopl %%ebp"
               : : "c"(far), "b"(entry), "d"(&gdt[7]), "S"(&idt[0x90]) : "eax", "edi", "memory", "cc");
  check_steps("step_structures", expected_step_structures);
  invlpg(WINDOW + 5 * PAGE);
  CHECK_EQ(*entry & ~0x60u, FRAME(3) | P | RW | 0x200);
  CHECK_EQ(read32(WINDOW + 5 * PAGE), 0xabc00003);
  CHECK_EQ(other_table[7] & ~0x60u, *entry & ~0x60u);
  CHECK_EQ(read32(WINDOW + 0x400000 + 7 * PAGE), 0xabc00003);
  CHECK_EQ((u32)gdt[7], 0x0000ffff);
  CHECK_EQ((u32)(gdt[7] >> 32), 0x00cf9300);
  CHECK_EQ((u32)idt[0x90] & ~0x60u, FRAME(3) | P | RW | 0x200);
  CHECK_EQ((u32)(idt[0x90] >> 32) & ~0x60u, FRAME(3) | P | RW);
  copy(&idt[0x90], unused_gates, 16);
  gdt[7] = 0;
  set(entry, 0);
  set(entry + 1, 0);
  set(far, 0);
  reload_cr3();

  // Ring 3.
  note("step_user\n");
  seen.count = 0;
  struct user_regs regs = {0};
  user_with(step_user, user_stack_top, 2 | EFLAGS_TF, &regs);
  CHECK_USER_TRAP(0x80, 0);
  CHECK_EQ(trap.eax & EFLAGS_TF, EFLAGS_TF);
  CHECK_EQ(trap.eflags & EFLAGS_TF, EFLAGS_TF);
  check_steps("step_user", expected_step_user);
}

// --- breakpoints -----------------------------------------------------------------------------------------------

#define EXECUTE 0u
#define WRITE 1u
#define READ_WRITE 3u

static u32 enable(u32 n, u32 kind, u32 length) { return 1u << (2 * n) | kind << (16 + 4 * n) | (length - 1) << (18 + 4 * n); }

/** The last piece of code must have made exactly these #DB: the first one at eip, for reasons. */
static void check_hits(u32 count, u32 eip, u32 reasons) {
  CHECK_EQ(seen.count, count);
  if (count) {
    CHECK_EQ(seen.dr6[0] & SEEN, reasons);
    CHECK_EQ(seen.eip[0], eip);
  }
  seen.count = 0;
}

/** A stepped instruction that hits, then PUSHFL, ANDL and POPFL. TCG reports the two reasons one by one. */
static void check_stepped_hit(u32 eip, u32 reason) {
  if (on_tcg && seen.count == 5) seen.count = 4, seen.eip[0] = eip, seen.dr6[0] = BS | reason;
  check_hits(4, eip, BS | reason);
}

static void code_breakpoints(void) {
  seen.count = 0;
  set_dr0((u32)bp_at);
  CHECK_EQ(get_dr0(), (u32)bp_at);
  set_dr7(enable(0, EXECUTE, 1));
  CHECK_EQ(get_dr7() & 0x00ff2fff, 0x401);
  CHECK_EQ(bp_function(), 42);
  check_hits(1, (u32)bp_at, 1);
  CHECK_EQ(bp_function(), 42);
  CHECK_EQ(bp_function(), 42);
  check_hits(2, (u32)bp_at, 1);
  // The handler takes the breakpoint away instead.
  clear_dr7 = 1;
  CHECK_EQ(bp_function(), 42);
  check_hits(1, (u32)bp_at, 1);
  CHECK_EQ(bp_function(), 42);
  check_hits(0, 0, 0);
  clear_dr7 = 0;
  // In a loop, over register 3, by its global bit.
  set_dr3((u32)bp_loop_at);
  set_dr7(0x80);
  CHECK_EQ(bp_loop(), 15);
  check_hits(5, (u32)bp_loop_at, 8);
  // In its middle: no hit, code breakpoints are for first bytes.
  set_dr3((u32)bp_loop_at + 1);
  CHECK_EQ(bp_loop(), 15);
  check_hits(0, 0, 0);
  // Two registers at one place.
  set_dr0((u32)bp_loop_at);
  set_dr3((u32)bp_loop_at);
  set_dr7(enable(0, EXECUTE, 1) | enable(3, EXECUTE, 1));
  CHECK_EQ(bp_loop(), 15);
  check_hits(5, (u32)bp_loop_at, 9);
  // On an instruction that faults and starts again: once, as the fault's image has RF set.
  set_dr0((u32)bp_fault_at);
  set_dr7(enable(0, EXECUTE, 1));
  write32(FRAME(0), 0x600d);
  trap_hook[14] = map_it;
  CHECK_EQ(bp_fault(), 0x600d);
  trap_hook[14] = 0;
  set(&table[0], 0);
  invlpg(WINDOW);
  if (on_tcg) seen.count = 1;  // it leaves RF out of the image, and stops twice
  check_hits(1, (u32)bp_fault_at, 1);
  // With TF: the breakpoint stops before, the step behind.
  set_dr0((u32)bp_at);
  asm volatile("pushfl\n\torl $0x100, (%%esp)\n\tpopfl\n\tcall bp_function\n\tpushfl\n\tandl $~0x100, (%%esp)\n\tpopfl"
               : : : "eax", "ecx", "memory", "cc");
  // call, mov, (breakpoint), add, ret, pushfl, andl, popfl
  u32 breakpoints = 0, steps = 0;
  for (u32 i = 0; i < seen.count; i++) {
    if (seen.dr6[i] & 1) {
      breakpoints++;
      CHECK_EQ(seen.eip[i], (u32)bp_at);
    }
    if (seen.dr6[i] & BS) steps++;
  }
  CHECK(breakpoints == 1 || breakpoints == 2);  // the step before may report both
  CHECK_EQ(steps, 7);
  seen.count = 0;
  set_dr7(0);
}

static NOINLINE void access(u32 address, u32 size, u32 write) {
  if (write) {
    if (size == 4) asm volatile("movl %0, (%1)" : : "r"(address), "r"(address) : "memory");
    if (size == 2) asm volatile("movw %w0, (%1)" : : "r"(address), "r"(address) : "memory");
    if (size == 1) asm volatile("movb %b0, (%1)" : : "a"(address), "r"(address) : "memory");
  } else {
    if (size == 4) asm volatile("movl (%0), %%ecx" : : "r"(address) : "ecx", "memory");
    if (size == 2) asm volatile("movw (%0), %%cx" : : "r"(address) : "ecx", "memory");
    if (size == 1) asm volatile("movb (%0), %%cl" : : "r"(address) : "ecx", "memory");
  }
}

static void data_breakpoints(void) {
  seen.count = 0;
  u32 base = (u32)watched + 8;
  for (u32 length = 1; length <= 4; length *= 2) {
    for (u32 kind = WRITE; kind <= READ_WRITE; kind += 2) {
      set_dr1(base);
      set_dr7(enable(1, kind, length));
      for (u32 size = 1; size <= 4; size *= 2) {
        for (int offset = -4; offset <= 4; offset++) {
          u32 overlap = offset < (int)length && offset + (int)size > 0;
          for (u32 write = 0; write < 2; write++) {
            access(base + (u32)offset, size, write);
            u32 hits = overlap && (write || kind == READ_WRITE);
            if (on_tcg && ((u32)offset & (size - 1))) hits = seen.count;  // it widens unaligned accesses
            CHECK_EQ(seen.count, hits);
            if (hits) CHECK_EQ(seen.dr6[0] & SEEN, 2);
            seen.count = 0;
          }
        }
      }
    }
  }
  // The low bits of the address do not count beyond what the length allows.
  set_dr1(base + 3);
  set_dr7(enable(1, WRITE, 4));
  access(base, 1, 1);
  if (!on_tcg) CHECK_EQ(seen.count, 1);
  seen.count = 0;

  // EIP is behind the instruction; several kinds of writers; a read-modify-write stops a write breakpoint once.
  u32 after;
  set_dr1(base);
  set_dr7(enable(1, WRITE, 4));
#define HIT(instructions, reasons, ...)                                                                        \
  do {                                                                                                         \
    asm volatile("movl $1f, %0\n\t" instructions "\n1:" : "=&r"(after) : __VA_ARGS__ : "eax", "memory", "cc");  \
    check_hits(1, after, reasons);                                                                             \
  } while (0)
  HIT("movl $1, (%1)", 2, "r"(base));
  HIT("incl (%1)", 2, "r"(base));
  HIT("xchgl %%eax, (%1)", 2, "r"(base));
  HIT("lock btsl $3, (%1)", 2, "r"(base));
  HIT("pushl $0x77\n\tpopl (%1)", 2, "r"(base));
  HIT("movl %1, %%edi\n\tmovl $9, %%eax\n\tstosl", 2, "r"(base), "D"(0));
  HIT("lock cmpxchgl %%ecx, (%1)", 2, "r"(base), "c"(base));
  HIT("setc 3(%1)", 2, "r"(base));
  // A read does not, nor does what writes beside it.
  asm volatile("movl (%0), %%eax\n\tmovl %%eax, 4(%0)\n\tmovl %%eax, -4(%0)\n\tcmpl %%eax, (%0)" : : "r"(base) : "eax", "memory", "cc");
  check_hits(0, 0, 0);
  // With TF both reasons come in one.
  asm volatile("movl $1f, %0\n\tpushfl\n\torl $0x100, (%%esp)\n\tpopfl\n\tmovl $1, (%1)\n1:\tpushfl\n\tandl $~0x100, (%%esp)\n\tpopfl"
               : "=&r"(after) : "r"(base) : "memory", "cc");
  check_stepped_hit(after, 2);
  // REP STOSD over it: a stop somewhere behind the iteration that hit, and everything is written.
  u32 to = (u32)watched, count = 8;
  asm volatile("rep stosl" : "+D"(to), "+c"(count) : "a"(0x5a5a5a5a) : "memory");
  CHECK_EQ(seen.count, 1);
  CHECK_EQ(seen.dr6[0] & 15, 2);
  seen.count = 0;
  for (u32 i = 0; i < 8; i++) CHECK_EQ(watched[i], 0x5a5a5a5a);
  set_dr7(0);
}

static void structure_breakpoints(void) {
  seen.count = 0;
  u32 after;
  // On an entry of an active page table.
  u32 *entry = &table[20], linear = WINDOW + 20 * PAGE;
  write32(FRAME(1), 0xabc00001);
  write32(FRAME(2), 0xabc00002);
  set_dr2((u32)entry);
  set_dr7(enable(2, WRITE, 4));
  u32 one = FRAME(1) | P | RW, two = FRAME(2) | P | RW;
  HIT("movl %2, (%1)", 4, "r"(entry), "r"(one));
  CHECK_EQ(read32(linear), 0xabc00001);
  HIT("xorl %2, (%1)", 4, "r"(entry), "r"(one ^ two));
  invlpg(linear);
  CHECK_EQ(read32(linear), 0xabc00002);
  HIT("pushl %2\n\tpopl (%1)", 4, "r"(entry), "r"(one));
  invlpg(linear);
  CHECK_EQ(read32(linear), 0xabc00001);
  u32 keep;
  asm volatile("movl %%esp, %1\n\tmovl $1f, %0\n\tleal 4(%2), %%esp\n\tpushl %3\n1:\tmovl %1, %%esp"
               : "=&r"(after), "=&r"(keep) : "r"(entry), "r"(two) : "memory");
  // The stop was on a stack in the table: the handler's frames went to the entries below. Away with them.
  check_hits(1, after, 4);
  CHECK_EQ(*entry & ~0x60u, two);
  set_dr7(0);
  fill32(table, 0, 20);
  reload_cr3();
  CHECK_EQ(read32(linear), 0xabc00002);
  // Read and write, while it is stepped.
  set_dr7(enable(2, READ_WRITE, 4));
  HIT("movl (%1), %%eax", 4, "r"(entry));
  asm volatile("movl $1f, %0\n\tpushfl\n\torl $0x100, (%%esp)\n\tpopfl\n\tbtrl $0, (%1)\n1:\tpushfl\n\tandl $~0x100, (%%esp)\n\tpopfl"
               : "=&r"(after) : "r"(entry) : "memory", "cc");
  check_stepped_hit(after, 4);
  invlpg(linear);
  set_dr7(0);
  CHECK_EQ(TRY("movl (%0), %%eax", "r"(linear)), 1);
  CHECK_PAGE_FAULT(0, linear);
  set(entry, 0);

  // On a GDT entry.
  set_dr2((u32)&gdt[7] + 4);
  set_dr7(enable(2, WRITE, 4));
  HIT("movl $0x00cf9300, 4(%1)", 4, "r"(&gdt[7]));
  HIT("orl $0x4000, 4(%1)", 4, "r"(&gdt[7]));
  asm volatile("movl $0xffff, (%0)" : : "r"(&gdt[7]) : "memory");
  check_hits(0, 0, 0);
  set_dr7(0);
  CHECK_EQ((u32)(gdt[7] >> 32), 0x00cfd300);
  gdt[7] = 0;

  // On a stack slot, by PUSH and CALL.
  static u32 stack[512];
  set_dr2((u32)&stack[500]);
  set_dr7(enable(2, WRITE, 4));
  asm volatile("movl %%esp, %1\n\tmovl $1f, %0\n\tleal 4(%2), %%esp\n\tpushl $1\n1:\tmovl %1, %%esp"
               : "=&r"(after), "=&r"(keep) : "r"(&stack[500]) : "memory");
  check_hits(1, after, 4);
  asm volatile("movl %%esp, %1\n\tmovl $1f, %0\n\tleal 4(%2), %%esp\n\tcall 1f\n1:\tmovl %1, %%esp"
               : "=&r"(after), "=&r"(keep) : "r"(&stack[500]) : "memory");
  check_hits(1, after, 4);
  set_dr7(0);
}

static void the_rest(void) {
  seen.count = 0;
  // Ring 3: a code breakpoint and a data breakpoint.
  set_dr0(user_watch_bp);
  set_dr1((u32)watched);
  set_dr7(enable(0, EXECUTE, 1) | enable(1, WRITE, 4));
  user(step_user_watch, 5, (u32)watched);
  CHECK_USER_TRAP(0x80, 0);
  CHECK_EQ(seen.count, 2);
  CHECK_EQ(seen.eip[0], user_watch_bp);
  CHECK_EQ(seen.dr6[0] & SEEN, 1);
  CHECK_EQ(seen.eip[1], user_watch_after);
  CHECK_EQ(seen.dr6[1] & SEEN, 2);
  CHECK_EQ(watched[0], 5);
  seen.count = 0;
  set_dr7(0);

  // DR6 gathers until the handler clears it, and its fixed bits read as ones.
  CHECK_EQ(get_dr6(), DR6_BASE);
  set_dr6(0xf);
  CHECK_EQ(get_dr6() & SEEN, 0xf);
  set_dr6(0);
  CHECK_EQ(get_dr7() & 0x400, 0x400);

  // DR4 and DR5 are DR6 and DR7, or #UD with CR4.DE.
  u32 value;
  set_dr7(0x02);
  asm volatile(".byte 0x0f, 0x21, 0xe8" : "=a"(value));  // mov %dr5, %eax
  CHECK_EQ(value & 0xff, 0x02);
  set_dr7(0);
  set_cr4(get_cr4() | CR4_DE);
  CHECK_EQ(TRY(".byte 0x0f, 0x21, 0xe8"), 1);
  CHECK_FAULT_HERE(6, 0);
  CHECK_EQ(TRY(".byte 0x0f, 0x23, 0xe0"), 1);  // mov %eax, %dr4
  CHECK_FAULT_HERE(6, 0);
  set_cr4(get_cr4() & ~CR4_DE);

  if (!on_tcg) {
    // INT1.
    u32 after, site;
    asm volatile("movl $1f, %0\n\t.byte 0xf1\n1:" : "=r"(after) : : "memory");
    check_hits(1, after, 0);
    // DR7.GD: the next look at a debug register traps before it happens, and GD is off in the handler.
    set_dr7(0x2000);
    asm volatile("movl $1f, %0\n1:\tmovl %%dr0, %1" : "=&r"(site), "=r"(value) : : "memory");
    check_hits(1, site, BD);
    CHECK_EQ(value, user_watch_bp);
    CHECK_EQ(get_dr7() & 0x2000, 0);
    set_dr7(0);
  }
  set_dr0(0), set_dr1(0), set_dr2(0), set_dr3(0);
}

int main(void) {
  map_identity(directory, low_tables);
  directory[DIRECTORY_INDEX(WINDOW)] = (u32)table | P | RW | US;
  directory[DIRECTORY_INDEX(WINDOW) + 1] = (u32)other_table | P | RW | US;
  set_cr3((u32)directory);
  set_cr0(get_cr0() | CR0_PG | CR0_WP);
  trap_hook[1] = on_debug;
  set_dr6(0);
  set_dr7(0);

  stepping();
  code_breakpoints();
  data_breakpoints();
  structure_breakpoints();
  the_rest();

  set_cr0(get_cr0() & ~(CR0_PG | CR0_WP));
  return 0;
}
