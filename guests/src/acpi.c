// acpi: the tables that a BIOS leaves, followed from their signatures and summed up; what they say against the hardware: the PM
// timer, the SCI by its overflow, ACPI_ENABLE and ACPI_DISABLE, the registers moved by configuration space; and last soft off,
// which ends the run: PASS is printed before it.
//
// Nothing here depends on where the tables lie, so it runs on any PC with a PIIX4.

#include "pc.h"

#define SCI_VECTOR 0x29
#define PM_FUNCTION 0x0b00  // device 1, function 3

static volatile u32 scis, status_at_sci;
static u16 pm1_event, pm1_control, pm_timer;

static u8 sum(u32 at, u32 bytes) {
  u8 total = 0;
  while (bytes--) total += *(u8 *)at++;
  return total;
}

#define SIGNATURE(a, b, c, d) ((u32)(a) | (u32)(b) << 8 | (u32)(c) << 16 | (u32)(d) << 24)

static u32 find(u32 first, u32 second) {
  for (u32 at = 0xe0000; at < 0x100000; at += 16) {
    if (read32(at) == first && (second == 0 || read32(at + 4) == second)) return at;
  }
  return 0;
}

static u32 table_in(u32 root, u32 width, u32 signature) {
  for (u32 at = root + 36; at < root + read32(root + 4); at += width) {
    u32 table = read32(at);
    CHECK_EQ(sum(table, read32(table + 4)), 0);
    if (read32(table) == signature) return table;
  }
  return 0;
}

static u32 tables(void) {
  u32 rsdp = find(SIGNATURE('R', 'S', 'D', ' '), SIGNATURE('P', 'T', 'R', ' '));
  CHECK(rsdp != 0);
  CHECK_EQ(sum(rsdp, 20), 0);
  u32 rsdt = read32(rsdp + 16);
  CHECK_EQ(read32(rsdt), SIGNATURE('R', 'S', 'D', 'T'));
  CHECK_EQ(sum(rsdt, read32(rsdt + 4)), 0);
  u32 fadt = table_in(rsdt, 4, SIGNATURE('F', 'A', 'C', 'P'));
  CHECK(fadt != 0);
  if (*(u8 *)(rsdp + 15) >= 2) {
    CHECK_EQ(sum(rsdp, read32(rsdp + 20)), 0);
    u32 xsdt = read32(rsdp + 24);
    CHECK_EQ(sum(xsdt, read32(xsdt + 4)), 0);
    CHECK_EQ(table_in(xsdt, 8, SIGNATURE('F', 'A', 'C', 'P')), fadt);
  }
  u32 dsdt = read32(fadt + 40);
  CHECK_EQ(read32(dsdt), SIGNATURE('D', 'S', 'D', 'T'));
  CHECK_EQ(sum(dsdt, read32(dsdt + 4)), 0);
  // The global lock is in memory that takes writes.
  u32 facs = read32(fadt + 36);
  CHECK_EQ(read32(facs), SIGNATURE('F', 'A', 'C', 'S'));
  CHECK_EQ(facs & 63, 0);
  u32 lock = read32(facs + 16);
  write32(facs + 16, lock ^ 2);
  CHECK_EQ(read32(facs + 16), lock ^ 2);
  write32(facs + 16, lock);
  // An MP table, where there is one, is whole too.
  u32 mp = find(SIGNATURE('_', 'M', 'P', '_'), 0);
  if (mp != 0) {
    CHECK_EQ(sum(mp, 16), 0);
    u32 table = read32(mp + 4);
    CHECK_EQ(read32(table), SIGNATURE('P', 'C', 'M', 'P'));
    CHECK_EQ(sum(table, *(u16 *)(table + 4)), 0);
  }
  return fadt;
}

static u32 on_sci(struct frame *frame __attribute__((unused))) {
  scis++;
  status_at_sci = inw(pm1_event);
  outw(pm1_event, status_at_sci);
  outb(PIC2, PIC_EOI);
  outb(PIC1, PIC_EOI);
  return 1;
}

static void start_pics(void) {
  program_pics(0xfb, 0xfd);
  outb(0x4d1, inb(0x4d1) | 2);  // 9 is level-triggered
  set_gate(SCI_VECTOR, 0x8e);
  trap_hook[SCI_VECTOR] = on_sci;
}

static void timer(void) {
  u32 last = inl(pm_timer);
  CHECK_EQ(last >> 24, 0);
  for (u32 i = 0; i < 1000; i++) {
    u32 now = inl(pm_timer);
    CHECK(((now - last) & 0xffffff) < 0x800000);
    last = now;
  }
  // Read in halves, it is the same counter.
  u32 before = inl(pm_timer), low = inw(pm_timer), after = inl(pm_timer);
  CHECK(((low - before) & 0xffff) <= ((after - before) & 0xffff));
}

static void enable(u32 fadt, u32 wanted) {
  outb(*(u8 *)(fadt + 48), *(u8 *)(fadt + (wanted ? 52 : 53)));
  while ((inw(pm1_control) & 1) != wanted) asm volatile("pause");
}

// Bit 23 changes every 2.3 seconds: asleep meanwhile, nothing else is awake.
static void overflow(void) {
  outw(pm1_event, 0xffff);
  outw(pm1_event + 2, 1);
  CHECK_EQ(inw(pm1_event + 2), 1);
  for (u32 turn = 1; turn <= 3; turn++) {
    u32 before = inl(pm_timer) & 0x800000;
    while (scis < turn) asm volatile("sti\n\thlt\n\tcli" : : : "memory");
    CHECK_EQ(status_at_sci & 1, 1);
    CHECK_EQ(inw(pm1_event) & 1, 0);
    CHECK_EQ(inl(pm_timer) & 0x800000, before ^ 0x800000);
  }
  outw(pm1_event + 2, 0);
}

static void move(void) {
  u32 base = config_read(PM_FUNCTION, 0x40), misc = config_read(PM_FUNCTION, 0x80);
  CHECK_EQ(base & 0x3f, 1);
  u16 old = (u16)(base & 0xffc0), there = 0x4000, offset = pm_timer - old;
  config_write(PM_FUNCTION, 0x40, there | 1);
  u32 now = inl(there + offset);
  CHECK_EQ(now >> 24, 0);
  CHECK_EQ(inl(old + offset), 0xffffffff);
  config_write(PM_FUNCTION, 0x80, misc & ~1u);
  CHECK_EQ(inl(there + offset), 0xffffffff);
  config_write(PM_FUNCTION, 0x80, misc);
  config_write(PM_FUNCTION, 0x40, base);
  CHECK_EQ(inl(old + offset) >> 24, 0);
}

int main(void) {
  u32 fadt = tables();
  CHECK_EQ(*(u16 *)(fadt + 46), 9);
  pm1_event = (u16)read32(fadt + 56);
  pm1_control = (u16)read32(fadt + 64);
  pm_timer = (u16)read32(fadt + 76);
  CHECK_EQ(config_read(PM_FUNCTION, 0), 0x71138086);
  CHECK_EQ(config_read(PM_FUNCTION, 0x40) & 0xffc0, pm1_event);
  start_pics();
  enable(fadt, 1);
  timer();
  overflow();
  move();
  enable(fadt, 0);
  enable(fadt, 1);
  put("tables, timer, SCI: yes\nPASS acpi\n");
  // \_S5 of both PIIX4 boards there are is 0. The status bits do not matter.
  outw(pm1_control, 0x2001);
  for (;;) asm volatile("cli\n\thlt");
}
