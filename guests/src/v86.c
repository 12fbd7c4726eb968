// v86: virtual-8086 mode under a monitor of its own (a small one: main's trap hooks), with and without CR4.VME, and CR4.PVI in
// ring 3. What IOPL, VME and VIP let through, the redirection bitmap, interrupts that arrive while the 8086 program has them
// off, segment wrap, single steps, faults inside. The 8086 program lies at 10000h, its stack at 20000h, its vectors at 0.
//
// On a processor without VME that part is left out.

#include "guest.h"

#define CR4_VME 0x01u
#define CR4_PVI 0x02u
#define EFLAGS_VM 0x20000u
#define EFLAGS_VIF 0x80000u
#define EFLAGS_VIP 0x100000u
#define EFLAGS_ID 0x200000u
#define CODE_SEGMENT 0x1000u
#define STACK_SEGMENT 0x2000u
#define STACK_TOP 0xfffeu
#define IRQ0 0x20u

/** What IRET takes to get into virtual-8086 mode, and the registers beside it. */
struct v86 {
  u32 eip, cs, eflags, esp, ss, es, ds, fs, gs;
  u32 eax, ecx, edx, ebx, esi, edi, ebp;
};
/** A trap's frame from virtual-8086 mode. */
struct v86_frame {
  struct frame frame;
  u32 es, ds, fs, gs;
};
void v86_enter(const struct v86 *state);
void user_leave(void) NORETURN;
extern u32 user_saved_esp;
extern char v86_start[], v86_end[];
extern char at_cli[], at_sti[], at_pushf[], at_popf[], at_int[], at_iret[], at_pushfd[], at_popfd[], at_int3[];
extern char at_io[], at_flags[], at_wrap[], at_string[], at_work[], at_step[], at_loop[], handler_40[], handler_irq[];
extern char counter_a[], counter_b[], counter_irq[], pvi_code[], pvi_sti[], pvi_popf[];

asm(".text\n"
    "v86_enter:\n\t"
    "pushl %ebp\n\tpushl %ebx\n\tpushl %esi\n\tpushl %edi\n\t"
    "movl 20(%esp), %eax\n\tmovl %esp, user_saved_esp\n\tmovl %esp, tss+4\n\t"
    "pushl 32(%eax)\n\tpushl 28(%eax)\n\tpushl 24(%eax)\n\tpushl 20(%eax)\n\tpushl 16(%eax)\n\tpushl 12(%eax)\n\t"
    "pushl 8(%eax)\n\tpushl 4(%eax)\n\tpushl 0(%eax)\n\t"
    "movl 40(%eax), %ecx\n\tmovl 44(%eax), %edx\n\tmovl 48(%eax), %ebx\n\tmovl 52(%eax), %esi\n\tmovl 56(%eax), %edi\n\t"
    "movl 60(%eax), %ebp\n\tmovl 36(%eax), %eax\n\tiretl\n"

    // The 8086 program. HLT is how each piece calls its monitor.
    ".code16\n"
    "v86_start:\n"
    "at_cli: cli; hlt\n"
    "at_sti: sti; hlt\n"
    "at_pushf: pushfw; popw %ax; hlt\n"
    "at_popf: pushw %ax; popfw; pushfw; popw %bx; hlt\n"
    "at_int: int $0x40; hlt\n"
    "at_iret: pushw %ax; pushw %cs; pushw $1f - v86_start; iretw\n1: hlt\n"
    "at_pushfd: pushfl; popl %eax; hlt\n"
    "at_popfd: pushl %eax; popfl; hlt\n"
    "at_int3: int3; hlt\n"
    "at_io: inb $0x61, %al; hlt\n"
    "at_flags: int $0x42; hlt\n"
    "at_wrap: movw $0xffff, %bx; movb %ds:(%bx), %al; movw %ds:(%bx), %ax; hlt\n"
    "at_string: movw $5, %cx; xorw %si, %si; movw $0x8000, %di; cld; rep movsw; hlt\n"
    "at_step: nop; nop; movw %ss, %ax; movw %ax, %ss; nop; nop; hlt\n"
    // The long one: interrupts off and on, by every means, and interrupts of both kinds.
    "at_work:\n"
    "at_loop: pushfw; cli; incw %ds:counter_a - v86_start; int $0x40; int $0x41\n\t"
    "movw $60, %cx\n2: decw %cx; jnz 2b\n\t"
    "popfw; sti; testw $7, %ds:counter_a - v86_start; jnz 3f\n\t"
    "pushfw; pushw %cs; pushw $3f - v86_start; iretw\n"
    "3: cmpw %dx, %ds:counter_a - v86_start; jb at_loop; hlt\n"
    "handler_40: incw %cs:counter_b - v86_start; iretw\n"
    "handler_irq: incw %cs:counter_irq - v86_start; iretw\n"
    "counter_a: .word 0\ncounter_b: .word 0\ncounter_irq: .word 0\n"
    "v86_end:\n"
    ".code32\n"

    ".section .user, \"awx\"\n"
    "pvi_code: cli; pushfl; popl %eax; sti; pushfl; popl %ecx; int $0x80\n"
    "pvi_sti: sti; int $0x80\n"
    "pvi_popf: pushl %eax; popfl; pushfl; popl %ecx; int $0x80\n"
    ".text\n");

/** Behind the runtime's TSS, within what its 16-bit map offset reaches. */
static struct maps {
  u8 redirection[32];
  u8 io[0x20];
  u8 end;
} big;

static struct v86 state;
static struct v86_frame last;
static u32 reflecting, ticks, delivered, reflected;

static u32 offset(const char *label) { return (u32)(label - v86_start); }
static u16 *word_at(u32 segment, u32 at) { return (u16 *)(segment * 16 + (at & 0xffff)); }
static u32 counter(const char *label) { return *word_at(CODE_SEGMENT, offset(label)); }

// --- the monitor of the 8086 program ------------------------------------------------------------------------

static void push(struct v86_frame *f, u32 value) {
  f->frame.esp = (f->frame.esp - 2) & 0xffff;
  *word_at(f->frame.ss, f->frame.esp) = (u16)value;
}

/** Sends the 8086 program to one of its own handlers, as VME does it. */
static void reflect(struct v86_frame *f, u32 vector) {
  u32 flags = (f->frame.eflags & ~EFLAGS_IF) | EFLAGS_IOPL;
  if (f->frame.eflags & EFLAGS_VIF) flags |= EFLAGS_IF;
  push(f, flags);
  push(f, f->frame.cs);
  push(f, f->frame.eip);
  const volatile u16 *entry = (const u16 *)(vector * 4);
  f->frame.eip = entry[0];
  f->frame.cs = entry[1];
  f->frame.eflags &= ~(EFLAGS_VIF | EFLAGS_TF);
}

static void virtual_irq(struct v86_frame *f) {
  f->frame.eflags &= ~EFLAGS_VIP;
  delivered++;
  reflect(f, 8);
}

/** #GP of the 8086 program that the monitor deals with: INT of a vector kept to it, and VIF set while VIP is. */
static u32 emulate(struct v86_frame *f) {
  const volatile u8 *code = (const u8 *)(f->frame.cs * 16 + f->frame.eip);
  if (code[0] == 0xcd && code[1] == 0x41) {
    f->frame.eip += 2;
    reflected++;
    return 1;
  }
  if (!(f->frame.eflags & EFLAGS_VIP)) return 0;
  if (code[0] == 0xfb) {
    f->frame.eip += 1;
  } else if (code[0] == 0x9d || code[0] == 0xcf) {
    if (code[0] == 0xcf) {
      f->frame.eip = *word_at(f->frame.ss, f->frame.esp);
      f->frame.cs = *word_at(f->frame.ss, f->frame.esp + 2);
      f->frame.esp = (f->frame.esp + 4) & 0xffff;
    } else {
      f->frame.eip += 1;
    }
    u32 mask = 0xcd5;
    f->frame.eflags = (f->frame.eflags & ~mask) | (*word_at(f->frame.ss, f->frame.esp) & mask);
    f->frame.esp = (f->frame.esp + 2) & 0xffff;
  } else {
    return 0;
  }
  f->frame.eflags |= EFLAGS_VIF;
  virtual_irq(f);
  return 1;
}

static u32 from_v86(struct frame *frame) {
  if (!(frame->eflags & EFLAGS_VM)) return 0;
  struct v86_frame *f = (struct v86_frame *)frame;
  if (reflecting && frame->vector == 13 && emulate(f)) return 1;
  last = *f;
  user_leave();
}

static u32 timer(struct frame *frame) {
  outb(0x20, 0x20);
  ticks++;
  if (frame->eflags & EFLAGS_VM) {
    struct v86_frame *f = (struct v86_frame *)frame;
    if (frame->eflags & EFLAGS_VIF)
      virtual_irq(f);
    else
      frame->eflags |= EFLAGS_VIP;
  }
  return 1;
}

// --- running pieces -----------------------------------------------------------------------------------------

static void run(const char *label, u32 eflags, u32 eax) {
  state = (struct v86){.eip = offset(label), .cs = CODE_SEGMENT, .eflags = eflags | EFLAGS_VM | 2};
  state.esp = STACK_TOP;
  state.ss = STACK_SEGMENT;
  state.ds = state.es = CODE_SEGMENT;
  state.fs = 0x1234;
  state.gs = 0x4321;
  state.eax = eax;
  v86_enter(&state);
  CHECK_EQ(last.es, CODE_SEGMENT);
  CHECK_EQ(last.fs, 0x1234);
  CHECK_EQ(last.gs, 0x4321);
  CHECK_EQ(last.frame.ds, 0);
}

/** The piece ends in its HLT, `length` bytes on. */
#define CHECK_RUNS(label, length)                          \
  do {                                                     \
    CHECK_EQ(last.frame.vector, 13);                       \
    CHECK_EQ(last.frame.error, 0);                         \
    CHECK_EQ(last.frame.eip, offset(label) + (length));    \
    CHECK_EQ(*(u8 *)(last.frame.cs * 16 + last.frame.eip), 0xf4); \
  } while (0)
#define CHECK_REFUSED(label)                  \
  do {                                        \
    CHECK_EQ(last.frame.vector, 13);          \
    CHECK_EQ(last.frame.error, 0);            \
    CHECK_EQ(last.frame.eip, offset(label));  \
    CHECK_EQ(last.frame.esp, STACK_TOP);      \
  } while (0)
#define FLAGS(mask) (last.frame.eflags & (mask))

static void vector(u32 n, const char *handler) {
  volatile u16 *entry = (u16 *)(n * 4);
  entry[0] = (u16)offset(handler);
  entry[1] = CODE_SEGMENT;
}

/** What IOPL lets through where VME does not help. */
static void plain(void) {
  for (u32 iopl = 0; iopl < 3; iopl++) {
    u32 flags = iopl << 12;
    run(at_cli, flags, 0);
    CHECK_REFUSED(at_cli);
    CHECK_EQ(FLAGS(EFLAGS_IOPL | EFLAGS_VM), flags | EFLAGS_VM);
    run(at_sti, flags, 0);
    CHECK_REFUSED(at_sti);
    run(at_pushf, flags, 0);
    CHECK_REFUSED(at_pushf);
    run(at_int, flags, 0);
    CHECK_REFUSED(at_int);
    run(at_iret, flags, 2);
    CHECK_EQ(last.frame.vector, 13);
    CHECK_EQ(last.frame.esp, STACK_TOP - 6);
  }
  run(at_cli, EFLAGS_IOPL, 0);
  CHECK_RUNS(at_cli, 1);
  run(at_pushf, EFLAGS_IOPL | EFLAGS_CF, 0xabcd0000);
  CHECK_RUNS(at_pushf, 2);
  CHECK_EQ(last.frame.eax, 0xabcd0000 | EFLAGS_IOPL | EFLAGS_CF | 2);
  run(at_popf, EFLAGS_IOPL, EFLAGS_NT | EFLAGS_CF);
  CHECK_EQ(last.frame.ebx & 0xffff, EFLAGS_IOPL | EFLAGS_NT | EFLAGS_CF | 2);
  run(at_pushfd, EFLAGS_IOPL | EFLAGS_AC, 0);
  CHECK_EQ(last.frame.eax, EFLAGS_IOPL | EFLAGS_AC | 2);
  // INT 40h through the IDT: that gate is for ring 0 only.
  run(at_int, EFLAGS_IOPL, 0);
  CHECK_EQ(last.frame.vector, 13);
  CHECK_EQ(last.frame.error, 0x40 * 8 + 2);
  set_gate(0x40, 0xee);
  trap_hook[0x40] = from_v86;
  run(at_int, EFLAGS_IOPL, 0);
  CHECK_EQ(last.frame.vector, 0x40);
  CHECK_EQ(last.frame.eip, offset(at_int) + 2);
  trap_hook[0x40] = 0;
  set_gate(0x40, 0x8e);
  // INT3 asks no IOPL.
  run(at_int3, 0, 0);
  CHECK_EQ(last.frame.vector, 3);
  CHECK_EQ(last.frame.eip, offset(at_int3) + 1);
}

/** Addresses, ports, steps: they do not depend on VME. */
static void addresses(void) {
  // A word at FFFFh is beyond the limit; a byte is not.
  run(at_wrap, EFLAGS_IOPL, 0);
  CHECK_EQ(last.frame.vector, 13);
  CHECK_EQ(last.frame.eip, offset(at_wrap) + 5);
  run(at_string, EFLAGS_IOPL, 0);
  CHECK_EQ(last.frame.ecx & 0xffff, 0);
  CHECK_EQ(last.frame.esi & 0xffff, 10);
  for (u32 i = 0; i < 5; i++) CHECK_EQ(*word_at(CODE_SEGMENT, 0x8000 + 2 * i), *word_at(CODE_SEGMENT, 2 * i));
  // Ports: the bitmap alone decides.
  big.io[0x61 >> 3] = 0xff;
  run(at_io, EFLAGS_IOPL, 0);
  CHECK_REFUSED(at_io);
  big.io[0x61 >> 3] = 0;
  run(at_io, 0, 0);
  CHECK_RUNS(at_io, 2);
  // Single steps; none between the load of SS and the instruction behind it.
  run(at_step, EFLAGS_IOPL | EFLAGS_TF, 0);
  static const u8 stops[] = {1, 2, 4, 7, 8};
  for (u32 i = 0; i < sizeof stops; i++) {
    CHECK_EQ(last.frame.vector, 1);
    CHECK_EQ(last.frame.eip, offset(at_step) + stops[i]);
    set_dr6(0);
    state.eip = last.frame.eip;
    state.eflags = last.frame.eflags;
    state.eax = last.frame.eax;
    v86_enter(&state);
  }
  CHECK_RUNS(at_step, 8);
}

static void with_vme(void) {
  set_cr4(get_cr4() | CR4_VME);
  for (u32 iopl = 0; iopl < 3; iopl++) {
    u32 flags = iopl << 12;
    run(at_cli, flags | EFLAGS_VIF, 0);
    CHECK_RUNS(at_cli, 1);
    CHECK_EQ(FLAGS(EFLAGS_VIF | EFLAGS_IF | EFLAGS_IOPL), flags);
    run(at_sti, flags, 0);
    CHECK_RUNS(at_sti, 1);
    CHECK_EQ(FLAGS(EFLAGS_VIF | EFLAGS_IF), EFLAGS_VIF);
    run(at_sti, flags | EFLAGS_VIP, 0);
    CHECK_REFUSED(at_sti);
    CHECK_EQ(FLAGS(EFLAGS_VIF | EFLAGS_VIP), EFLAGS_VIP);
    run(at_pushf, flags | EFLAGS_VIF, 0);
    CHECK_EQ(last.frame.eax, EFLAGS_IF | EFLAGS_IOPL | 2);
    run(at_pushf, flags, 0);
    CHECK_EQ(last.frame.eax, EFLAGS_IOPL | 2);
    run(at_popf, flags, EFLAGS_IF | EFLAGS_CF);
    CHECK_EQ(FLAGS(EFLAGS_VIF | EFLAGS_IF | EFLAGS_IOPL | EFLAGS_CF), flags | EFLAGS_VIF | EFLAGS_CF);
    run(at_popf, flags | EFLAGS_VIF, EFLAGS_IOPL);
    CHECK_EQ(FLAGS(EFLAGS_VIF | EFLAGS_IF | EFLAGS_IOPL), flags);
    run(at_popf, flags, EFLAGS_TF);
    CHECK_EQ(last.frame.eip, offset(at_popf) + 1);
    CHECK_EQ(last.frame.vector, 13);
    run(at_popf, flags | EFLAGS_VIP, EFLAGS_IF);
    CHECK_EQ(last.frame.eip, offset(at_popf) + 1);
    run(at_iret, flags, EFLAGS_IF);
    CHECK_RUNS(at_iret, 6);
    CHECK_EQ(FLAGS(EFLAGS_VIF | EFLAGS_IF | EFLAGS_IOPL), flags | EFLAGS_VIF);
    run(at_iret, flags, EFLAGS_TF);
    CHECK_EQ(last.frame.vector, 13);
    CHECK_EQ(last.frame.esp, STACK_TOP - 6);
    run(at_pushfd, flags, 0);
    CHECK_REFUSED(at_pushfd);
    run(at_popfd, flags, 0);
    CHECK_EQ(last.frame.eip, offset(at_popfd) + 2);
    // INT: to the program's own handler and back, or to us.
    u32 before = counter(counter_b);
    run(at_int, flags | EFLAGS_VIF, 0);
    CHECK_RUNS(at_int, 2);
    CHECK_EQ(counter(counter_b), before + 1);
    CHECK_EQ(FLAGS(EFLAGS_VIF), EFLAGS_VIF);
    big.redirection[0x40 >> 3] = 1;
    run(at_int, flags, 0);
    CHECK_REFUSED(at_int);
    big.redirection[0x40 >> 3] = 0;
    run(at_int3, flags, 0);
    CHECK_EQ(last.frame.vector, 3);
  }
  // IOPL 3: IF itself, but INT is redirected all the same.
  u32 before = counter(counter_b);
  run(at_int, EFLAGS_IOPL, 0);
  CHECK_RUNS(at_int, 2);
  CHECK_EQ(counter(counter_b), before + 1);
  big.redirection[0x40 >> 3] = 1;
  run(at_int, EFLAGS_IOPL, 0);
  CHECK_EQ(last.frame.error, 0x40 * 8 + 2);
  big.redirection[0x40 >> 3] = 0;
  run(at_popf, EFLAGS_IOPL | EFLAGS_VIP, 0);
  CHECK_EQ(FLAGS(EFLAGS_VIF | EFLAGS_VIP), EFLAGS_VIP);
}

/** Timer interrupts into a program that turns its virtual ones off and on. */
static void work(u32 loops) {
  outb(0x20, 0x11), outb(0x21, IRQ0), outb(0x21, 4), outb(0x21, 1), outb(0x21, 0xfe);
  outb(0x43, 0x34), outb(0x40, 64), outb(0x40, 0);
  trap_hook[IRQ0] = timer;
  big.redirection[0x41 >> 3] = 2;
  reflecting = 1;
  *word_at(CODE_SEGMENT, offset(counter_a)) = 0;
  u32 before = counter(counter_b);
  struct v86 start = {.eip = offset(at_work), .cs = CODE_SEGMENT, .eflags = EFLAGS_VM | EFLAGS_IF | EFLAGS_VIF | 2};
  start.esp = STACK_TOP;
  start.ss = STACK_SEGMENT;
  start.ds = start.es = CODE_SEGMENT;
  start.edx = loops;
  v86_enter(&start);
  reflecting = 0;
  outb(0x21, 0xff);
  CHECK_EQ(last.frame.vector, 13);
  CHECK_EQ(*(u8 *)(last.frame.cs * 16 + last.frame.eip), 0xf4);
  CHECK_EQ(last.frame.esp, STACK_TOP);
  CHECK_EQ(counter(counter_a), loops);
  CHECK_EQ(counter(counter_b), before + loops);
  CHECK_EQ(reflected, loops);
  CHECK_EQ(counter(counter_irq), delivered);
  CHECK(ticks > 20);
  CHECK(delivered > 10);
  CHECK(delivered <= ticks);
  put("ticks ");
  put_dec(ticks);
  put(" delivered ");
  put_dec(delivered);
  put("\n");
}

static void pvi(void) {
  struct user_regs none = {0};
  user_with(pvi_code, user_stack_top, 2, &none);
  CHECK_USER_TRAP(13, 0);
  set_cr4((get_cr4() & ~CR4_VME) | CR4_PVI);
  user_with(pvi_code, user_stack_top, 2 | EFLAGS_VIF, &none);
  CHECK_USER_TRAP(0x80, 0);
  CHECK_EQ(trap.eax & (EFLAGS_IF | EFLAGS_VIF | EFLAGS_VIP), 0);
  CHECK_EQ(trap.ecx & (EFLAGS_IF | EFLAGS_VIF | EFLAGS_VIP), EFLAGS_VIF);
  CHECK_EQ(trap.eflags & (EFLAGS_IF | EFLAGS_VIF), EFLAGS_VIF);
  user_with(pvi_sti, user_stack_top, 2 | EFLAGS_VIP, &none);
  CHECK_USER_TRAP(13, 0);
  CHECK_EQ(trap.eip, (u32)pvi_sti);
  CHECK_EQ(trap.eflags & (EFLAGS_VIF | EFLAGS_VIP), EFLAGS_VIP);
  struct user_regs image = {EFLAGS_VIP | EFLAGS_IF | EFLAGS_CF | 2, 0, 0, 0, 0, 0};
  user_with(pvi_popf, user_stack_top, 2 | EFLAGS_VIF, &image);
  CHECK_USER_TRAP(0x80, 0);
  CHECK_EQ(trap.ecx & (EFLAGS_IF | EFLAGS_VIF | EFLAGS_VIP | EFLAGS_CF), EFLAGS_VIF | EFLAGS_CF);
  user_with(pvi_sti, user_stack_top, 2 | EFLAGS_VIP | EFLAGS_IOPL, &none);
  CHECK_USER_TRAP(0x80, 0);
  CHECK_EQ(trap.eflags & (EFLAGS_IF | EFLAGS_VIF | EFLAGS_VIP), EFLAGS_IF | EFLAGS_VIP);
  set_cr4(get_cr4() & ~CR4_PVI);
}

static u32 has_vme(void) {
  set_eflags(EFLAGS_ID | 2);
  u32 there = get_eflags() & EFLAGS_ID;
  set_eflags(2);
  if (!there) return 0;
  u32 eax = 1, features;
  asm volatile("cpuid" : "+a"(eax), "=d"(features) : : "ebx", "ecx");
  return features >> 1 & 1;
}

int main(void) {
  // A TSS with both bitmaps: every port up to FFh is open, every vector redirected.
  u32 io_map = (u32)big.io - (u32)&tss;
  CHECK(io_map < 0xff00);
  tss.io_map = (u16)io_map;
  big.end = 0xff;
  gdt[GDT_FREE] = DESCRIPTOR((u32)&tss, io_map + sizeof big.io, 0x89, 0);
  asm volatile("ltr %%ax" : : "a"(GDT_FREE * 8));
  copy((void *)(CODE_SEGMENT * 16), v86_start, (u32)(v86_end - v86_start));
  vector(0x40, handler_40);
  vector(8, handler_irq);
  trap_hook[1] = trap_hook[3] = trap_hook[13] = from_v86;
  plain();
  addresses();
  if (!has_vme()) {
    CHECK_EQ(TRY("movl %0, %%cr4", "r"(CR4_VME)), 1);
    return 0;
  }
  with_vme();
  work(argument("loops", 2000));
  pvi();
  return 0;
}
