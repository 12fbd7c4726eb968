// hostile: a guest that looks for a way out. It reads the table registers, writes, jumps to and lets ring 3 read and
// write every place where a monitor might keep something, with CR0.WP on and off; maps frames beyond the end of RAM;
// points tables, gates, task registers and debug registers where they do not belong; takes the whole address space
// for itself, down to the last page; uses each privileged way in from ring 3.
//
// Every outcome checked here is what the SDM gives for bare hardware, so it is the same with no monitor at all. It
// never *reads* an unmapped address from ring 0: a monitor's read-only window answers there, which is its stated leak.

#include "paging.h"

static u32 directory[1024] PAGE_ALIGNED, full_directory[1024] PAGE_ALIGNED;
static u32 low_tables[4][1024] PAGE_ALIGNED, top_table[1024] PAGE_ALIGNED, empty_table[1024] PAGE_ALIGNED;
static u32 seed = 0x9e3779b9;

static u32 random(void) {
  seed ^= seed << 13, seed ^= seed >> 17, seed ^= seed << 5;
  return seed;
}

/** A linear address that nothing maps, dword-aligned. */
static u32 unmapped(void) {
  u32 address = random() & ~3u;
  return address < 0x01000000 ? address | 0x80000000 : address;
}

// --- probes: one instruction that must fault -------------------------------------------------------------------

// Each takes the address on the stack, and returns 0 when nothing happened. The handler sends it to probe_caught.
u32 probe_write(u32 address), probe_rmw(u32 address), probe_xchg(u32 address), probe_bts(u32 address), probe_byte(u32 address);
u32 probe_stosd(u32 address), probe_movsd(u32 address), probe_cmpxchg8b(u32 address), probe_pop(u32 address), probe_segment(u32 address);
u32 probe_jump(u32 address), probe_call(u32 address), probe_return(u32 address);
extern const char probe_sites[], probe_sites_end[], probe_caught[];
u32 probe_stack;
asm(".text\n"
    "\t.macro PROBE name, before:vararg\n\\name:\n\tmovl 4(%esp), %eax\n\tpushl %edi\n\tpushl %esi\n\tpushl %ebx\n\tmovl %esp, probe_stack\n\t\\before\n\t.endm\n"
    "\t.macro WAY_BACK\n\txorl %eax, %eax\n\tpopl %ebx\n\tpopl %esi\n\tpopl %edi\n\tret\n\t.endm\n"
    "probe_sites:\n"
    "PROBE probe_write\n\tmovl %eax, (%eax)\n\tWAY_BACK\n"
    "PROBE probe_rmw\n\tlock incl (%eax)\n\tWAY_BACK\n"
    "PROBE probe_xchg\n\txchgl %eax, (%eax)\n\tWAY_BACK\n"
    "PROBE probe_bts\n\tbtsl $1, (%eax)\n\tWAY_BACK\n"
    "PROBE probe_byte\n\tmovb $0x8e, (%eax)\n\tWAY_BACK\n"
    "PROBE probe_stosd, movl %eax, %edi\n\tstosl\n\tWAY_BACK\n"
    "PROBE probe_movsd, movl %eax, %edi\n\tmovl $probe_sites, %esi\n\tmovsl\n\tWAY_BACK\n"
    "PROBE probe_cmpxchg8b, movl %eax, %esi\n\tlock cmpxchg8b (%esi)\n\tWAY_BACK\n"
    "PROBE probe_pop, pushl %eax\n\tpopl (%eax)\n\tWAY_BACK\n"
    "PROBE probe_segment, subl $0x10000000, %eax\n\tmovl %eax, %fs:(%eax)\n\tWAY_BACK\n"
    "PROBE probe_jump\n\tjmp *%eax\n"
    "PROBE probe_call\n\tcall *%eax\n"
    "PROBE probe_return, pushl %eax\n\tret\n"
    "probe_sites_end:\n"
    "probe_caught:\n\tmovl probe_stack, %esp\n\tmovl $1, %eax\n\tpopl %ebx\n\tpopl %esi\n\tpopl %edi\n\tret\n");

static struct {
  u32 active, address, error, jump, count;
} probe;

static u32 on_page_fault(struct frame *frame) {
  if (!probe.active) return 0;
  CHECK_EQ(get_cr2(), probe.address);
  CHECK_EQ(frame->error | (on_tcg ? probe.error & 2 : 0), probe.error);  // it reads first in a read-modify-write
  if (probe.jump) CHECK_EQ(frame->eip, probe.address);
  else CHECK(frame->eip >= (u32)probe_sites && frame->eip < (u32)probe_sites_end);
  probe.active = 0;
  probe.count++;
  frame->eip = (u32)probe_caught;
  return 1;
}

static void must_fault(u32 (*by)(u32), u32 address, u32 error) {
  probe.active = 1, probe.address = address, probe.error = error;
  probe.jump = by == probe_jump || by == probe_call || by == probe_return;
  CHECK_EQ(by(address), 1);
}

static u32 (*const writers[])(u32) = {probe_write, probe_rmw,   probe_xchg,      probe_bts, probe_byte,
                                      probe_stosd, probe_movsd, probe_cmpxchg8b, probe_pop, probe_segment};

static void user_must_fault(const void *code, u32 address, u32 error) {
  user(code, address, 0x8e00);
  if (on_tcg) trap.error |= error & 2;
  CHECK_USER_TRAP(14, error);
  CHECK_EQ(trap.cr2, address);
  if (code == user_fetch) CHECK_EQ(trap.eip, address);
}

/** Writes at every page of the top 16 MB, every 64 KB of the 256 MB there, every 4 MB of all, and at random. */
static void write_everywhere(void) {
  for (u32 page = 0; page < 4096; page++) must_fault(probe_write, 0xff000000 + page * PAGE + (random() & 0xffc), 2);
  for (u32 i = 0; i < 4096; i++) must_fault(probe_write, 0xf0000000 + i * 0x10000, 2);
  for (u32 i = 4; i < 1024; i++) must_fault(probe_write, i << 22 | (random() & 0x3ffffc), 2);
  for (u32 i = 0; i < 500; i++) must_fault(writers[i % LENGTH(writers)], unmapped(), 2);
  for (u32 i = 0; i < LENGTH(writers); i++) {
    must_fault(writers[i], 0xfffff000, 2);
    must_fault(writers[i], 0xffc00000, 2);
    must_fault(writers[i], 0xff800ff8, 2);
    must_fault(writers[i], 0xfffffff8, 2);
  }
}

static void jump_everywhere(void) {
  for (u32 page = 0; page < 4096; page++) must_fault(probe_jump, 0xff000000 + page * PAGE + (random() & 0xfff), 0);
  for (u32 i = 4; i < 1024; i++) must_fault(probe_jump, i << 22 | (random() & 0x3fffff), 0);
  for (u32 i = 0; i < 300; i++) must_fault(i & 1 ? probe_call : probe_return, unmapped(), 0);
}

static void from_ring_3(void) {
  for (u32 i = 0; i < 256; i++) {
    user_must_fault(user_read, 0xff000000 + i * 0x10000 + (random() & 0xfffc), 4);
    user_must_fault(user_write, 0xff000000 + i * 0x10000 + (random() & 0xfffc), 6);
    user_must_fault(user_rmw, unmapped(), 6);
    user_must_fault(user_fetch, unmapped(), 4);
  }
  user_must_fault(user_read, 0xfffffffc, 4);
  user_must_fault(user_write, 0xfffff000, 6);
  // What the guest's own kernel keeps from it.
  user_must_fault(user_read, (u32)directory, 5);
  user_must_fault(user_write, (u32)low_tables, 7);
  user_must_fault(user_write, (u32)idt, 7);
  user_must_fault(user_write, (u32)gdt, 7);
  user_must_fault(user_rmw, (u32)&tss, 7);
}

/** A segment whose base makes offsets reach addresses in another way, and wrap around. */
static void over_segments(void) {
  gdt[GDT_FREE] = DESCRIPTOR(0x10000000u, 0xfffffu, 0x92, 0xc);
  asm volatile("movl %0, %%fs" : : "r"(GDT_FREE * 8));
  u32 value;
  asm volatile("movl %%fs:(%1), %0" : "=r"(value) : "r"(0x00100000u - 0x10000000u));
  CHECK_EQ(value, 0x1badb002);
}

// --- the table registers ---------------------------------------------------------------------------------------

extern const u8 user_stores[];
static u32 user_buffer[8] __attribute__((section(".user.b")));
asm(".section .user.c, \"awx\"\nuser_stores:\n\tsgdtl (%eax)\n\tsidtl 8(%eax)\n\tsldt %ecx\n\tstr %edx\n\tsmsw %ebx\n\tint $0x80\n\t.text\n");

static void check_tables(const u32 *b, u32 ldt, u32 task, u32 status) {
  CHECK_EQ(b[0] & 0xffff, sizeof gdt - 1);
  CHECK_EQ(b[0] >> 16 | b[1] << 16, (u32)gdt);
  CHECK_EQ(b[2] & 0xffff, sizeof idt - 1);
  CHECK_EQ(b[2] >> 16 | b[3] << 16, (u32)idt);
  CHECK_EQ(ldt & 0xffff, 0);
  CHECK_EQ(task & 0xffff, TSS_SELECTOR);
  CHECK_EQ(status & 0xffff, get_cr0() & 0xffff);
}

static void look_for_tables(void) {
  u32 ldt, task, status;
  asm volatile("sgdtl (%3)\n\tsidtl 8(%3)\n\tsldt %0\n\tstr %1\n\tsmsw %2"
               : "=&r"(ldt), "=&r"(task), "=&r"(status) : "r"(user_buffer) : "memory");
  check_tables(user_buffer, ldt, task, status);
  user(user_stores, (u32)user_buffer, 0);
  CHECK_USER_TRAP(0x80, 0);
  check_tables(user_buffer, trap.ecx, trap.edx, trap.ebx);
  CHECK_EQ(get_cr3(), (u32)directory);
  CHECK_EQ(get_dr7() & 0xffff23ff, 0);
  // The tables' contents are what the guest wrote, and their pages may be read-only.
  u32 *entries[] = {&low_tables[0][TABLE_INDEX((u32)gdt)], &low_tables[0][TABLE_INDEX((u32)idt)], &low_tables[0][TABLE_INDEX((u32)&tss)]};
  CHECK_EQ((u32)idt[0x42], (KERNEL_CS << 16) | (trap_stub(0x42) & 0xffff));
  CHECK_EQ(gdt[5] >> 40 & 0xff, 0x8b);
  for (u32 i = 0; i < 3; i++) {
    u32 *entry = entries[i], was = *entry & ~0x60u;
    // The handler's own data lie beside them, so CR0.WP is what lets it run: this is about the processor's reads.
    set_cr0(get_cr0() & ~CR0_WP);
    set(entry, was & ~RW);
    reload_cr3();
    CHECK_EQ(TRY("int $0x42"), 1);
    CHECK_FAULT(0x42, 0);
    user(user_int80, 0, 0);
    CHECK_USER_TRAP(0x80, 0);
    set(entry, was);
    reload_cr3();
    set_cr0(get_cr0() | CR0_WP);
  }
}

// --- frames beyond RAM --------------------------------------------------------------------------------------------

static void beyond_ram(void) {
  u32 window = 0x20000000, value;
  directory[DIRECTORY_INDEX(window)] = (u32)top_table | P | RW | US;
  for (u32 i = 0; i < 1024; i++) top_table[i] = (ram_end + (i < 256 ? i : (i - 256) * 21) * PAGE) | P | RW | US;
  reload_cr3();
  for (u32 i = 0; i < 1024; i++) {
    u32 address = window + i * PAGE + (random() & 0xffc);
    if (!on_tcg) CHECK_EQ(read32(address), 0xffffffff);
    write32(address, i);
    asm volatile("lock xorl %1, (%0)" : : "r"(address), "r"(i) : "memory", "cc");
    if (!on_tcg) CHECK_EQ(read32(address), 0xffffffff);
  }
  if (!on_tcg) {
    // As a stack, by ring 3, and as code: 0xff 0xff is no instruction.
    u32 keep;
    asm volatile("movl %%esp, %1\n\tleal 0x800(%2), %%esp\n\tpushl $1\n\tpopl %0\n\tmovl %1, %%esp"
                 : "=&r"(value), "=&r"(keep) : "r"(window) : "memory");
    CHECK_EQ(value, 0xffffffff);
    user(user_read, window + 5 * PAGE, 0);
    CHECK_USER_TRAP(0x80, 0);
    CHECK_EQ(trap.ecx, 0xffffffff);
    CHECK_EQ(TRY("jmp *%0", "r"(window + 7 * PAGE)), 1);
    CHECK_FAULT(6, 0);
    CHECK_EQ(trap.eip, window + 7 * PAGE);
    // As a page table: all entries are present there, and lead to the top of the physical addresses; where the processor
    // has no PAT, bit 7 of a page's entry is reserved.
    directory[DIRECTORY_INDEX(window) + 1] = (ram_end + 0x10000) | P | RW;
    if (TRY("movl (%0), %%eax", "r"(window + 0x400000))) CHECK_PAGE_FAULT(9, window + 0x400000);
    if (TRY("movl $1, (%0)", "r"(window + 0x400000))) CHECK_PAGE_FAULT(0xb, window + 0x400000);
    directory[DIRECTORY_INDEX(window) + 1] = 0;
  }
  directory[DIRECTORY_INDEX(window)] = 0;
  fill32(top_table, 0, 1024);
  reload_cr3();
  // CR3 itself, where nothing comes of it: with paging off.
  u32 cr0 = get_cr0();
  set_cr0(cr0 & ~CR0_PG);
  for (u32 i = 0; i < 64; i++) {
    u32 frame = ram_end + i * 0x10000;
    set_cr3(frame);
    CHECK_EQ(get_cr3(), frame);
  }
  set_cr3((u32)directory);
  set_cr0(cr0);
}

// --- forged gates, selectors, tasks ---------------------------------------------------------------------------------

static void selectors(void) {
  // None of the selectors beyond the guest's own table is anything.
  u32 valid = 0;
  for (u32 selector = sizeof gdt; selector < 0x10000; selector += 4) {
    u8 lar, lsl;
    u32 value;
    asm volatile("larl %3, %2\n\tsetz %0\n\tlsll %3, %2\n\tsetz %1" : "=&q"(lar), "=&q"(lsl), "=&r"(value) : "r"(selector | (selector >> 7 & 3)) : "cc");
    valid += lar + lsl;
  }
  CHECK_EQ(valid, 0);
  for (u32 selector = sizeof gdt; selector < 0x10000; selector += 8 * 7) {
    CHECK_EQ(TRY("movl %0, %%gs", "r"(selector | (selector >> 7 & 3))), 1);
    CHECK_FAULT_HERE(13, selector);
    CHECK_EQ(TRY("movl %0, %%ss", "r"(selector)), 1);
    CHECK_FAULT_HERE(13, selector);
    CHECK_EQ(TRY("pushl %0\n\tpushl $0\n\tlret", "r"(selector)), 1);
    CHECK_FAULT(13, selector);
    CHECK_EQ(TRY("lldt %w0", "r"(selector)), 1);
    CHECK_FAULT_HERE(13, selector);
    CHECK_EQ(TRY("ltr %w0", "r"(selector)), 1);
    CHECK_FAULT_HERE(13, selector);
  }
  static struct {
    u32 offset;
    u16 selector;
  } __attribute__((packed)) far;
  for (u32 selector = sizeof gdt; selector < 0x10000; selector += 8 * 61) {
    far.offset = 0xff800000 + selector, far.selector = (u16)selector;
    CHECK_EQ(TRY("ljmp *%0", "m"(far)), 1);
    CHECK_FAULT_HERE(13, selector);
    // Gates in the guest's own IDT that lead there.
    idt[0x90] = GATE(selector, 0xff800000u, 0x8e);
    CHECK_EQ(TRY("int $0x90"), 1);
    CHECK_FAULT_HERE(13, selector);
  }
  // Local selectors with no LDT at all, and with an LDT where nothing is mapped.
  CHECK_EQ(TRY("movl %0, %%gs", "r"(4)), 1);
  CHECK_FAULT_HERE(13, 4);
  for (u32 i = 0; i < 32; i++) {
    u32 base = 0xff000000 + (random() & 0xfff000);
    gdt[GDT_FREE + 1] = DESCRIPTOR(base, 0xffffu, 0x82, 0);
    asm volatile("lldt %w0" : : "r"((GDT_FREE + 1) * 8) : "memory");
    u32 selector = (random() & 0xfff8) | 4;
    trap_hook[14] = 0;
    CHECK_EQ(TRY("movl %0, %%gs", "r"(selector)), 1);
    trap_hook[14] = on_page_fault;
    CHECK_FAULT_HERE(14, 0);
    CHECK_EQ(trap.cr2 & ~7u, base + (selector & ~7u));
  }
  asm volatile("lldt %w0" : : "r"(0) : "memory");
  gdt[GDT_FREE + 1] = 0;
}

extern const u8 user_same_ring[], user_same_handler[];
asm(".section .user.c, \"awx\"\nuser_same_ring:\n\tint $0x91\n\tint $0x80\nuser_same_handler:\n\tmovl %cs, %eax\n\tmovl (%esp), %ecx\n\tiretl\n\t.text\n");

static void forged_gates(void) {
  // Code of DPL 1, 2 and 3 in a gate, reached from ring 0: a gate never leads outwards.
  for (u32 dpl = 1; dpl < 4; dpl++) {
    gdt[GDT_FREE + 2] = DESCRIPTOR(0u, 0xfffffu, 0x9b | dpl << 5, 0xc);
    idt[0x90] = GATE((GDT_FREE + 2) * 8, (u32)main, 0xee);
    CHECK_EQ(TRY("int $0x90"), 1);
    CHECK_FAULT_HERE(13, (GDT_FREE + 2) * 8);
    CHECK_EQ(TRY("ljmp %0, $0", "i"((GDT_FREE + 2) * 8)), 1);
    CHECK_FAULT_HERE(13, (GDT_FREE + 2) * 8);
    // As data of that DPL it may be used; as a stack it may not.
    gdt[GDT_FREE + 2] = DESCRIPTOR(0u, 0xfffffu, 0x93 | dpl << 5, 0xc);
    asm volatile("movl %0, %%gs" : : "r"((GDT_FREE + 2) * 8 | dpl));
    u32 value;
    asm volatile("movl %%gs:0x100000, %0\n\tmovl %1, %%gs" : "=&r"(value) : "r"(0));
    CHECK_EQ(value, 0x1badb002);
    CHECK_EQ(TRY("movl %0, %%ss", "r"((GDT_FREE + 2) * 8)), 1);
    CHECK_FAULT_HERE(13, (GDT_FREE + 2) * 8);
    CHECK_EQ(TRY("movl %0, %%ss", "r"((GDT_FREE + 2) * 8 | dpl)), 1);
    CHECK_FAULT_HERE(13, (GDT_FREE + 2) * 8);
  }
  // Null, data, not present; RPL in a gate means nothing.
  idt[0x90] = GATE(0u, (u32)main, 0x8e);
  CHECK_EQ(TRY("int $0x90"), 1);
  CHECK_FAULT_HERE(13, 0);
  idt[0x90] = GATE(KERNEL_DS, (u32)main, 0x8e);
  CHECK_EQ(TRY("int $0x90"), 1);
  CHECK_FAULT_HERE(13, KERNEL_DS);
  gdt[GDT_FREE + 2] = DESCRIPTOR(0u, 0xfffffu, 0x1b, 0xc);
  idt[0x90] = GATE((GDT_FREE + 2) * 8, (u32)main, 0x8e);
  CHECK_EQ(TRY("int $0x90"), 1);
  CHECK_FAULT_HERE(11, (GDT_FREE + 2) * 8);
  idt[0x90] = GATE(KERNEL_CS | 3, trap_stub(0x55), 0x8e);
  CHECK_EQ(TRY("int $0x90"), 1);
  CHECK_FAULT(0x55, 0);
  CHECK_EQ(trap.cs & 0xffff, KERNEL_CS);
  // A processor's exception over a bad gate: EXT is set in what comes instead. TCG forgets it.
  u32 ext = !on_tcg;
  u64 keep = idt[6];
  idt[6] = GATE(sizeof gdt, (u32)main, 0x8e);
  CHECK_EQ(TRY("ud2"), 1);
  CHECK_FAULT_HERE(13, sizeof gdt | ext);
  idt[6] = keep & ~((u64)0x80 << 40);
  CHECK_EQ(TRY("ud2"), 1);
  CHECK_FAULT_HERE(11, 6 * 8 + 2 + ext);
  idt[6] = 0;
  CHECK_EQ(TRY("ud2"), 1);
  CHECK_FAULT_HERE(13, 6 * 8 + 2 + ext);
  idt[6] = keep;
  // A gate into ring 3 code, from ring 3: same ring, same stack.
  idt[0x91] = GATE(USER_CS, (u32)user_same_handler, 0xee);
  user(user_same_ring, 0, 0);
  CHECK_USER_TRAP(0x80, 0);
  CHECK_EQ(trap.eax & 0xffff, USER_CS);
  CHECK_EQ(trap.ecx, (u32)user_same_ring + 2);
  // Task gates that lead to no task.
  idt[0x90] = GATE(sizeof gdt, 0u, 0x85);
  CHECK_EQ(TRY("int $0x90"), 1);
  CHECK_FAULT_HERE(13, sizeof gdt);
  idt[0x90] = GATE(KERNEL_DS, 0u, 0x85);
  CHECK_EQ(TRY("int $0x90"), 1);
  CHECK_FAULT_HERE(13, KERNEL_DS);
  gdt[GDT_FREE + 2] = DESCRIPTOR((u32)&tss, sizeof tss - 1, 0x09, 0);
  idt[0x90] = GATE((GDT_FREE + 2) * 8, 0u, 0x85);
  CHECK_EQ(TRY("int $0x90"), 1);
  CHECK_FAULT_HERE(11, (GDT_FREE + 2) * 8);
  idt[0x90] = GATE(TSS_SELECTOR, 0u, 0x85);  // busy
  CHECK_EQ(TRY("int $0x90"), 1);
  CHECK_FAULT_HERE(13, TSS_SELECTOR);
  CHECK_EQ(TRY("ljmp %0, $0", "i"(TSS_SELECTOR)), 1);
  CHECK_FAULT_HERE(13, TSS_SELECTOR);

  // LTR: not present, busy, not a TSS, local, null. A forged one is loaded and is what STR says; then back.
  CHECK_EQ(TRY("ltr %w0", "r"((GDT_FREE + 2) * 8)), 1);
  CHECK_FAULT_HERE(11, (GDT_FREE + 2) * 8);
  CHECK_EQ(TRY("ltr %w0", "r"(TSS_SELECTOR)), 1);
  CHECK_FAULT_HERE(13, TSS_SELECTOR);
  CHECK_EQ(TRY("ltr %w0", "r"(KERNEL_DS)), 1);
  CHECK_FAULT_HERE(13, KERNEL_DS);
  CHECK_EQ(TRY("ltr %w0", "r"(TSS_SELECTOR | 4)), 1);
  CHECK_FAULT_HERE(13, TSS_SELECTOR | 4);
  if (!on_tcg) {
    CHECK_EQ(TRY("ltr %w0", "r"(0)), 1);
    CHECK_FAULT_HERE(13, 0);
  }
  gdt[GDT_FREE + 2] = DESCRIPTOR(0xff800000u, sizeof tss - 1, 0x89, 0);
  asm volatile("ltr %w0" : : "r"((GDT_FREE + 2) * 8) : "memory");
  u32 task;
  asm volatile("str %0" : "=r"(task));
  CHECK_EQ(task & 0xffff, (GDT_FREE + 2) * 8);
  CHECK_EQ((u32)(gdt[GDT_FREE + 2] >> 40 & 0xff), 0x8b);
  CHECK_EQ(TRY("int $0x42"), 1);  // ring 0 needs no TSS for it
  CHECK_FAULT(0x42, 0);
  gdt[5] = DESCRIPTOR((u32)&tss, sizeof tss - 1, 0x89, 0);
  asm volatile("ltr %w0" : : "r"(TSS_SELECTOR) : "memory");
  gdt[GDT_FREE + 2] = 0;
  set_gate(0x90, 0x8e);
  set_gate(0x91, 0x8e);
}

// --- registers ---------------------------------------------------------------------------------------------------------

static u32 debug_traps;

static u32 count_debug(struct frame *frame __attribute__((unused))) {
  debug_traps++;
  set_dr6(0);
  return 1;
}

static void registers(void) {
  // Breakpoints where a monitor's code, stack and tables might be: nothing of the guest's touches them.
  trap_hook[1] = count_debug;
  for (u32 i = 0; i < 64; i++) {
    u32 base = 0xff000000 + i * 0x40000;
    set_dr0(base), set_dr1(base + 0xffc), set_dr2(0xfffff000 - i * PAGE), set_dr3(0xffc00000 + i * PAGE);
    set_dr7(0xffdd00aa | 0x300);  // 0 and 1: write and read, 4 bytes; 2 and 3: read and write
    CHECK_EQ(get_dr0(), base);
    CHECK_EQ(get_dr2(), 0xfffff000 - i * PAGE);
    CHECK_EQ(TRY("int $0x42"), 1);
    reload_cr3();
    invlpg(base);
    must_fault(probe_write, base + 0x100, 2);
    set_dr7(0x000000ff);  // all on code
    CHECK_EQ(TRY("int $0x42"), 1);
    must_fault(probe_write, base, 2);
    user(user_int80, 0, 0);
    CHECK_USER_TRAP(0x80, 0);
    asm volatile("movl %%cr0, %%eax\n\tmovl %%eax, %%cr0\n\tcpuid" : : : "eax", "ebx", "ecx", "edx");
  }
  CHECK_EQ(debug_traps, 0);
  set_dr7(0);
  trap_hook[1] = 0;
  CHECK_EQ(get_dr6() & 0xe00f, 0);

  // CR0 and LMSW.
  u32 cr0 = get_cr0();
  asm volatile("lmsw %w0" : : "r"(0) : "memory");
  CHECK_EQ(get_cr0() & 0xf, (cr0 & 1) | 0);
  asm volatile("lmsw %w0" : : "r"(0xb) : "memory");  // PE, MP, TS
  CHECK_EQ(get_cr0() & 0xf, 0xb);
  CHECK_EQ(TRY("fwait"), 1);
  CHECK_FAULT_HERE(7, 0);
  asm volatile("clts");
  CHECK_EQ(get_cr0() & 0xf, 3);
  asm volatile("lmsw %w0" : : "r"(0x5) : "memory");  // PE, EM
  CHECK_EQ(TRY(".byte 0xd9, 0xee"), 1);               // fldz
  CHECK_FAULT_HERE(7, 0);
  set_cr0(cr0);
  CHECK_EQ(get_cr0(), cr0);
  if (!on_tcg) {  // it lets bad control register values through
    CHECK_EQ(TRY("movl %0, %%cr0", "r"(cr0 & ~1u)), 1);  // PG without PE
    CHECK_FAULT_HERE(13, 0);
    CHECK_EQ(get_cr0(), cr0);
    CHECK_EQ(TRY("movl %0, %%cr0", "r"((cr0 | 0x20000000) & ~0x40000000u)), 1);  // NW without CD
    CHECK_FAULT_HERE(13, 0);
    CHECK_EQ(TRY("movl %0, %%cr4", "r"(get_cr4() | 0x10000000)), 1);
    CHECK_FAULT_HERE(13, 0);
  }
  CHECK_EQ(get_cr0(), cr0);
}

// --- from ring 3 ---------------------------------------------------------------------------------------------------------

static u8 user_code[64] __attribute__((section(".user.b"), aligned(64)));

static void ways_in(void) {
  // Every INT n.
  user_code[0] = 0xcd;
  for (u32 n = 0; n < 256; n++) {
    if (n == 3 || n == 4 || n == 0x80) continue;  // those have gates for ring 3
    user_code[1] = (u8)n;
    user(user_code, 0, 0);
    CHECK_USER_TRAP(13, n * 8 + 2);
    CHECK_EQ(trap.eip, (u32)user_code);
  }
  user_code[1] = 3;
  user(user_code, 0, 0);
  CHECK_USER_TRAP(3, 0);
  CHECK_EQ(trap.eip, (u32)user_code + 2);
  // Ports, the machine's exit among them.
  static const u16 ports[] = {0xf4, 0xe9, 0x20, 0x21, 0x40, 0x43, 0x60, 0x64, 0x70, 0x71, 0x92, 0xa0, 0x3f8, 0x3d4, 0xcf8, 0xcfc, 0xffff};
  static const u8 code[] = {0xee, 0xef, 0xec, 0xed, 0x6e, 0x6f, 0x6c, 0x6d};  // out, in, outs, ins
  for (u32 i = 0; i < LENGTH(ports); i++) {
    for (u32 k = 0; k < LENGTH(code); k++) {
      user_code[0] = code[k];
      struct user_regs regs = {0x10, 1, ports[i], 0, (u32)user_buffer, (u32)user_buffer};
      user_with(user_code, user_stack_top, 2, &regs);
      CHECK_USER_TRAP(13, 0);
      CHECK_EQ(trap.eip, (u32)user_code);
    }
  }
  // MOV to and from control and debug registers, all 16 numbers of each.
  for (u32 opcode = 0x20; opcode < 0x24; opcode++) {
    for (u32 n = 0; n < 8; n++) {
      if (!(opcode & 1) && (n == 1 || n > 4)) continue;  // no such control register
      if (opcode & 1 && (n == 4 || n == 5)) continue;    // depends on CR4.DE
      user_code[0] = 0x0f, user_code[1] = (u8)opcode, user_code[2] = (u8)(0xc0 | n << 3);
      user(user_code, get_cr0(), 0);
      CHECK_USER_TRAP(13, 0);
      CHECK_EQ(trap.eip, (u32)user_code);
    }
  }
  // The stack pointer at places it may not touch.
  static const u8 push[] = {0x50};
  copy(user_code, push, sizeof push);
  for (u32 i = 0; i < 16; i++) {
    u32 esp = 0xff000000 + (random() & 0xfffffc);
    struct user_regs regs = {0};
    user_with(user_code, (void *)esp, 2, &regs);
    CHECK_USER_TRAP(14, 6);
    CHECK_EQ(trap.cr2, esp - 4);
    CHECK_EQ(trap.esp, esp);
  }
}

// --- the whole address space ------------------------------------------------------------------------------------------------

// Position-independent; returns where it runs.
extern const u8 where_am_i[];
asm(".text\nwhere_am_i:\n\tcall 1f\n1:\tpopl %eax\n\tret\n");
static volatile u32 mark;

static void take_everything(void) {
  // All 1024 entries at once: RAM four times over in each 64 MB.
  for (u32 i = 0; i < 1024; i++) full_directory[i] = (i & 3) << 22 | P | RW | PS | (i >= 4 ? US : 0);
  for (u32 i = 0; i < 4; i++) full_directory[i] = (u32)low_tables[i] | P | RW | US;
  set_cr3((u32)full_directory);
  u32 offset = (u32)&mark;
  for (u32 i = 0; i < 1024; i += 4) {
    u32 high = i << 22 | offset;
    mark = i;
    CHECK_EQ(read32(high), i);
    write32(high, ~i);
    CHECK_EQ(mark, ~i);
  }
  for (u32 i = 3; i < 1024; i += 4) {
    u32 high = i << 22 | 0x3ff000 | (i * 4 & 0xffc);
    write32(high, i * 0x10001);
    CHECK_EQ(read32(0x00fff000 | (i * 4 & 0xffc)), i * 0x10001);
  }
  CHECK_EQ(TRY("int $0x42"), 1);
  CHECK_FAULT(0x42, 0);
  user(user_read, 0xff000000 | offset, 0);
  CHECK_USER_TRAP(0x80, 0);
  CHECK_EQ(trap.ecx, mark);
  user(user_write, 0xfffffffc, 0x7777);
  CHECK_USER_TRAP(0x80, 0);
  CHECK_EQ(read32(0x00fffffc), 0x7777);
  // Code, stack and tables up there.
  u32 result, keep;
  asm volatile("call *%1" : "=a"(result) : "r"(0xff000000 + (u32)where_am_i) : "memory");
  CHECK_EQ(result, 0xff000000 + (u32)where_am_i + 5);
  asm volatile("movl %%esp, %0\n\taddl $0xff000000, %%esp\n\tpushl $0x31\n\tpopl %1\n\tmovl %0, %%esp" : "=&r"(keep), "=r"(result) : : "memory", "cc");
  CHECK_EQ(result, 0x31);
  load_gdt((u8 *)gdt + 0xf7000000, sizeof gdt);
  load_idt((u8 *)idt + 0xfb000000, sizeof idt);
  CHECK_EQ(TRY("int $0x42"), 1);
  CHECK_FAULT(0x42, 0);
  user(user_int80, 0, 0);
  CHECK_USER_TRAP(0x80, 0);
  struct table_register r;
  asm volatile("sgdtl %0" : "=m"(r.limit), "=m"(r) : : "memory");
  CHECK_EQ(r.base, (u32)gdt + 0xf7000000);
  load_gdt(gdt, sizeof gdt);
  load_idt(idt, sizeof idt);

  // One hole only, which moves.
  static const u16 holes[] = {1023, 1022, 1020, 960, 768, 512, 100, 5, 4};
  for (u32 i = 0; i < LENGTH(holes); i++) {
    u32 hole = holes[i], was = full_directory[hole] & ~0x60u, address = hole << 22;
    set(&full_directory[hole], 0);
    reload_cr3();
    for (u32 k = 0; k < 64; k++) must_fault(probe_write, address | (random() & 0x3ffffc), 2);
    for (u32 k = 0; k < 64; k++) must_fault(probe_jump, address | (random() & 0x3fffff), 0);
    user_must_fault(user_read, address | (random() & 0x3ffffc), 4);
    mark = hole;
    for (u32 k = 8; k < 1024; k += 4)
      if (k != hole) CHECK_EQ(read32(k << 22 | offset), hole);
    set(&full_directory[hole], was);
    if (hole % 4 == 0) CHECK_EQ(read32(address | offset), hole);
  }
  set_cr3((u32)directory);

  // One after the other, from above.
  for (u32 i = 1023; i >= 4; i--) {
    u32 high = i << 22 | 0x000ff8;
    set(&directory[i], 0x00c00000 | P | RW | PS);
    write32(high, i);
    CHECK_EQ(read32(0x00c00ff8), i);
    set(&directory[i], 0);
    invlpg(high);
    must_fault(probe_write, high, 2);
  }
}

static void the_last_page(void) {
  u32 frame = 0x00a00000, top = 0xfffff000;
  fill32((void *)frame, 0, 1024);
  directory[1023] = (u32)top_table | P | RW | US;
  top_table[1023] = frame | P | RW;
  // The page before it stays unmapped.
  must_fault(probe_write, top - 4, 2);
  write32(0xfffffffc, 0x600df00d);
  CHECK_EQ(read32(frame + 0xffc), 0x600df00d);
  asm volatile("lock incl (%0)" : : "r"(0xfffffffc) : "memory", "cc");
  CHECK_EQ(read32(frame + 0xffc), 0x600df00e);
  // As a stack that begins at 0: PUSH, CALL, INT.
  u32 keep, value;
  asm volatile("movl %%esp, %0\n\txorl %%esp, %%esp\n\tpushl $0x1111\n\tcall 1f\n1:\taddl $4, %%esp\n\tpopl %1\n\tmovl %0, %%esp"
               : "=&r"(keep), "=&r"(value) : : "memory", "cc");
  CHECK_EQ(value, 0x1111);
  CHECK_EQ(read32(frame + 0xffc), 0x1111);
  CHECK_EQ(TRY("xorl %%esp, %%esp\n\tint $0x42"), 1);
  CHECK_FAULT(0x42, 0);
  CHECK_EQ(trap.esp, 0);
  CHECK_EQ(read32(frame + 0xff8) & 0xffff, KERNEL_CS);
  // As code that ends with the address space.
  static const u8 code[] = {0xb8, 0x78, 0x56, 0x34, 0x12, 0xff, 0xe6};  // mov $..., %eax; jmp *%esi
  copy((u8 *)frame + PAGE - sizeof code, code, sizeof code);
  asm volatile("movl $1f, %%esi\n\tjmp *%1\n1:" : "=a"(value) : "r"(0u - (u32)sizeof code) : "esi", "memory");
  CHECK_EQ(value, 0x12345678);
  // As descriptor tables.
  copy((u8 *)frame + 0x700, gdt, sizeof gdt);
  copy((u8 *)frame + 0x800, idt, sizeof idt);
  load_gdt((void *)(top + 0x700), sizeof gdt);
  load_idt((void *)(top + 0x800), sizeof idt);
  CHECK_EQ(TRY("int $0x42"), 1);
  CHECK_FAULT(0x42, 0);
  CHECK_EQ(TRY("int $0xff"), 1);  // the very last entry
  CHECK_FAULT(0xff, 0);
  *(u64 *)(top + 0x700 + GDT_FREE * 8) = DESCRIPTOR(0x00100000u, 0xfffu, 0x92, 4);
  asm volatile("movl %1, %%gs\n\tmovl %%gs:0, %0\n\tmovl %2, %%gs" : "=&r"(value) : "r"(GDT_FREE * 8), "r"(0) : "memory");
  CHECK_EQ(value, 0x1badb002);
  user(user_int80, 0, 0);
  CHECK_USER_TRAP(0x80, 0);
  load_gdt(gdt, sizeof gdt);
  load_idt(idt, sizeof idt);
  // Its mapping goes away in use.
  top_table[1023] = 0;
  invlpg(top);
  must_fault(probe_write, 0xfffffffc, 2);
  must_fault(probe_jump, 0xfffffff9, 0);
  directory[1023] = 0;
  reload_cr3();
}

int main(void) {
  map_identity(directory, low_tables);
  set_cr3((u32)directory);
  set_cr4(get_cr4() | CR4_PSE);
  set_cr0(get_cr0() | CR0_PG | CR0_WP);
  trap_hook[14] = on_page_fault;

  look_for_tables();
  over_segments();
  write_everywhere();
  jump_everywhere();
  set_cr0(get_cr0() & ~CR0_WP);
  write_everywhere();
  set_cr0(get_cr0() | CR0_WP);
  from_ring_3();
  // The same with the guest's own, empty tables for those addresses.
  directory[1023] = directory[1022] = directory[1020] = (u32)empty_table | P | RW | US;
  for (u32 i = 0; i < 3072; i++) must_fault(probe_write, 0xff400000 + i * PAGE, 2);
  directory[1023] = directory[1022] = directory[1020] = 0;
  reload_cr3();
  beyond_ram();
  selectors();
  forged_gates();
  registers();
  ways_in();
  take_everything();
  the_last_page();
  look_for_tables();

  asm volatile("movl %0, %%fs" : : "r"(0));
  set_cr0(get_cr0() & ~(CR0_PG | CR0_WP));
  put("probes ");
  put_dec(probe.count);
  put("\n");
  return 0;
}
