// interrupts: PIC, PIT, UART and RTC interrupts, nested and held back; STI and MOV SS shadows, HLT; ring 3 with
// system calls over trap, interrupt and call gates, TSS.esp0; privileged instructions in ring 3; the flags that ring
// 3 may not change; the instructions that store system registers, in both rings; IRET in its forms and faults.
//
// Paging stays off. Nothing printed or kept depends on how many instructions run between two ticks of the PIT beyond
// what the machine itself fixes by its count of instructions.

#include "pc.h"

#define COM1 0x3f8

// Where each tick came in: not checked here, but part of the memory that every run must end with.
static volatile u32 tick_log[256][2];
static volatile u32 ticks, tick_eip, tick_cs, serial_count, serial_eip, rtc_count;
static u8 stack_for_faults[8192] __attribute__((aligned(16)));

#define STACK_TOP ((u32)stack_for_faults + sizeof stack_for_faults)

static void masks(u8 master, u8 slave) {
  outb(PIC1 + 1, master);
  outb(PIC2 + 1, slave);
}

static u8 pic_in_service(void) {
  outb(PIC1, 0x0b);
  return inb(PIC1);
}

static u8 pic_requests(void) {
  outb(PIC1, 0x0a);
  return inb(PIC1);
}

static void start_timer(u32 divisor) {
  outb(0x43, 0x34);  // channel 0, low then high byte, mode 2
  outb(0x40, (u8)divisor);
  outb(0x40, (u8)(divisor >> 8));
}

static void ask_serial(void) { outb(COM1 + 1, 2); }  // the transmitter is empty: IRQ 4 at once
static void quiet_serial(void) {
  (void)inb(COM1 + 2);
  outb(COM1 + 1, 0);
}

static u32 on_tick(struct frame *frame) {
  tick_log[ticks & 255][0] = frame->eip;
  tick_log[ticks & 255][1] = frame->ecx;
  ticks++;
  tick_eip = frame->eip;
  tick_cs = frame->cs;
  outb(PIC1, PIC_EOI);
  return 1;
}

static u32 on_serial(struct frame *frame) {
  serial_count++;
  serial_eip = frame->eip;
  quiet_serial();
  outb(PIC1, PIC_EOI);
  return 1;
}

static u32 on_rtc(struct frame *frame __attribute__((unused))) {
  outb(0x70, 0x0c);
  u8 status = inb(0x71);
  if (status & 0x40) rtc_count++;
  outb(PIC2, PIC_EOI);
  outb(PIC1, PIC_EOI);
  return 1;
}

static void start_pics(void) {
  program_pics(0xff, 0xff);
  CHECK_EQ(inb(PIC1 + 1), 0xff);
  trap_hook[0x20] = on_tick;
  trap_hook[0x24] = on_serial;
  trap_hook[0x28] = on_rtc;
  outb(COM1 + 4, 0x0b);  // OUT2 gates the UART's IRQ on a PC
}

// --- the timer, HLT and the shadows ------------------------------------------------------------------------

static void timer(void) {
  u32 after;
  start_timer(1193);
  masks(0xfe, 0xff);
  for (u32 wanted = 1; wanted <= 5; wanted++) {
    asm volatile("movl $1f, %0\n\tsti\n\thlt\n1:\tcli" : "=r"(after) : : "memory");
    CHECK_EQ(ticks, wanted);
    CHECK_EQ(tick_eip, after);
  }
  // Held back by CLI, and by the mask; only one request is kept.
  asm volatile("sti" : : : "memory");
  while (ticks < 7) asm volatile("" : : : "memory");
  asm volatile("cli" : : : "memory");
  u32 now = ticks;
  while (!(pic_requests() & 1)) asm volatile("pause");
  CHECK_EQ(ticks, now);
  outb(PIC1 + 1, 0xff);
  asm volatile("sti\n\tnop\n\tnop\n\tcli" : : : "memory");
  CHECK_EQ(ticks, now);
  outb(PIC1 + 1, 0xfe);
  asm volatile("sti\n\tnop\n\tnop\n\tcli" : : : "memory");
  CHECK_EQ(ticks, now + 1);
  // The counter counts down.
  outb(0x43, 0x00);
  u32 count = inb(0x40);
  count |= (u32)inb(0x40) << 8;
  CHECK(count <= 1193);
  masks(0xff, 0xff);
}

static void shadows(void) {
  u32 label, count;
  masks(0xef, 0xff);
  // STI holds back until the instruction behind it is done.
  ask_serial();
  CHECK(pic_requests() & 0x10);
  CHECK_EQ(serial_count, 0);
  asm volatile("movl $1f, %0\n\txorl %1, %1\n\tsti\n\tincl %1\n1:\tincl %1\n\tcli" : "=&r"(label), "=&r"(count) : : "memory", "cc");
  CHECK_EQ(serial_count, 1);
  CHECK_EQ(serial_eip, label);
  CHECK_EQ(count, 2);
  // STI, CLI: nothing gets through. Twice STI: only the first has a shadow.
  ask_serial();
  asm volatile("sti\n\tcli\n\tnop" : : : "memory");
  CHECK_EQ(serial_count, 1);
  asm volatile("movl $1f, %0\n\tsti\n\tsti\n1:\tnop\n\tcli" : "=&r"(label) : : "memory");
  CHECK_EQ(serial_count, 2);
  CHECK_EQ(serial_eip, label);
  // POPF and IRET have none.
  ask_serial();
  asm volatile("movl $1f, %0\n\tpushl $0x202\n\tpopfl\n1:\tnop\n\tcli" : "=&r"(label) : : "memory", "cc");
  CHECK_EQ(serial_count, 3);
  CHECK_EQ(serial_eip, label);
  ask_serial();
  asm volatile("movl $1f, %0\n\tpushl $0x202\n\tpushl %%cs\n\tpushl %0\n\tiretl\n1:\tnop\n\tcli" : "=&r"(label) : : "memory", "cc");
  CHECK_EQ(serial_count, 4);
  CHECK_EQ(serial_eip, label);
  // STI before HLT: a request that is there already wakes it.
  ask_serial();
  asm volatile("movl $1f, %0\n\tsti\n\thlt\n1:\tcli" : "=&r"(label) : : "memory");
  CHECK_EQ(serial_count, 5);
  CHECK_EQ(serial_eip, label);
  // STI with IF already 1 has no shadow that would lose anything.
  asm volatile("sti" : : : "memory");
  ask_serial();
  asm volatile("jmp 1f\n1:\tnop\n\tcli" : : : "memory");  // TCG looks for interrupts at jumps
  CHECK_EQ(serial_count, 6);
  masks(0xff, 0xff);

  // No interrupt between MOV SS or POP SS and the instruction behind: fast ticks into a loop of them.
  u32 forbidden[3], start = ticks;
  masks(0xfe, 0xff);
  start_timer(150);
  for (u32 i = 0; i < 8; i++) {
    u32 last = ticks;
    asm volatile(
        "movl $2f, (%0)\n\tmovl $3f, 4(%0)\n\tmovl $4f, 8(%0)\n\tsti\n\tnop\n"
        "1:\tmovl %2, %%ss\n2:\tnop\n\tmovl %2, %%ss\n3:\tmovl %2, %%eax\n\tpushl %2\n\tpopl %%ss\n4:\tnop\n\t"
        "cmpl %1, ticks\n\tje 1b\n\tcli"
        : : "r"(forbidden), "r"(last), "r"(KERNEL_DS) : "eax", "memory", "cc");
    for (u32 k = 0; k < 3; k++) CHECK(tick_eip != forbidden[k]);
  }
  CHECK(ticks >= start + 8);

  // Ticks into a long REP: it stops and goes on.
  u32 before = ticks;
  u8 *buffer = (u8 *)0x00800000;
  buffer[60000] = 0x11;
  asm volatile("sti\n\tmovl $60000, %%ecx\n\tmovl %0, %%edi\n\tmovb $0xa5, %%al\n\trep stosb\n\tcli"
               : : "r"(buffer) : "eax", "ecx", "edi", "memory", "cc");
  CHECK_EQ(buffer[0], 0xa5);
  CHECK_EQ(buffer[59999], 0xa5);
  CHECK_EQ(buffer[60000], 0x11);
  (void)before;
  start_timer(1193);
  masks(0xff, 0xff);
}

// --- interrupts that fall due while structures are written, and while the guest steps itself ----------------------

static u32 steps;

static u32 count_step(struct frame *frame __attribute__((unused))) {
  set_dr6(0);
  steps++;
  return 1;
}

static void in_the_middle(void) {
  u32 start = ticks, i = GDT_FREE + 4;
  masks(0xfe, 0xff);
  start_timer(131);
  asm volatile("sti" : : : "memory");
  // Single entries of the GDT and IDT, read-modify-write and pushed.
  for (u32 n = 0; n < 2000; n++) {
    u32 keep;
    asm volatile("incl (%1)\n\tlock btcl $3, 4(%1)\n\txchgl %2, (%3)\n\tmovl %%esp, %0\n\tcli\n\tleal 8(%1), %%esp\n\tpushl 4(%3)\n\tmovl %0, %%esp\n\tsti"
                 : "=&r"(keep) : "r"(&gdt[i]), "r"(n), "r"(&idt[0x95]) : "memory", "cc");
  }
  // Runs of them.
  for (u32 n = 0; n < 100; n++) {
    fill32(&gdt[i], n, 2 * (GDT_ENTRIES - i));
    u32 *from = (u32 *)&gdt[i], *to = (u32 *)&idt[0xa0], count = 32;
    asm volatile("rep movsl" : "+S"(from), "+D"(to), "+c"(count) : : "memory");
  }
  asm volatile("cli" : : : "memory");
  CHECK(ticks > start);
  CHECK_EQ((u32)gdt[GDT_ENTRIES - 1], 99);
  CHECK_EQ((u32)idt[0xaf], 99);
  fill32(&gdt[i], 0, 2 * (GDT_ENTRIES - i));
  for (u32 v = 0x90; v < 0xb0; v++) set_gate(v, 0x8e);

  // TF and the timer together: every instruction stops once, whatever comes between.
  trap_hook[1] = count_step;
  u32 last = ticks;
  asm volatile("movl $3000, %%ecx\n\tsti\n\tpushfl\n\torl $0x100, (%%esp)\n\tpopfl\n1:\tincl %%eax\n\tmovl %%eax, (%0)\n\tloop 1b\n\t"
               "pushfl\n\tandl $~0x100, (%%esp)\n\tpopfl\n\tcli" : : "r"(&gdt[i]) : "eax", "ecx", "memory", "cc");
  CHECK_EQ(steps, 9003);
  CHECK(ticks > last);
  trap_hook[1] = 0;
  gdt[i] = 0;
  start_timer(1193);
  masks(0xff, 0xff);
}

// --- nesting ------------------------------------------------------------------------------------------------

static u32 nested_serial, nested_ticks, seen_in_service;

/** IRQ 0 with interrupts on: IRQ 4 waits for the end of IRQ 0, then comes inside. */
static u32 tick_that_nests(struct frame *frame __attribute__((unused))) {
  ticks++;
  seen_in_service = pic_in_service();
  u32 before = serial_count;
  ask_serial();
  asm volatile("sti\n\tnop\n\tnop\n\tnop\n\tcli" : : : "memory");
  CHECK_EQ(serial_count, before);
  outb(PIC1, 0x60);  // specific end of interrupt, level 0
  asm volatile("sti\n\tnop\n\tnop\n\tcli" : : : "memory");
  nested_serial = serial_count - before;
  masks(0xff, 0xff);
  return 1;
}

/** IRQ 4 with interrupts on: IRQ 0 comes in although IRQ 4 is in service. */
static u32 serial_that_nests(struct frame *frame __attribute__((unused))) {
  serial_count++;
  quiet_serial();
  trap_hook[0x20] = on_tick;
  u32 before = ticks;
  masks(0xee, 0xff);
  asm volatile("sti" : : : "memory");
  while (ticks == before) asm volatile("" : : : "memory");
  asm volatile("cli" : : : "memory");
  nested_ticks = ticks - before;
  seen_in_service = pic_in_service();
  outb(PIC1, PIC_EOI);
  return 1;
}

static void nesting(void) {
  trap_hook[0x20] = tick_that_nests;
  masks(0xee, 0xff);
  u32 before = ticks;
  asm volatile("sti\n\thlt\n\tcli" : : : "memory");
  CHECK_EQ(ticks, before + 1);
  CHECK_EQ(seen_in_service, 1);
  CHECK_EQ(nested_serial, 1);
  CHECK_EQ(pic_in_service(), 0);

  trap_hook[0x24] = serial_that_nests;
  masks(0xef, 0xff);
  ask_serial();
  asm volatile("sti\n\tnop\n\tnop\n\tcli" : : : "memory");
  CHECK_EQ(nested_ticks, 1);
  CHECK_EQ(seen_in_service, 0x10);
  CHECK_EQ(pic_in_service(), 0);
  trap_hook[0x24] = on_serial;
  masks(0xff, 0xff);

  // The second controller: the RTC's periodic interrupt, IRQ 8.
  outb(0x70, 0x0a), outb(0x71, 0x26);
  outb(0x70, 0x0b);
  u8 b = inb(0x71);
  outb(0x70, 0x0b), outb(0x71, b | 0x40);
  outb(0x70, 0x0c), (void)inb(0x71);
  masks(0xfb, 0xfe);
  while (rtc_count < 3) asm volatile("sti\n\thlt\n\tcli" : : : "memory");
  outb(0x70, 0x0b), outb(0x71, b);
  outb(0x70, 0x0c), (void)inb(0x71);
  masks(0xff, 0xff);
}

// --- ring 3 ---------------------------------------------------------------------------------------------------

extern const char call_loop[], spin[], two_calls[], through_gate[], segments_seen[], flags_change[], flags_allowed[], stores[], ports[];
extern const u8 privileged[], privileged_end[];
u32 user_buffer[32] __attribute__((section(".user.b")));

asm(".section .user, \"awx\"\n"
    // 100 system calls, each adds.
    "call_loop:\n\txorl %eax, %eax\n\tmovl $100, %ecx\n1:\tint $0x80\n\tloop 1b\n\tint $0x81\n"
    // Waits for two ticks.
    "spin:\n\tmovl ticks, %ecx\n\taddl $2, %ecx\n1:\tcmpl %ecx, ticks\n\tjb 1b\n\tint $0x81\n"
    "two_calls:\n\tint $0x80\n\tint $0x80\n\tint $0x81\n"
    "through_gate:\n\tmovl %esp, %esi\n\tpushl $30\n\tpushl $12\n\tlcall $0x33, $0xdeadbeef\n\tmovl %esp, %edi\n\tint $0x81\n"
    "segments_seen:\n\tmovl %ds, %eax\n\tmovl %fs, %ecx\n\tmovl %gs, %edx\n\tmovl %es, %ebx\n\tint $0x81\n"
    // ECX = flags to set; EAX = flags afterwards.
    "flags_change:\n\tpushl %ecx\n\tpopfl\n\tpushfl\n\tpopl %eax\n\tint $0x81\n"
    "flags_allowed:\n\tcli\n\tpushfl\n\tpopl %eax\n\tsti\n\tpushfl\n\tpopl %ecx\n\tpushl $0\n\tpopfl\n\tpushfl\n\tpopl %edx\n\tint $0x81\n"
    "ports:\n\tmovb $'.', %al\n\toutb %al, $0xe9\n\tinb $0xe9, %al\n\toutb %al, $0xea\n\tint $0x81\n"
    // System registers to the buffer at EDX.
    "stores:\n\tsgdtl (%edx)\n\tsidtl 8(%edx)\n\tsldt %eax\n\tmovzwl %ax, %eax\n\tmovl %eax, 16(%edx)\n\tstr 20(%edx)\n\t"
    "smsw %eax\n\tmovzwl %ax, %eax\n\tmovl %eax, 24(%edx)\n\tint $0x81\n"
    // Privileged instructions, 16 bytes each.
    "\t.macro PRIVILEGED instruction:vararg\n\t.balign 16, 0xf4\n\t\\instruction\n\tint $0x81\n\t.endm\n"
    "\t.balign 16\nprivileged:\n"
    "\tPRIVILEGED hlt\n\tPRIVILEGED cli\n\tPRIVILEGED sti\n\tPRIVILEGED clts\n\tPRIVILEGED invd\n\tPRIVILEGED wbinvd\n"
    "\tPRIVILEGED inb $0x60, %al\n\tPRIVILEGED inl %dx, %eax\n\tPRIVILEGED outb %al, $0x80\n\tPRIVILEGED outw %ax, %dx\n"
    "\tPRIVILEGED insb\n\tPRIVILEGED rep outsb\n\tPRIVILEGED lgdtl user_buffer\n\tPRIVILEGED lidtl user_buffer\n"
    "\tPRIVILEGED lldt %ax\n\tPRIVILEGED ltr %ax\n\tPRIVILEGED lmsw %ax\n\tPRIVILEGED invlpg (%eax)\n"
    "\tPRIVILEGED movl %cr0, %eax\n\tPRIVILEGED movl %cr2, %eax\n\tPRIVILEGED movl %cr3, %eax\n\tPRIVILEGED movl %cr4, %eax\n"
    "\tPRIVILEGED movl %eax, %cr0\n\tPRIVILEGED movl %eax, %cr2\n\tPRIVILEGED movl %eax, %cr3\n\tPRIVILEGED movl %eax, %cr4\n"
    "\tPRIVILEGED movl %dr0, %eax\n\tPRIVILEGED movl %dr6, %eax\n\tPRIVILEGED movl %eax, %dr7\n"
    "\tPRIVILEGED rdmsr\n\tPRIVILEGED wrmsr\n\tPRIVILEGED rdpmc\n"
    "\t.balign 16\nprivileged_end:\n\t.text\n");

static u32 calls, call_flags, call_frame_end;

/** INT 0x80: EAX + 3. Keeps the IF that its gate left. */
static u32 system_call(struct frame *frame) {
  call_flags = get_eflags();
  call_frame_end = (u32)(frame + 1);
  calls++;
  frame->eax += 3;
  return 1;
}

static void *second_stack_top;

/** As above, and moves TSS.esp0 for the next one. */
static u32 call_that_moves_esp0(struct frame *frame) {
  call_frame_end = (u32)(frame + 1);
  if (calls++ == 0) tss.esp0 = (u32)second_stack_top;
  return 1;
}

// Reached over the call gate: both parameters are on our stack. CS, the flags and the depth are kept for a look.
u32 gate_cs, gate_flags, gate_esp;
asm("gate_entry:\n\tmovw %cs, gate_cs\n\tpushfl\n\tpopl gate_flags\n\tmovl %esp, gate_esp\n\t"
    "movl 8(%esp), %eax\n\taddl 12(%esp), %eax\n\tlret $8\n");
extern const char gate_entry[];

static void user_flags(const void *code, u32 eflags, u32 ecx, u32 edx) {
  struct user_regs regs = {0, ecx, edx, 0, 0, 0};
  user_with(code, user_stack_top, eflags, &regs);
}

static void ring_3(void) {
  set_gate(0x81, 0xee);
  // Trap gate: IF as it was. Interrupt gate: IF off.
  trap_hook[0x80] = system_call;
  set_gate(0x80, 0xef);
  user_flags(call_loop, 0x202, 0, 0);
  CHECK_USER_TRAP(0x81, 0);
  CHECK_EQ(trap.eax, 300);
  CHECK_EQ(calls, 100);
  CHECK_EQ(call_flags & EFLAGS_IF, EFLAGS_IF);
  CHECK_EQ(call_frame_end, tss.esp0);
  CHECK_EQ(trap.ss, USER_DS);
  CHECK_EQ(trap.esp, (u32)user_stack_top);
  CHECK_EQ(trap.eflags & (EFLAGS_IF | EFLAGS_IOPL), EFLAGS_IF);
  set_gate(0x80, 0xee);
  user_flags(call_loop, 0x202, 0, 0);
  CHECK_EQ(call_flags & EFLAGS_IF, 0);
  CHECK_EQ(trap.eax, 300);

  // Ticks while ring 3 runs.
  masks(0xfe, 0xff);
  user_flags(spin, 0x202, 0, 0);
  CHECK_USER_TRAP(0x81, 0);
  CHECK_EQ(tick_cs, USER_CS);
  masks(0xff, 0xff);

  // TSS.esp0 changes between two calls.
  trap_hook[0x80] = call_that_moves_esp0;
  calls = 0;
  second_stack_top = (void *)STACK_TOP;
  user(two_calls, 0, 0);
  CHECK_EQ(calls, 2);
  CHECK_EQ(call_frame_end, STACK_TOP);
  trap_hook[0x80] = 0;

  // Call gate with two parameters.
  gdt[GDT_FREE] = GATE(KERNEL_CS, (u32)gate_entry, 0xec) | (u64)2 << 32;
  user_flags(through_gate, 0x202, 0, 0);
  CHECK_USER_TRAP(0x81, 0);
  CHECK_EQ(trap.eax, 42);
  CHECK_EQ(trap.esi, trap.edi);
  CHECK_EQ(gate_cs & 0xffff, KERNEL_CS);
  CHECK_EQ(gate_flags & EFLAGS_IF, EFLAGS_IF);
  CHECK_EQ(gate_esp, tss.esp0 - 24);
  // Not present; of DPL 0; to a data segment.
  gdt[GDT_FREE] = GATE(KERNEL_CS, (u32)gate_entry, 0x6c);
  user(through_gate, 0, 0);
  CHECK_USER_TRAP(11, GDT_FREE * 8);
  gdt[GDT_FREE] = GATE(KERNEL_CS, (u32)gate_entry, 0x8c);
  user(through_gate, 0, 0);
  CHECK_USER_TRAP(13, GDT_FREE * 8);
  gdt[GDT_FREE] = GATE(KERNEL_DS, (u32)gate_entry, 0xec);
  user(through_gate, 0, 0);
  CHECK_USER_TRAP(13, KERNEL_DS);
  gdt[GDT_FREE] = 0;
}

static void privileged_instructions(void) {
  u32 count = 0;
  for (const u8 *code = privileged; code < privileged_end; code += 16, count++) {
    struct user_regs regs = {0, 1, 0x80, 0, (u32)user_buffer, (u32)user_buffer};
    user_with(code, user_stack_top, 0x202, &regs);
    CHECK_USER_TRAP(13, 0);
    CHECK_EQ(trap.eip, (u32)code);
    CHECK_EQ(trap.eflags & EFLAGS_IF, EFLAGS_IF);
  }
  CHECK_EQ(count, 32);

  // RDTSC is allowed unless CR4.TSD says otherwise.
  static const u8 rdtsc[] __attribute__((section(".user.d"))) = {0x0f, 0x31, 0xcd, 0x81};
  user(rdtsc, 0, 0);
  CHECK_USER_TRAP(0x81, 0);
  set_cr4(get_cr4() | CR4_TSD);
  user(rdtsc, 0, 0);
  CHECK_USER_TRAP(13, 0);
  CHECK_EQ(trap.eip, (u32)rdtsc);
  asm volatile("rdtsc" : : : "eax", "edx");  // ring 0 may
  set_cr4(get_cr4() & ~CR4_TSD);

  // INT: gates of DPL 0; the exceptions that ring 3 may raise.
  static const u8 int_20[] __attribute__((section(".user.d"))) = {0xcd, 0x20, 0xcd, 0x81};
  static const u8 int_3[] __attribute__((section(".user.d"))) = {0xcc};
  static const u8 into[] __attribute__((section(".user.d"))) = {0xb0, 0x7f, 0x04, 0x01, 0xce, 0xcd, 0x81};  // 127 + 1 overflows
  static const u8 ud2[] __attribute__((section(".user.d"))) = {0x0f, 0x0b};
  static const u8 divide[] __attribute__((section(".user.d"))) = {0x31, 0xc9, 0xf7, 0xf1};
  static const u8 bound[] __attribute__((section(".user.d"))) = {0x62, 0x01};  // bound %eax, (%ecx)
  static const u8 load_ds[] __attribute__((section(".user.d"))) = {0x8e, 0xd8, 0xcd, 0x81};
  static const u8 load_ss[] __attribute__((section(".user.d"))) = {0x8e, 0xd0, 0xcd, 0x81};
  static const u8 far_jump[] __attribute__((section(".user.d"))) = {0xea, 0, 0, 0, 0, KERNEL_CS, 0};
  static const u8 far_return[] __attribute__((section(".user.d"))) = {0x6a, KERNEL_CS, 0x6a, 0, 0xcb};
  static const u8 interrupt_return[] __attribute__((section(".user.d"))) = {0x6a, 2, 0x6a, KERNEL_CS, 0x6a, 0, 0xcf};
  user(int_20, 0, 0);
  CHECK_USER_TRAP(13, 0x20 * 8 + 2);
  CHECK_EQ(trap.eip, (u32)int_20);
  user(int_3, 0, 0);
  CHECK_USER_TRAP(3, 0);
  CHECK_EQ(trap.eip, (u32)int_3 + 1);
  user(into, 0, 0);
  CHECK_USER_TRAP(4, 0);
  CHECK_EQ(trap.eip, (u32)into + 5);
  user(ud2, 0, 0);
  CHECK_USER_TRAP(6, 0);
  CHECK_EQ(trap.eip, (u32)ud2);
  user(divide, 1, 0);
  CHECK_USER_TRAP(0, 0);
  CHECK_EQ(trap.eip, (u32)divide + 2);
  user_buffer[0] = 5, user_buffer[1] = 9;
  user(bound, 10, (u32)user_buffer);
  CHECK_USER_TRAP(5, 0);
  CHECK_EQ(trap.eip, (u32)bound);
  user(load_ds, KERNEL_DS, 0);
  CHECK_USER_TRAP(13, KERNEL_DS);
  user(load_ds, sizeof gdt | 3, 0);
  CHECK_USER_TRAP(13, sizeof gdt);
  user(load_ds, 0, 0);
  CHECK_USER_TRAP(0x81, 0);
  user(load_ss, KERNEL_DS, 0);
  CHECK_USER_TRAP(13, KERNEL_DS);
  user(load_ss, 0, 0);
  CHECK_USER_TRAP(13, 0);
  user(load_ss, USER_DS, 0);
  CHECK_USER_TRAP(0x81, 0);
  user(far_jump, 0, 0);
  CHECK_USER_TRAP(13, KERNEL_CS);
  user(far_return, 0, 0);
  CHECK_USER_TRAP(13, KERNEL_CS);
  CHECK_EQ(trap.eip, (u32)far_return + 4);
  user(interrupt_return, 0, 0);
  CHECK_USER_TRAP(13, KERNEL_CS);
  CHECK_EQ(trap.esp, (u32)user_stack_top - 12);

  // Alignment checks, which only ring 3 sees.
  static const u8 unaligned[] __attribute__((section(".user.d"))) = {0x8b, 0x10, 0xcd, 0x81};
  set_cr0(get_cr0() | 0x40000);
  user(unaligned, (u32)user_buffer + 1, 0);
  CHECK_USER_TRAP(0x81, 0);
  if (!on_tcg) {
    user_flags(unaligned, 2 | EFLAGS_AC, 0, 0);
    struct user_regs regs = {(u32)user_buffer + 1, 0, 0, 0, 0, 0};
    user_with(unaligned, user_stack_top, 2 | EFLAGS_AC, &regs);
    CHECK_USER_TRAP(17, 0);
    CHECK_EQ(trap.eip, (u32)unaligned);
  }
  set_cr0(get_cr0() & ~0x40000u);

  // The I/O permission map: 0xe9 open, 0xea closed.
  static struct {
    struct tss tss;
    u8 map[34];
  } __attribute__((packed, aligned(128))) with_map;
  with_map.tss.ss0 = KERNEL_DS;
  with_map.tss.io_map = sizeof with_map.tss;
  for (u32 i = 0; i < sizeof with_map.map; i++) with_map.map[i] = 0xff;
  with_map.map[0xe9 / 8] &= (u8)~(1 << (0xe9 & 7));
  gdt[GDT_FREE + 1] = DESCRIPTOR((u32)&with_map, sizeof with_map - 1, 0x89, 0);
  asm volatile("ltr %w0" : : "r"((GDT_FREE + 1) * 8) : "memory");
  CHECK_EQ(gdt[GDT_FREE + 1] >> 40 & 0xff, 0x8b);
  with_map.tss.esp0 = STACK_TOP;
  user(ports, 0, 0);
  CHECK_USER_TRAP(13, 0);
  CHECK_EQ(trap.eip, (u32)ports + 6);
  // Back to the first, whose descriptor is still busy: #GP. Made available: fine.
  CHECK_EQ(TRY("ltr %w0", "r"(TSS_SELECTOR)), 1);
  CHECK_FAULT_HERE(13, TSS_SELECTOR);
  gdt[5] &= ~((u64)2 << 40);
  asm volatile("ltr %w0" : : "r"(TSS_SELECTOR) : "memory");
  CHECK_EQ(gdt[5] >> 40 & 0xff, 0x8b);
  gdt[GDT_FREE + 1] = 0;
}

static void flags(void) {
  // IF and IOPL stay although POPF says otherwise, and there is no fault.
  user_flags(flags_change, 0x202, 0x3000 | 0x8d5, 0);
  CHECK_USER_TRAP(0x81, 0);
  CHECK_EQ(trap.eax & 0x3fd5, 0x200 | 0x8d5);
  user_flags(flags_change, 0x002, 0x3202, 0);
  CHECK_EQ(trap.eax & 0x3200, 0);
  // With IOPL 3 ring 3 may change IF, not IOPL.
  user_flags(flags_change, 0x3202, 0x002, 0);
  CHECK_EQ(trap.eax & 0x3200, 0x3000);
  user_flags(flags_allowed, 0x3202, 0, 0);
  CHECK_USER_TRAP(0x81, 0);
  CHECK_EQ(trap.eax & 0x3200, 0x3000);
  CHECK_EQ(trap.ecx & 0x3200, 0x3200);
  CHECK_EQ(trap.edx & 0x3200, 0x3000);
  // Ports, too.
  static const u8 in_out[] __attribute__((section(".user.d"))) = {0xe4, 0x21, 0xcd, 0x81};
  user_flags(in_out, 0x3002, 0, 0);
  CHECK_USER_TRAP(0x81, 0);
  CHECK_EQ(trap.eax & 0xff, 0xff);
  // Ring 0 changes all of them.
  set_eflags(0x3002);
  CHECK_EQ(get_eflags() & 0x3200, 0x3000);
  set_eflags(0x1002);
  CHECK_EQ(get_eflags() & 0x3200, 0x1000);
  set_eflags(0x0002);
  CHECK_EQ(get_eflags() & 0x3fd7, 0x0002);
  // 16-bit forms leave the upper half alone.
  u32 value;
  asm volatile("pushl $0x40002\n\tpopfl\n\tpushw $0x3\n\tpopfw\n\tpushfl\n\tpopl %0\n\tpushl $2\n\tpopfl" : "=r"(value) : : "memory", "cc");
  CHECK_EQ(value & 0x40001, 0x40001);
}

// --- the instructions that store or look at system registers ---------------------------------------------------

#define LOOK(instruction, selector, result, zero)                                                        \
  asm volatile("movl $0x77777777, %0\n\t" instruction " %2, %0\n\tsetz %1" : "=&r"(result), "=&q"(zero) : "r"(selector) : "cc")
#define VERIFY(instruction, selector)                                                                    \
  ({ u8 zero_; asm volatile(instruction " %w1\n\tsetz %0" : "=q"(zero_) : "r"(selector) : "cc"); zero_; })

static void check_stores(const u32 *b) {
  CHECK_EQ(b[0] & 0xffff, sizeof gdt - 1);
  CHECK_EQ(b[0] >> 16 | b[1] << 16, (u32)gdt);
  CHECK_EQ(b[2] & 0xffff, sizeof idt - 1);
  CHECK_EQ(b[2] >> 16 | b[3] << 16, (u32)idt);
  CHECK_EQ(b[4], (GDT_FREE + 2) * 8);
  CHECK_EQ(b[5] & 0xffff, TSS_SELECTOR);
  CHECK_EQ(b[6], get_cr0() & 0xffff);
}

extern const u8 user_looks[];
asm(".section .user, \"awx\"\n"
    // Selector in ECX; EAX = LAR, EDX = LSL, EBX = the four ZF as bits.
    "user_looks:\n\txorl %ebx, %ebx\n\tmovl $0x77777777, %eax\n\tmovl %eax, %edx\n\tlarl %ecx, %eax\n\tjnz 1f\n\torl $1, %ebx\n"
    "1:\tlsll %ecx, %edx\n\tjnz 1f\n\torl $2, %ebx\n1:\tverr %cx\n\tjnz 1f\n\torl $4, %ebx\n1:\tverw %cx\n\tjnz 1f\n\torl $8, %ebx\n1:\tint $0x81\n\t.text\n");

static void system_registers(void) {
  u32 ldt_selector = (GDT_FREE + 2) * 8, result;
  u8 zero;
  static u64 ldt[4] __attribute__((aligned(16)));
  gdt[GDT_FREE + 2] = DESCRIPTOR((u32)ldt, sizeof ldt - 1, 0x82, 0);
  asm volatile("lldt %w0" : : "r"(ldt_selector) : "memory");

  u32 b[7];
  asm volatile("sgdtl (%0)\n\tsidtl 8(%0)\n\tsldt %%eax\n\tmovzwl %%ax, %%eax\n\tmovl %%eax, 16(%0)\n\tstr 20(%0)\n\t"
               "smsw %%eax\n\tmovzwl %%ax, %%eax\n\tmovl %%eax, 24(%0)" : : "r"(b) : "eax", "memory");
  check_stores(b);
  struct user_regs regs = {0, 0, (u32)user_buffer, 0, 0, 0};
  user_with(stores, user_stack_top, 2, &regs);
  CHECK_USER_TRAP(0x81, 0);
  check_stores(user_buffer);
  // Segment registers have the selectors that were loaded.
  u32 cs, ss, ds;
  asm volatile("movl %%cs, %0\n\tmovl %%ss, %1\n\tpushl %%ds\n\tpopl %2" : "=r"(cs), "=r"(ss), "=r"(ds) : : "memory");
  CHECK_EQ(cs & 0xffff, KERNEL_CS);
  CHECK_EQ(ss & 0xffff, KERNEL_DS);
  CHECK_EQ(ds & 0xffff, KERNEL_DS);
  asm volatile("pushl %%cs\n\tpopl %0\n\tpushl %%ss\n\tpopl %1" : "=r"(cs), "=r"(ss) : : "memory");
  CHECK_EQ(cs & 0xffff, KERNEL_CS);
  CHECK_EQ(ss & 0xffff, KERNEL_DS);
  // CALL and a far CALL push the CS that the guest has.
  asm volatile("lcall %1, $1f\n1:\tpopl %%eax\n\tpopl %0" : "=r"(cs) : "i"(KERNEL_CS) : "eax", "memory");
  CHECK_EQ(cs & 0xffff, KERNEL_CS);

  gdt[GDT_FREE + 3] = DESCRIPTOR(0x1000u, 0x1234u, 0x90, 0x4);  // read-only data, DPL 0
  gdt[GDT_FREE + 4] = DESCRIPTOR(0x1000u, 0x12u, 0xf8, 0xc);    // execute-only code, DPL 3
  gdt[GDT_FREE + 5] = DESCRIPTOR(0x1000u, 0x12u, 0x9e, 0xc);    // conforming, readable code, DPL 0
  gdt[GDT_FREE + 6] = DESCRIPTOR(0x1000u, 0xfffu, 0x73, 0x4);   // data of DPL 3, not present
  gdt[GDT_FREE + 7] = GATE(KERNEL_CS, 0u, 0xec);                // call gate, DPL 3
  gdt[GDT_FREE + 8] = GATE(KERNEL_CS, 0u, 0xee);                // an interrupt gate has no place in a GDT
  ldt[1] = DESCRIPTOR(0x2000u, 0x42u, 0xf2, 0x4);               // LDT: data of DPL 3
  // selector, valid in ring 0 (LAR LSL VERR VERW as bits 0-3), in ring 3, LAR (bits 20-23 and 8-15), LSL
  static const struct {
    u16 selector;
    u8 ring_0, ring_3;
    u32 rights, limit;
  } table[] = {
      {0, 0, 0, 0, 0},
      {3, 0, 0, 0, 0},
      {KERNEL_CS, 7, 0, 0xc09b00, 0xffffffff},
      {KERNEL_DS, 15, 0, 0xc09300, 0xffffffff},
      {KERNEL_DS | 3, 0, 0, 0, 0},
      {USER_CS, 7, 7, 0xc0fb00, 0xffffffff},
      {USER_DS, 15, 15, 0xc0f300, 0xffffffff},
      {USER_DS & ~3, 15, 15, 0xc0f300, 0xffffffff},
      {TSS_SELECTOR, 3, 0, 0x008b00, sizeof(struct tss) - 1},
      {(GDT_FREE + 2) * 8, 3, 0, 0x008200, sizeof ldt - 1},
      {(GDT_FREE + 3) * 8, 7, 0, 0x409000, 0x1234},
      {(GDT_FREE + 4) * 8 | 3, 3, 3, 0xc0f800, 0x12fff},
      {(GDT_FREE + 5) * 8, 7, 7, 0xc09e00, 0x12fff},
      {(GDT_FREE + 6) * 8, 15, 15, 0x407300, 0xfff},
      {(GDT_FREE + 7) * 8, 1, 1, 0x00ec00, 0},
      {(GDT_FREE + 8) * 8, 0, 0, 0, 0},
      {(GDT_FREE + 9) * 8, 0, 0, 0, 0},
      {8 | 4, 15, 15, 0x40f200, 0x42},
      {16 | 4, 0, 0, 0, 0},
      {32 | 4, 0, 0, 0, 0},
      {sizeof gdt, 0, 0, 0, 0},
      {0xfff8, 0, 0, 0, 0},
  };
  for (u32 i = 0; i < LENGTH(table); i++) {
    u32 selector = table[i].selector, valid = table[i].ring_0;
    // A segment that is not present is valid to LAR and LSL and VERR and VERW: they look at rights only.
    LOOK("larl", selector, result, zero);
    CHECK_EQ(zero, valid & 1);
    CHECK_EQ(valid & 1 ? result & 0xf0ff00 : result, valid & 1 ? table[i].rights : 0x77777777);
    LOOK("lsll", selector, result, zero);
    CHECK_EQ(zero, valid >> 1 & 1);
    CHECK_EQ(result, valid & 2 ? table[i].limit : 0x77777777);
    CHECK_EQ(VERIFY("verr", selector), valid >> 2 & 1);
    CHECK_EQ(VERIFY("verw", selector), valid >> 3 & 1);
    user(user_looks, 0, selector);
    CHECK_USER_TRAP(0x81, 0);
    valid = table[i].ring_3;
    CHECK_EQ(trap.ebx, valid);
    CHECK_EQ(valid & 1 ? trap.eax & 0xf0ff00 : trap.eax, valid & 1 ? table[i].rights : 0x77777777);
    CHECK_EQ(trap.edx, valid & 2 ? table[i].limit : 0x77777777);
  }
  // ARPL, for a guest's ring 0 has an RPL of 0 to work with.
  u32 arpl = 0x10;
  asm volatile("movw $3, %%ax\n\tarpl %%ax, %w0\n\tsetz %1" : "+r"(arpl), "=q"(zero) : : "eax", "cc");
  CHECK_EQ(arpl, 0x13);
  CHECK_EQ(zero, 1);
  asm volatile("lldt %w0" : : "r"(0) : "memory");
  for (u32 i = 2; i < 9; i++) gdt[GDT_FREE + i] = 0;
}

// --- IRET ---------------------------------------------------------------------------------------------------

/** IRET from a stack that holds the given words. trap.esp is where it stood. */
static u32 try_iret(u32 eip, u32 cs, u32 eflags, u32 esp, u32 ss) {
  u32 *at = (u32 *)(STACK_TOP - 64);
  at[0] = eip, at[1] = cs, at[2] = eflags, at[3] = esp, at[4] = ss;
  u32 happened = TRY("movl %0, %%esp\n\tiretl", "r"(at));
  if (happened) {
    CHECK_EQ(trap.esp, (u32)at);
    CHECK_EQ(trap.eip, trap_site + 2);
  }
  return happened;
}

static void iret(void) {
  // To ring 3 with segments it may not keep: they become null.
  asm volatile("movl %0, %%fs\n\tmovl %1, %%gs" : : "r"(KERNEL_DS), "r"(USER_DS));
  user(segments_seen, 0, 0);
  CHECK_USER_TRAP(0x81, 0);
  CHECK_EQ(trap.eax & 0xffff, USER_DS);
  CHECK_EQ(trap.ecx & 0xffff, 0);
  CHECK_EQ(trap.edx & 0xffff, USER_DS);
  CHECK_EQ(trap.ebx & 0xffff, USER_DS);
  asm volatile("movl %0, %%fs\n\tmovl %0, %%gs" : : "r"(0));

  // Within ring 0, with flags.
  u32 flags;
  asm volatile("pushl $0x8d7\n\tpushl %%cs\n\tpushl $1f\n\tiretl\n1:\tpushfl\n\tpopl %0" : "=r"(flags) : : "memory", "cc");
  CHECK_EQ(flags & 0x3fd7, 0x8d7);
  // RF is taken from the image, and gone after one instruction; PUSHF never shows it.
  asm volatile("pushl $0x10002\n\tpushl %%cs\n\tpushl $1f\n\tiretl\n1:\tpushfl\n\tpopl %0" : "=r"(flags) : : "memory", "cc");
  CHECK_EQ(flags & 0x10000, 0);

  // And what it must refuse. The stack pointer stays.
  u32 here = (u32)main, user_esp = (u32)user_stack_top;
  CHECK(try_iret(here, 0, 2, 0, 0));
  CHECK_FAULT(13, 0);
  CHECK(try_iret(here, sizeof gdt, 2, 0, 0));
  CHECK_FAULT(13, sizeof gdt);
  CHECK(try_iret(here, KERNEL_DS, 2, 0, 0));
  CHECK_FAULT(13, KERNEL_DS);
  CHECK(try_iret(here, TSS_SELECTOR, 2, 0, 0));
  CHECK_FAULT(13, TSS_SELECTOR);
  CHECK(try_iret(here, USER_CS & ~3, 2, 0, 0));
  CHECK_FAULT(13, USER_CS & ~3);
  CHECK(try_iret(here, KERNEL_CS | 3, 2, user_esp, USER_DS));
  CHECK_FAULT(13, KERNEL_CS);
  CHECK(try_iret(here, USER_CS, 2, user_esp, KERNEL_DS));
  CHECK_FAULT(13, KERNEL_DS);
  CHECK(try_iret(here, USER_CS, 2, user_esp, 0));
  CHECK_FAULT(13, 0);
  CHECK(try_iret(here, USER_CS, 2, user_esp, USER_CS));
  CHECK_FAULT(13, USER_CS & ~3);
  // (Not here: a stack segment that is not present. The SDM's text says #SS, QEMU and Bochs say #NP.)
  gdt[GDT_FREE] = DESCRIPTOR(0u, 0xfffffu, 0x1b, 0xc);  // code, DPL 0, not present
  CHECK(try_iret(here, GDT_FREE * 8, 2, 0, 0));
  CHECK_FAULT(11, GDT_FREE * 8);
  gdt[GDT_FREE] = 0;
  // NT with no task to go back to.
  CHECK_EQ(TRY("pushl $0x4002\n\tpopfl\n\tiretl"), 1);
  CHECK_FAULT(10, 0);
}

static void gates(void) {
  // INT in ring 0: any DPL will do; a gate that is not present; none at all; a bad gate type.
  CHECK_EQ(TRY("int $0x42"), 1);
  CHECK_FAULT(0x42, 0);
  CHECK_EQ(trap.eip, trap_site + 2);
  idt[0x42] &= ~((u64)0x80 << 40);
  CHECK_EQ(TRY("int $0x42"), 1);
  CHECK_FAULT_HERE(11, 0x42 * 8 + 2);
  set_gate(0x42, 0x8e);
  idt[0x43] = 0;
  CHECK_EQ(TRY("int $0x43"), 1);
  CHECK_FAULT_HERE(13, 0x43 * 8 + 2);
  set_gate(0x43, 0x92);
  CHECK_EQ(TRY("int $0x43"), 1);
  CHECK_FAULT_HERE(13, 0x43 * 8 + 2);
  set_gate(0x43, 0x8e);
  load_idt(idt, 0x40 * 8);
  CHECK_EQ(TRY("int $0x42"), 1);
  CHECK_FAULT_HERE(13, 0x42 * 8 + 2);
  load_idt(idt, sizeof idt);
  // A moved table.
  static u64 other[256] __attribute__((aligned(8)));
  copy(other, idt, sizeof idt);
  other[0x42] = other[0x44];
  load_idt(other, sizeof other);
  CHECK_EQ(TRY("int $0x42"), 1);
  CHECK_FAULT(0x44, 0);
  other[0x42] = other[0x45];  // edited while in use
  CHECK_EQ(TRY("int $0x42"), 1);
  CHECK_FAULT(0x45, 0);
  load_idt(idt, sizeof idt);
  CHECK_EQ(TRY("int $0x42"), 1);
  CHECK_FAULT(0x42, 0);
  // The faults of ring 0.
  CHECK_EQ(TRY("ud2"), 1);
  CHECK_FAULT_HERE(6, 0);
  CHECK_EQ(TRY("divl %0", "r"(0)), 1);
  CHECK_FAULT_HERE(0, 0);
  CHECK_EQ(TRY("movl %0, %%ds", "r"(sizeof gdt)), 1);
  CHECK_FAULT_HERE(13, sizeof gdt);
  CHECK_EQ(TRY("movl %0, %%ss", "r"(USER_DS)), 1);
  CHECK_FAULT_HERE(13, USER_DS & ~3);
  if (on_tcg) return;  // it lets bad control register values through
  CHECK_EQ(TRY("movl %0, %%cr4", "r"(0x80000000u)), 1);
  CHECK_FAULT_HERE(13, 0);
  CHECK_EQ(TRY("movl %0, %%cr0", "r"(CR0_PG)), 1);
  CHECK_FAULT_HERE(13, 0);
}

int main(void) {
  start_pics();
  timer();
  shadows();
  in_the_middle();
  nesting();
  ring_3();
  privileged_instructions();
  flags();
  system_registers();
  iret();
  gates();
  put("ticks seen: yes, rtc: yes, nested: yes\n");
  return 0;
}
