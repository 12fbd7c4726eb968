// hpet: the event timer block at FED00000h: what it says of itself, a counter that runs and stands, legacy replacement with a
// periodic and a one-shot comparator in place of the 8254 and the RTC, whose own requests stay away meanwhile.
//
// Asleep between interrupts, so that each comes at an exact count; the 8259s deliver them.

#include "pc.h"

#define HPET 0xfed00000u
#define CONF 0x10
#define STATUS 0x20
#define COUNT 0xf0
#define TIMER(n) (0x100 + 0x20 * (n))
#define COMPARATOR 8
// Enabled, and of 32 bits where the block has 64.
#define INTERRUPT 0x104
#define PERIODIC 8
#define VAL_SET 0x40

static volatile u32 ticks, alarms, at_tick;

static u32 get(u32 at) { return *(volatile u32 *)(HPET + at); }
static void set(u32 at, u32 value) { *(volatile u32 *)(HPET + at) = value; }

static u32 on_timer(struct frame *frame __attribute__((unused))) {
  ticks++;
  at_tick = get(COUNT);
  outb(PIC1, PIC_EOI);
  return 1;
}

static u32 on_alarm(struct frame *frame __attribute__((unused))) {
  alarms++;
  outb(PIC2, PIC_EOI);
  outb(PIC1, PIC_EOI);
  return 1;
}

static void start_pics(void) {
  program_pics(0xfa, 0xfe);
  set_gate(0x20, 0x8e), set_gate(0x28, 0x8e);
  trap_hook[0x20] = on_timer, trap_hook[0x28] = on_alarm;
}

static void sleep_once(void) { asm volatile("sti\n\thlt\n\tcli" : : : "memory"); }

static void start_pit(u32 divisor) {
  outb(0x43, 0x34);
  outb(0x40, (u8)divisor), outb(0x40, (u8)(divisor >> 8));
}

int main(void) {
  u32 id = get(0), period = get(4);
  CHECK(id & 0x8000);
  CHECK_EQ(id >> 8 & 31, 2);
  CHECK(period > 0 && period <= 100000000);
  u32 per_ms = 1000000000u / (period / 1000);
  start_pics();

  set(CONF, 0);
  set(COUNT, 0xfffffff0);
  CHECK_EQ(get(COUNT), 0xfffffff0);
  set(CONF, 1);
  u32 before = get(COUNT);
  for (u32 i = 0; i < 1000; i++) asm volatile("pause");
  CHECK(get(COUNT) - before < 0x80000000);
  CHECK(get(COUNT) != before);
  set(CONF, 0);
  before = get(COUNT);
  for (u32 i = 0; i < 100; i++) asm volatile("pause");
  CHECK_EQ(get(COUNT), before);

  // A tick of 2 ms in place of the 8254's, which asks every millisecond and is not heard.
  start_pit(1193);
  sleep_once();
  CHECK_EQ(ticks, 1);
  set(COUNT, 0), set(COUNT + 4, 0);
  set(TIMER(0), INTERRUPT | PERIODIC | VAL_SET);
  set(TIMER(0) + COMPARATOR, 2 * per_ms);
  set(TIMER(0) + COMPARATOR, 2 * per_ms);
  set(CONF, 3);
  start_pics();  // forgets a request of the 8254 that came before
  ticks = 0;
  for (u32 turn = 1; turn <= 10; turn++) {
    sleep_once();
    CHECK_EQ(ticks, turn);
    if (at_tick < turn * 2 * per_ms) CHECK_EQ(at_tick, turn * 2 * per_ms);
    CHECK(at_tick < (turn * 2 + 1) * per_ms);
  }
  CHECK_EQ(alarms, 0);

  // One shot on the RTC's request, between two ticks.
  set(TIMER(1), INTERRUPT & ~4u);
  set(TIMER(1) + COMPARATOR, get(COUNT) + per_ms);
  set(TIMER(1), INTERRUPT);
  sleep_once();
  CHECK_EQ(alarms, 1);
  CHECK_EQ(ticks, 10);
  sleep_once();
  CHECK_EQ(alarms, 1);
  CHECK_EQ(ticks, 11);

  // Given back: the 8254 ticks again.
  set(CONF, 1);
  set(TIMER(0), 0);
  set(TIMER(1), 0);
  for (u32 turn = 0; turn < 5; turn++) {
    before = ticks;
    sleep_once();
    CHECK_EQ(ticks, before + 1);
  }
  set(CONF, 0);
  put("event timers: yes\n");
  return 0;
}
