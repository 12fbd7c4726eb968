// fpu: the x87 as a kernel sees it. Availability (CR0.EM, TS, MP); an unmasked exception reported by #MF (CR0.NE = 1), and by
// FERR#, IRQ 13 and port F0h (CR0.NE = 0), where the processor waits at the next waiting instruction: served by IRQ 13 with
// IGNNE#, without, and by another interrupt while IRQ 13 is masked; state images; the transcendental instructions, whose
// results are printed as one checksum.
//
// Paging stays off. The compiler uses no x87 by itself.

#include "pc.h"

#define CR0_MP 0x02u
#define CR0_EM 0x04u
#define CR0_TS 0x08u
#define CR0_NE 0x20u
#define SW_ZE 0x04u
#define SW_ES 0x80u
#define CW_ZERO_DIVIDE 0x037bu  // the zero divide unmasked

extern char fpu_wait[], fpu_load[];

static volatile u32 errors, error_eip, error_status, ticks, tick_eip[3];
static u32 use_while_ignored;

static u32 status(void) {
  u16 value;
  asm volatile("fnstsw %0" : "=m"(value));
  return value;
}

static void load_control(u16 value) { asm volatile("fldcw %0" : : "m"(value)); }

static void set_bits(u32 bits) { set_cr0((get_cr0() & ~(CR0_MP | CR0_EM | CR0_TS | CR0_NE)) | bits); }

// Leaves an unmasked exception pending.
static void divide_by_zero(void) {
  asm volatile("fninit");
  load_control(CW_ZERO_DIVIDE);
  asm volatile("fld1; fldz; fdivrp");
}

// The first waiting instruction after that.
NOINLINE static void use_wait(void) { asm volatile(".globl fpu_wait; fpu_wait: fwait" : : : "memory"); }
NOINLINE static void use_load(void) { asm volatile(".globl fpu_load; fpu_load: fldpi" : : : "memory"); }
static u32 wait_instruction(u32 load) {
  if (load) {
    use_load();
    return (u32)fpu_load;
  }
  use_wait();
  return (u32)fpu_wait;
}

static void end_of_irq13(void) {
  outb(PIC2, PIC_EOI);
  outb(PIC1, PIC_EOI);
}

static u32 on_error(struct frame *frame) {
  errors++;
  error_eip = frame->eip;
  error_status = status();
  outb(0xf0, 0);
  if (use_while_ignored) {
    // IGNNE# lets these pass although the exception is still there.
    asm volatile("fld1; fstp %st(0)");
    CHECK_EQ(status() & (SW_ES | SW_ZE), SW_ES | SW_ZE);
  }
  asm volatile("fnclex");
  end_of_irq13();
  return 1;
}

// The third tick clears the exception.
static u32 on_tick(struct frame *frame) {
  tick_eip[ticks] = frame->eip;
  if (++ticks == 3) {
    asm volatile("fnclex");
    outb(PIC1 + 1, 0xff);
  }
  outb(PIC1, PIC_EOI);
  return 1;
}

static void start_pics(void) {
  program_pics(0xff, 0xff);
  trap_hook[0x20] = on_tick;
  trap_hook[0x2d] = on_error;
}

static void availability(void) {
  set_bits(CR0_NE | CR0_EM);
  CHECK(TRY("fninit"));
  CHECK_FAULT_HERE(7, 0);
  CHECK(!TRY("fwait"));
  set_bits(CR0_NE | CR0_TS);
  CHECK(TRY("fld1"));
  CHECK_FAULT_HERE(7, 0);
  CHECK(!TRY("fwait"));
  set_bits(CR0_NE | CR0_TS | CR0_MP);
  CHECK(TRY("fwait"));
  CHECK_FAULT_HERE(7, 0);
  asm volatile("clts");
  CHECK(!TRY("fwait; fninit"));
}

static void native(void) {
  set_bits(CR0_NE);
  divide_by_zero();
  CHECK_EQ(status() & (SW_ES | SW_ZE), SW_ES | SW_ZE);
  if (!on_tcg) {  // which reports at WAIT only
    CHECK(TRY("fld1"));
    CHECK_FAULT_HERE(16, 0);
  }
  CHECK(TRY("fwait"));
  CHECK_FAULT_HERE(16, 0);
  CHECK(!TRY("fnstcw %0; fnclex; fld1; fwait", "m"(error_status)));
  CHECK_EQ(errors, 0);
}

// Bare or monitored, the handler meets the instruction that waits, and it is executed after the handler.
static void compatible(void) {
  set_bits(0);
  outb(PIC2 + 1, (u8)~0x20), outb(PIC1 + 1, (u8)~0x04);
  for (u32 round = 0; round < 4; round++) {
    use_while_ignored = round & 1;
    if (round < 2) asm volatile("sti");
    divide_by_zero();
    CHECK_EQ(errors, round);
    if (round >= 2) asm volatile("sti");
    u32 waited = wait_instruction(round & 2);
    asm volatile("cli");
    CHECK_EQ(errors, round + 1);
    CHECK_EQ(error_eip, waited);
    CHECK_EQ(error_status & (SW_ES | SW_ZE), SW_ES | SW_ZE);
    CHECK_EQ(status() & SW_ES, 0);
  }
  outb(PIC1 + 1, 0xff), outb(PIC2 + 1, 0xff);
}

// IRQ 13 is masked: the processor waits from tick to tick.
static void waiting(void) {
  outb(0x43, 0x34), outb(0x40, 0), outb(0x40, 0x40);
  divide_by_zero();
  outb(PIC1 + 1, (u8)~0x01);
  asm volatile("sti");
  u32 waited = wait_instruction(1);
  asm volatile("cli");
  CHECK_EQ(ticks, 3);
  for (u32 i = 1; i < 3; i++) CHECK_EQ(tick_eip[i], waited);
  CHECK_EQ(errors, 4);
  outb(0xf0, 0);
}

static void images(void) {
  static u8 first[108], second[108];
  set_bits(CR0_NE);
  asm volatile("fninit; fld1; fldpi; fldl2e");
  asm volatile("fnsave %0; frstor %0; fnsave %1" : "=m"(first), "=m"(second));
  for (u32 i = 0; i < sizeof first; i++) {
    if (on_tcg && i >= 12 && i < 28) continue;  // FRSTOR forgets the pointers there
    CHECK_EQ(second[i], first[i]);
  }
  CHECK_EQ(*(u16 *)(first + 4), 5u << 11);
}

struct extended {
  u32 low, high;
  u16 exponent;
} __attribute__((packed));

static u32 sum = 1;
static void fold(const struct extended *x) {
  const u32 words[] = {x->low, x->high, x->exponent};
  for (u32 i = 0; i < LENGTH(words); i++) sum = (sum ^ words[i]) * 0x01000193u;
}

#define OF_ONE(instruction)                                                       \
  do {                                                                            \
    asm volatile("fldt %1; " instruction "; fstpt %0" : "=m"(result) : "m"(x)); \
    fold(&result);                                                                \
  } while (0)
#define OF_ONE_PUSH(instruction)                                                                          \
  do {                                                                                                    \
    asm volatile("fldt %2; " instruction "; fstpt %0; fstpt %1" : "=m"(result), "=m"(next) : "m"(x)); \
    fold(&result), fold(&next);                                                                           \
  } while (0)
#define OF_TWO(instruction)                                                                           \
  do {                                                                                                \
    asm volatile("fldt %1; fldt %2; " instruction "; fstpt %0" : "=m"(result) : "m"(y), "m"(x)); \
    fold(&result);                                                                                    \
  } while (0)

static void transcendentals(void) {
  u32 bits = 0x2545f491;
  asm volatile("fninit");
  for (u32 i = 0; i < 200; i++) {
    struct extended x, y, result, next;
    struct extended *both[] = {&x, &y};
    for (u32 n = 0; n < 2; n++) {
      bits = bits * 1664525u + 1013904223u;
      both[n]->low = bits;
      bits = bits * 1664525u + 1013904223u;
      both[n]->high = bits | 0x80000000u;
      both[n]->exponent = (u16)(0x3fff - 12 + (bits >> 8) % 10);
    }
    load_control((u16)(0x037f | (i & 3) << 10));
    OF_ONE("f2xm1");
    OF_TWO("fyl2xp1");
    OF_TWO("fyl2x");
    OF_TWO("fpatan");
    if (i & 4) x.exponent += 20;
    OF_ONE("fsin");
    OF_ONE("fcos");
    OF_ONE_PUSH("fsincos");
    OF_ONE_PUSH("fptan");
  }
  put("transcendentals ");
  put_hex(sum);
  put("\n");
}

int main(void) {
  start_pics();
  availability();
  native();
  if (!on_tcg) compatible(), waiting();
  images();
  transcendentals();
  return 0;
}
