// Runtime of our guests: see guest.h. Console on COM1 (115200, polled) and port 0xE9; end through port 0xF4.

#include "guest.h"

#define COM1 0x3f8
#define DEBUGCON 0xe9
#define DEBUG_EXIT 0xf4

char command_line[128];
u32 ram_end;
u32 on_tcg;
u64 gdt[GDT_ENTRIES] __attribute__((aligned(16)));
u64 idt[256] __attribute__((aligned(16)));
struct tss tss __attribute__((aligned(128)));
struct trap trap;
u32 (*trap_hook[256])(struct frame *frame);
volatile u32 trap_resume, trap_site, trap_happened;
u32 trap_stack, user_saved_esp;
/** The time stamp at the end: a run whose instruction count differs leaves a different memory behind. */
u32 end_time[2];
static u32 user_active;

void user_enter(u32 eip, u32 esp, u32 eflags, const struct user_regs *regs);
void user_leave(void) NORETURN;

// --- console ---------------------------------------------------------------------------------------------

void put_char(char c) {
  if (c == '\n') put_char('\r');
  // A pause between looks: a monitor pays an exit for each port read.
  while (!(inb(COM1 + 5) & 0x20))
    for (u32 i = 0; i < 200; i++) asm volatile("");
  outb(COM1, (u8)c);
  outb(DEBUGCON, (u8)c);
}

void put(const char *text) {
  while (*text) put_char(*text++);
}

void note(const char *text) {
  while (*text) outb(DEBUGCON, (u8)*text++);
}

void put_hex(u32 value) {
  for (int shift = 28; shift >= 0; shift -= 4) put_char("0123456789abcdef"[value >> shift & 15]);
}

void put_dec(u32 value) {
  char digits[10];
  u32 n = 0;
  do digits[n++] = (char)('0' + value % 10);
  while (value /= 10);
  while (n) put_char(digits[--n]);
}

static void NORETURN leave(u8 status) {
  asm volatile("rdtsc; movl %%eax, end_time; movl %%edx, end_time+4" : : : "eax", "edx", "memory");
  outb(DEBUG_EXIT, status);
  for (;;) asm volatile("cli; hlt");
}

void pass(void) {
  put("PASS " GUEST_NAME "\n");
  leave(0x10);
}

static void put_place(const char *file, u32 line, const char *what) {
  put("FAIL ");
  put(file);
  put(":");
  put_dec(line);
  put(" ");
  put(what);
}

void fail(const char *file, u32 line, const char *what) {
  put_place(file, line, what);
  put("\n");
  leave(0x11);
}

void fail_value(const char *file, u32 line, const char *what, u32 got, u32 wanted) {
  put_place(file, line, what);
  put(" is ");
  put_hex(got);
  put(", not ");
  put_hex(wanted);
  put("; last trap ");
  put_dec(trap.vector);
  put(" error ");
  put_hex(trap.error);
  put(" cr2 ");
  put_hex(trap.cr2);
  put(" eip ");
  put_hex(trap.eip);
  put("\n");
  leave(0x11);
}

// --- traps -----------------------------------------------------------------------------------------------

static void record(const struct frame *frame) {
  trap.count++;
  trap.vector = frame->vector;
  trap.error = frame->error;
  trap.cr2 = frame->vector == 14 ? get_cr2() : 0;
  trap.eip = frame->eip;
  trap.cs = frame->cs;
  trap.eflags = frame->eflags;
  trap.esp = frame->cs & 3 ? frame->esp : (u32)(&frame->eflags + 1);
  trap.ss = frame->cs & 3 ? frame->ss : KERNEL_DS;
  trap.eax = frame->eax;
  trap.ecx = frame->ecx;
  trap.edx = frame->edx;
  trap.ebx = frame->ebx;
  trap.esi = frame->esi;
  trap.edi = frame->edi;
}

void trap_dispatch(struct frame *frame) {
  u32 (*hook)(struct frame *) = trap_hook[frame->vector & 255];
  if (hook && hook(frame)) return;
  if ((frame->cs & 3) == 3 && user_active) {
    record(frame);
    user_active = 0;
    user_leave();
  }
  if (trap_resume) {
    record(frame);
    trap_happened = 1;
    frame->eip = trap_resume;
    frame->cs = KERNEL_CS;
    frame->eflags &= ~(EFLAGS_TF | EFLAGS_NT);
    trap_resume = 0;
    return;
  }
  put("FAIL unexpected trap ");
  put_dec(frame->vector);
  put(" error ");
  put_hex(frame->error);
  put(" at ");
  put_hex(frame->cs);
  put(":");
  put_hex(frame->eip);
  put(" cr2 ");
  put_hex(get_cr2());
  put(" site ");
  put_hex(trap_site);
  put("\n");
  leave(0x11);
}

u32 trap_stub(u32 vector) { return (u32)trap_stubs + 16 * vector; }

void set_gate(u32 vector, u8 access) { idt[vector] = GATE(KERNEL_CS, trap_stub(vector), access); }

void user_with(const void *code, const void *stack, u32 eflags, const struct user_regs *regs) {
  user_active = 1;
  user_enter((u32)code, (u32)stack, eflags, regs);
}

void user(const void *code, u32 eax, u32 ecx) {
  struct user_regs regs = {eax, ecx, 0, 0, 0, 0};
  user_with(code, user_stack_top, 2, &regs);
}

// --- start -----------------------------------------------------------------------------------------------

u32 argument(const char *name, u32 otherwise) {
  for (const char *at = command_line; *at; at++) {
    const char *a = at, *n = name;
    if (at != command_line && at[-1] != ' ') continue;
    while (*n && *a == *n) a++, n++;
    if (*n || *a++ != '=') continue;
    u32 value = 0;
    while (*a >= '0' && *a <= '9') value = value * 10 + (u32)(*a++ - '0');
    return value;
  }
  return otherwise;
}

static u32 has_word(const char *word) {
  for (const char *at = command_line; *at; at++) {
    const char *a = at, *w = word;
    if (at != command_line && at[-1] != ' ') continue;
    while (*w && *a == *w) a++, w++;
    if (!*w && (*a == 0 || *a == ' ')) return 1;
  }
  return 0;
}

static void tables(void) {
  gdt[1] = DESCRIPTOR(0u, 0xfffffu, 0x9b, 0xc);
  gdt[2] = DESCRIPTOR(0u, 0xfffffu, 0x93, 0xc);
  gdt[3] = DESCRIPTOR(0u, 0xfffffu, 0xfb, 0xc);
  gdt[4] = DESCRIPTOR(0u, 0xfffffu, 0xf3, 0xc);
  tss.ss0 = KERNEL_DS;
  tss.esp0 = 0;
  tss.io_map = sizeof tss;
  gdt[5] = DESCRIPTOR((u32)&tss, sizeof tss - 1, 0x89, 0);
  load_gdt(gdt, sizeof gdt);
  asm volatile(
      "ljmp %0, $1f\n1:\tmovl %1, %%eax\n\tmovl %%eax, %%ds\n\tmovl %%eax, %%es\n\tmovl %%eax, %%ss\n\t"
      "xorl %%eax, %%eax\n\tmovl %%eax, %%fs\n\tmovl %%eax, %%gs\n\tlldt %%ax"
      : : "i"(KERNEL_CS), "i"(KERNEL_DS) : "eax", "memory");
  for (u32 v = 0; v < 256; v++) set_gate(v, 0x8e);
  set_gate(3, 0xee);
  set_gate(4, 0xee);
  set_gate(0x80, 0xee);
  load_idt(idt, sizeof idt);
  asm volatile("ltr %%ax" : : "a"(TSS_SELECTOR));
}

static void serial(void) {
  outb(COM1 + 1, 0);     // no interrupts
  outb(COM1 + 3, 0x83);  // 8N1, divisor latch
  outb(COM1 + 0, 1);     // 115200
  outb(COM1 + 1, 0);
  outb(COM1 + 3, 0x03);
  outb(COM1 + 2, 0x07);  // FIFO on and empty
  outb(COM1 + 4, 0x03);
}

void guest_start(u32 magic, const u32 *information);
void guest_start(u32 magic, const u32 *information) {
  u32 flags = magic == 0x2badb002 ? information[0] : 0;
  ram_end = flags & 1 ? 0x100000 + information[2] * 1024 : 16 * 0x100000;
  if (flags & 4) {
    const char *from = (const char *)information[4];
    for (u32 i = 0; i < sizeof command_line - 1 && from[i]; i++) command_line[i] = from[i];
  }
  on_tcg = has_word("tcg");
  tables();
  serial();
  CHECK_EQ(magic, 0x2badb002);
  main();
  pass();
}

// What the compiler may call.
void *memcpy(void *to, const void *from, u32 size);
void *memset(void *to, int value, u32 size);
void *memcpy(void *to, const void *from, u32 size) { return copy(to, from, size); }
void *memset(void *to, int value, u32 size) {
  void *start = to;
  asm volatile("rep stosb" : "+D"(to), "+c"(size) : "a"(value) : "memory");
  return start;
}
