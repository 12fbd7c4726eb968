// apic: the local APIC (virtual wire, self IPIs, priorities, timer, errors, its MSR) and the I/O APIC (the PIT and the UART
// through it, edge and level, masks), NMI from all three ways there are, blocked until IRET, in HLT, in ring 3, and in the
// middle of writes to tables.
//
// Paging stays off. As in `interrupts`, where each event came in is kept in memory, which every run must end with alike.

#include "guest.h"

#define PIC1 0x20
#define PIC2 0xa0
#define COM1 0x3f8

#define LAPIC 0xfee00000u
#define ID 0x20
#define VERSION 0x30
#define TPR 0x80
#define PPR 0xa0
#define EOI 0xb0
#define LDR 0xd0
#define DFR 0xe0
#define SVR 0xf0
#define ISR 0x100
#define TMR 0x180
#define IRR 0x200
#define ESR 0x280
#define ICR 0x300
#define ICR_HIGH 0x310
#define LVT_TIMER 0x320
#define LINT0 0x350
#define LINT1 0x360
#define LVT_ERROR 0x370
#define INITIAL 0x380
#define CURRENT 0x390
#define DIVIDE 0x3e0
#define MASKED 0x10000u
#define PERIODIC 0x20000u
#define LEVEL 0x8000u
#define REMOTE_IRR 0x4000u
#define NMI_MODE 0x400u
#define EXTINT_MODE 0x700u
#define TO_SELF 0x40000u
#define ASSERT 0x4000u
#define LOGICAL 0x800u

#define IOAPIC 0xfec00000u

// Vectors, from the lowest class to the highest.
#define V_UART 0x34
#define V_TICK 0x42
#define V_LOW 0x51
#define V_HIGH 0x63
#define V_HIGHER 0x64
#define V_TIMER 0x72
#define V_ERROR 0xe1
#define V_SPURIOUS 0xff

static u32 lapic = LAPIC;
static u32 get(u32 reg) { return read32(lapic + reg); }
static void put_reg(u32 reg, u32 value) { write32(lapic + reg, value); }
static u32 bit_of(u32 set, u32 vector) { return get(set + (vector >> 5) * 16) >> (vector & 31) & 1; }
static void eoi(void) { put_reg(EOI, 0); }

static u32 io_get(u32 index) {
  write32(IOAPIC, index);
  return read32(IOAPIC + 0x10);
}
static void io_put(u32 index, u32 value) {
  write32(IOAPIC, index);
  write32(IOAPIC + 0x10, value);
}
static void route(u32 pin, u32 low) {
  io_put(0x11 + 2 * pin, get(ID));  // the destination, which lies alike in both
  io_put(0x10 + 2 * pin, low);
}

/** Order and place of everything that came in. */
static u8 order[16];
static volatile u32 events, spurious;
static u32 place_log[512];
static u32 places;

static u32 came(struct frame *frame) {
  if (events < LENGTH(order)) order[events] = (u8)frame->vector;
  events++;
  place_log[places++ & 511] = frame->eip ^ frame->ecx << 20;
  return frame->vector;
}

static u32 on_vector(struct frame *frame) {
  came(frame);
  eoi();
  return 1;
}
static u32 on_spurious(struct frame *frame __attribute__((unused))) {
  spurious++;
  return 1;
}

static void open_window(void) { asm volatile("sti\n\tnop\n\tnop\n\tcli" : : : "memory"); }
static void sleep_once(void) { asm volatile("sti\n\thlt\n\tcli" : : : "memory"); }

static void rdmsr(u32 index, u32 *low, u32 *high) { asm volatile("rdmsr" : "=a"(*low), "=d"(*high) : "c"(index)); }
static void wrmsr(u32 index, u32 low, u32 high) { asm volatile("wrmsr" : : "a"(low), "d"(high), "c"(index) : "memory"); }
static u32 announced(void) {
  u32 a = 1, b, c, d;
  asm volatile("cpuid" : "+a"(a), "=b"(b), "=c"(c), "=d"(d));
  CHECK_EQ(b >> 24, get(ID) >> 24);
  return d >> 9 & 1;
}
static u32 family(void) {
  u32 a = 1, b, c, d;
  asm volatile("cpuid" : "+a"(a), "=b"(b), "=c"(c), "=d"(d));
  return a >> 8 & 15;
}

static void ipi(u32 destination, u32 low) {
  put_reg(ICR_HIGH, destination << 24);
  put_reg(ICR, low | ASSERT);
  while (get(ICR) & 0x1000) asm volatile("pause");
}

// --- what a BIOS leaves -------------------------------------------------------------------------------------

static volatile u32 pic_ticks;

static u32 on_pic_tick(struct frame *frame) {
  came(frame);
  pic_ticks++;
  outb(PIC1, 0x20);
  return 1;
}

static void masks(u8 master) {
  outb(PIC1 + 1, master);
  outb(PIC2 + 1, 0xff);
}
static void start_pit(u32 divisor) {
  outb(0x43, 0x34);
  outb(0x40, (u8)divisor);
  outb(0x40, (u8)(divisor >> 8));
}

static void virtual_wire(void) {
  CHECK_EQ(announced(), 1);
  CHECK_EQ(get(VERSION) & 0xf0, 0x10);
  CHECK(get(VERSION) >> 16 >= (family() == 5 ? 3 : family() == 6 ? 4 : 5));
  CHECK_EQ(get(ID), 0);
  CHECK(get(SVR) & 0x100);
  CHECK_EQ(get(LINT0) & (MASKED | 0x700), EXTINT_MODE);
  CHECK_EQ(get(LINT1) & (MASKED | 0x700), NMI_MODE);
  CHECK(get(LVT_TIMER) & MASKED);
  outb(PIC1, 0x11), outb(PIC2, 0x11);
  outb(PIC1 + 1, 0x20), outb(PIC2 + 1, 0x28);
  outb(PIC1 + 1, 4), outb(PIC2 + 1, 2);
  outb(PIC1 + 1, 1), outb(PIC2 + 1, 1);
  masks(0xfe);
  trap_hook[0x20] = on_pic_tick;
  start_pit(1193);
  while (pic_ticks < 3) sleep_once();
  // The task priority does not hold back what the 8259s send.
  put_reg(TPR, 0xff);
  while (pic_ticks < 5) sleep_once();
  put_reg(TPR, 0);
  // The mask of LINT0 does. The request stays.
  put_reg(LINT0, EXTINT_MODE | MASKED);
  outb(PIC1, 0x0a);
  while (!(inb(PIC1) & 1)) asm volatile("pause");
  u32 before = pic_ticks;
  open_window();
  CHECK_EQ(pic_ticks, before);
  put_reg(LINT0, EXTINT_MODE);
  open_window();
  CHECK_EQ(pic_ticks, before + 1);
  masks(0xff);
  put_reg(SVR, 0x100 | V_SPURIOUS);
  trap_hook[V_SPURIOUS] = on_spurious;
}

// --- self IPIs and priorities -------------------------------------------------------------------------------

/** Sends the higher one and the one above in the same class, with interrupts on: only the higher class gets in. */
static u32 on_low(struct frame *frame) {
  came(frame);
  CHECK_EQ(bit_of(ISR, V_LOW), 1);
  CHECK_EQ(get(PPR) & 0xf0, V_LOW & 0xf0);
  ipi(0, TO_SELF | (V_LOW + 1));
  ipi(0, TO_SELF | V_HIGH);
  open_window();
  CHECK_EQ(order[1], V_HIGH);
  CHECK_EQ(events, 2);
  CHECK_EQ(bit_of(IRR, V_LOW + 1), 1);
  eoi();
  return 1;
}

static void self_ipis(void) {
  for (u32 v = V_LOW; v <= V_HIGHER; v++) trap_hook[v] = on_vector;
  // Held back by IF; the highest first; twice is once.
  events = 0;
  ipi(0, TO_SELF | V_LOW);
  ipi(0, TO_SELF | V_HIGHER);
  ipi(0, TO_SELF | V_HIGH);
  ipi(0, TO_SELF | V_LOW);
  CHECK_EQ(bit_of(IRR, V_LOW), 1);
  CHECK_EQ(bit_of(TMR, V_LOW), 0);
  CHECK_EQ(events, 0);
  asm volatile("sti\n\tnop\n\tnop\n\tnop\n\tnop\n\tcli" : : : "memory");
  CHECK_EQ(events, 3);
  CHECK_EQ(order[0], V_HIGHER);
  CHECK_EQ(order[1], V_HIGH);
  CHECK_EQ(order[2], V_LOW);
  CHECK_EQ(bit_of(IRR, V_LOW) | bit_of(ISR, V_LOW), 0);
  CHECK_EQ(get(PPR), 0);
  // Task priority: the same class waits.
  events = 0;
  put_reg(TPR, V_LOW & 0xf0);
  CHECK_EQ(get(PPR), V_LOW & 0xf0);
  ipi(0, TO_SELF | V_LOW);
  open_window();
  CHECK_EQ(events, 0);
  ipi(0, TO_SELF | V_HIGH);
  open_window();
  CHECK_EQ(events, 1);
  put_reg(TPR, (V_LOW & 0xf0) - 0x10);
  open_window();
  CHECK_EQ(events, 2);
  CHECK_EQ(order[1], V_LOW);
  put_reg(TPR, 0);
  // In service.
  events = 0;
  trap_hook[V_LOW] = on_low;
  ipi(0, TO_SELF | V_LOW);
  open_window();
  open_window();
  CHECK_EQ(events, 3);
  CHECK_EQ(order[2], V_LOW + 1);
  trap_hook[V_LOW] = on_vector;
  // Destinations: physical, broadcast, flat, cluster, and nobody.
  events = 0;
  ipi(0, V_LOW), open_window();
  CHECK_EQ(events, 1);
  ipi(0xff, V_LOW), open_window();
  CHECK_EQ(events, 2);
  ipi(7, V_LOW), open_window();
  CHECK_EQ(events, 2);
  put_reg(DFR, 0xffffffff);
  put_reg(LDR, 0x02000000);
  ipi(0x06, LOGICAL | V_LOW), open_window();
  CHECK_EQ(events, 3);
  ipi(0x05, LOGICAL | V_LOW), open_window();
  CHECK_EQ(events, 3);
  put_reg(DFR, 0x0fffffff);
  put_reg(LDR, 0x32000000);
  ipi(0x36, LOGICAL | V_LOW), open_window();
  CHECK_EQ(events, 4);
  ipi(0x26, LOGICAL | V_LOW), open_window();
  ipi(0x35, LOGICAL | V_LOW), open_window();
  CHECK_EQ(events, 4);
  put_reg(DFR, 0xffffffff);
  put_reg(LDR, 0x01000000);
  // A waiting IPI wakes HLT.
  ipi(0, TO_SELF | V_LOW);
  sleep_once();
  CHECK_EQ(events, 5);
}

/** What went wrong since the last call: latched by a write, but not on a Pentium. */
static u32 error_status(void) {
  if (family() > 5) put_reg(ESR, 0);
  return get(ESR);
}

static void errors(void) {
  if (on_tcg) return;  // it reports illegal registers only
  (void)error_status();
  CHECK_EQ(error_status(), 0);
  trap_hook[V_ERROR] = on_vector;
  put_reg(LVT_ERROR, V_ERROR);
  events = 0;
  ipi(0, TO_SELF | 0x0f);
  open_window();
  CHECK_EQ(events, 1);
  CHECK_EQ(order[0], V_ERROR);
  CHECK_EQ(error_status(), 0x60);
  if (family() > 5) {
    (void)get(0x3f0);
    open_window();
    CHECK_EQ(events, 2);
    CHECK_EQ(error_status(), 0x80);
  }
  put_reg(LVT_ERROR, V_ERROR | MASKED);
  CHECK_EQ(error_status(), 0);
}

// --- the timer ------------------------------------------------------------------------------------------------

static void timer(void) {
  trap_hook[V_TIMER] = on_vector;
  put_reg(DIVIDE, 0xb);
  put_reg(LVT_TIMER, V_TIMER);
  events = 0;
  put_reg(INITIAL, 50000);
  u32 first = get(CURRENT);
  CHECK(first != 0 && first <= 50000);
  while (get(CURRENT) == first) asm volatile("pause");
  CHECK(get(CURRENT) < first);
  sleep_once();
  CHECK_EQ(events, 1);
  CHECK_EQ(get(CURRENT), 0);
  CHECK_EQ(get(INITIAL), 50000);
  // Periodic, with a divider, asleep and awake.
  put_reg(LVT_TIMER, V_TIMER | PERIODIC);
  if (!on_tcg) CHECK_EQ(get(CURRENT), 0);  // there a new mode sets it going
  put_reg(DIVIDE, 0x3);
  put_reg(INITIAL, 1000);
  for (u32 n = 2; n <= 5; n++) {
    sleep_once();
    CHECK_EQ(events, n);
  }
  asm volatile("sti" : : : "memory");
  while (events < 9) asm volatile("" : : : "memory");
  asm volatile("cli" : : : "memory");
  // Masked it runs on, unheard.
  put_reg(LVT_TIMER, V_TIMER | PERIODIC | MASKED);
  open_window();
  u32 before = events;
  u32 last = get(CURRENT), wraps = 0;
  while (wraps < 2) {
    u32 now = get(CURRENT);
    if (now > last) wraps++;
    last = now;
  }
  open_window();
  CHECK_EQ(events, before);
  put_reg(INITIAL, 0);
  CHECK_EQ(get(CURRENT), 0);
  // The slow way: by 128.
  put_reg(DIVIDE, 0xa);
  put_reg(LVT_TIMER, V_TIMER);
  put_reg(INITIAL, 100);
  sleep_once();
  CHECK_EQ(events, before + 1);
  put_reg(LVT_TIMER, V_TIMER | MASKED);
}

// --- the I/O APIC ---------------------------------------------------------------------------------------------

static volatile u32 uart_events, uart_quiet;

static u32 on_uart(struct frame *frame) {
  came(frame);
  uart_events++;
  CHECK_EQ(bit_of(TMR, V_UART), 1);
  CHECK_EQ(io_get(0x18) & REMOTE_IRR, REMOTE_IRR);
  if (uart_quiet) {
    (void)inb(COM1 + 2);
    outb(COM1 + 1, 0);
  } else {
    uart_quiet = 1;
  }
  eoi();
  return 1;
}

static void io_apic(void) {
  CHECK_EQ(io_get(1) >> 16 & 0xff, 23);
  for (u32 pin = 0; pin < 24; pin++) CHECK(io_get(0x10 + 2 * pin) & MASKED);
  io_put(0, 0x03000000);
  CHECK_EQ(io_get(0), 0x03000000);
  // The PIT's edges on input 2; its line goes to the masked 8259 as well.
  put_reg(LINT0, EXTINT_MODE | MASKED);
  trap_hook[V_TICK] = on_vector;
  start_pit(1193);
  route(2, V_TICK);
  events = 0;
  for (u32 n = 1; n <= 4; n++) {
    sleep_once();
    CHECK_EQ(events, n);
    CHECK_EQ(order[n - 1], V_TICK);
  }
  // An edge that comes while the entry is masked is lost.
  route(2, V_TICK | MASKED);
  open_window();
  u32 before = events;
  u8 high = 0, low = 0;
  for (u32 wraps = 0; wraps < 3;) {
    outb(0x43, 0x00);
    low = inb(0x40);
    u8 now = inb(0x40);
    if (now > high) wraps++;
    high = now;
  }
  (void)low;
  route(2, V_TICK);
  open_window();
  CHECK_EQ(events, before);
  sleep_once();
  CHECK_EQ(events, before + 1);
  // Lowest priority, logical.
  io_put(0x15, 0x01000000);
  io_put(0x14, 0x100 | LOGICAL | V_TICK);
  sleep_once();
  CHECK_EQ(events, before + 2);
  route(2, MASKED);
  // The UART, level triggered on input 4: once more as long as it asks.
  trap_hook[V_UART] = on_uart;
  outb(COM1 + 4, 0x0b);
  route(4, V_UART | LEVEL);
  outb(COM1 + 1, 2);
  open_window();
  open_window();
  CHECK_EQ(uart_events, 2);
  CHECK_EQ(io_get(0x18) & REMOTE_IRR, 0);
  // What asks while it is masked is heard when it is not.
  route(4, V_UART | LEVEL | MASKED);
  outb(COM1 + 1, 2);
  open_window();
  CHECK_EQ(uart_events, 2);
  route(4, V_UART | LEVEL);
  open_window();
  CHECK_EQ(uart_events, 3);
  route(4, MASKED);
  // The 8259s through input 0.
  if (!on_tcg) {
    route(0, EXTINT_MODE);
    masks(0xfe);
    before = pic_ticks;
    while (pic_ticks < before + 3) sleep_once();
    masks(0xff);
    route(0, MASKED);
  }
}

// --- NMI --------------------------------------------------------------------------------------------------------

static volatile u32 nmis, nmis_at_return;
static u32 nmi_eip, nmi_cs;

static u32 on_nmi(struct frame *frame) {
  came(frame);
  nmis++;
  nmi_eip = frame->eip;
  nmi_cs = frame->cs;
  return 1;
}

/** Sends another one, which must wait for the IRET. */
static u32 on_nmi_again(struct frame *frame) {
  came(frame);
  nmis++;
  trap_hook[2] = on_nmi;
  ipi(get(ID) >> 24, NMI_MODE);
  asm volatile("nop\n\tnop" : : : "memory");
  nmis_at_return = nmis;
  return 1;
}

extern const char nmi_loop[], nmi_loop_end[];
asm(".section .user, \"awx\"\nnmi_loop:\n\tmovl nmis, %ecx\n\taddl $2, %ecx\n1:\tincl %eax\n\tcmpl %ecx, nmis\n\tjb 1b\n\tint $0x81\nnmi_loop_end:\n\t.text\n");

static void nmi(void) {
  u32 self = get(ID) >> 24, label;
  trap_hook[2] = on_nmi;
  CHECK_EQ(get_eflags() & EFLAGS_IF, 0);
  ipi(self, NMI_MODE);
  CHECK_EQ(nmis, 1);
  // It comes before the instruction behind the one that sends it.
  put_reg(ICR_HIGH, self << 24);
  asm volatile("movl $1f, %0\n\tmovl %1, (%2)\n1:\tjmp 2f\n2:\tnop" : "=&r"(label) : "r"(NMI_MODE | ASSERT), "r"(lapic + ICR) : "memory");
  CHECK_EQ(nmis, 2);
  if (!on_tcg) CHECK_EQ(nmi_eip, label);  // it looks for interrupts at jumps
  // Blocked until IRET, then at once.
  trap_hook[2] = on_nmi_again;
  ipi(self, NMI_MODE);
  CHECK_EQ(nmis, 4);
  CHECK_EQ(nmis_at_return, 3);
  // A shorthand cannot carry it.
  if (!on_tcg) {
    ipi(self, TO_SELF | NMI_MODE);
    CHECK_EQ(nmis, 4);
  }
  // The PIT as NMI: wakes HLT whatever IF is, comes to ring 3.
  start_pit(1193);
  route(2, NMI_MODE);
  u32 before = nmis;
  asm volatile("movl $1f, %0\n\thlt\n1:\tnop" : "=r"(label) : : "memory");
  CHECK_EQ(nmis, before + 1);
  CHECK_EQ(nmi_eip, label);
  set_gate(0x81, 0xee);
  user(nmi_loop, 0, 0);
  CHECK_USER_TRAP(0x81, 0);
  CHECK_EQ(nmi_cs, USER_CS);
  CHECK(nmi_eip >= (u32)nmi_loop && nmi_eip < (u32)nmi_loop_end);
  route(2, MASKED);
  // LINT0 as NMI: the 8259s' INTR. The request is never served, so that there is one edge.
  put_reg(LINT0, NMI_MODE);
  masks(0xfe);
  before = nmis;
  while (nmis == before) asm volatile("pause");
  put_reg(LINT0, EXTINT_MODE | MASKED);
  masks(0xff);
  // Between MOV SS and the instruction behind it none gets in, nor between the halves of anything: fast ones into a
  // loop that writes tables.
  u32 forbidden[2], i = GDT_FREE + 4;
  before = nmis;
  start_pit(97);
  route(2, NMI_MODE);
  for (u32 n = 0; nmis < before + 12; n++) {
    asm volatile(
        "movl $2f, (%0)\n\tmovl $3f, 4(%0)\n\tmovl %1, %%ss\n2:\tincl (%2)\n\tlock btcl $3, 4(%2)\n\txchgl %3, (%4)\n\t"
        "pushl %1\n\tpopl %%ss\n3:\tnop"
        : : "r"(forbidden), "r"(KERNEL_DS), "r"(&gdt[i]), "r"(n), "r"(&idt[0x95]) : "memory", "cc");
    if (!on_tcg) CHECK(nmi_eip != forbidden[0] && nmi_eip != forbidden[1]);
  }
  for (u32 n = 0; n < 50; n++) fill32(&gdt[i], n, 2 * (GDT_ENTRIES - i));
  route(2, MASKED);
  CHECK_EQ((u32)gdt[GDT_ENTRIES - 1], 49);
  fill32(&gdt[i], 0, 2 * (GDT_ENTRIES - i));
  set_gate(0x95, 0x8e);
}

// --- the MSR ------------------------------------------------------------------------------------------------------

static void base_register(void) {
  u32 low, high;
  if (family() < 6) {
    CHECK_EQ(TRY("rdmsr", "c"(0x1b)), 1);
    CHECK_FAULT(13, 0);
    return;
  }
  rdmsr(0x1b, &low, &high);
  CHECK_EQ(low, LAPIC | 0x900);
  CHECK_EQ(high, 0);
  if (on_tcg) return;  // it can neither move nor come back
  CHECK_EQ(TRY("wrmsr", "c"(0x1b), "a"(LAPIC | 0xd00), "d"(0)), 1);
  CHECK_FAULT(13, 0);
  // Elsewhere it answers, here it does not.
  put_reg(TPR, 0x70);
  wrmsr(0x1b, 0xf0100900, 0);
  CHECK_EQ(get(TPR), 0xffffffff);
  lapic = 0xf0100000;
  CHECK_EQ(get(TPR), 0x70);
  put_reg(TPR, 0);
  events = 0;
  ipi(0, TO_SELF | V_LOW), open_window();
  CHECK_EQ(events, 1);
  lapic = LAPIC;
  wrmsr(0x1b, LAPIC | 0x900, 0);
  // Off: no feature, and the 8259s drive INTR themselves. On again: as after power-up.
  u32 identity = get(VERSION);
  wrmsr(0x1b, LAPIC | 0x100, 0);
  CHECK_EQ(get(VERSION), 0xffffffff);
  u32 a = 1, b, c, d;
  asm volatile("cpuid" : "+a"(a), "=b"(b), "=c"(c), "=d"(d));
  CHECK_EQ(d >> 9 & 1, 0);
  start_pit(1193);
  masks(0xfe);
  u32 before = pic_ticks;
  while (pic_ticks < before + 2) sleep_once();
  masks(0xff);
  wrmsr(0x1b, LAPIC | 0x900, 0);
  CHECK_EQ(announced(), 1);
  CHECK_EQ(get(VERSION), identity);
  CHECK_EQ(get(SVR), 0xff);
  CHECK_EQ(get(LINT0), MASKED);
  CHECK_EQ(get(LDR), 0);
  // Switched off by software, masks cannot be taken away.
  put_reg(LINT0, EXTINT_MODE);
  CHECK_EQ(get(LINT0), EXTINT_MODE | MASKED);
}

int main(void) {
  virtual_wire();
  self_ipis();
  errors();
  timer();
  io_apic();
  nmi();
  base_register();
  CHECK_EQ(spurious, 0);
  put("timer, IPIs, I/O APIC, NMI: yes\n");
  return 0;
}
