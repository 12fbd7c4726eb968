// virtio: a virtio block device by its legacy interface in ports and its modern one in memory: capabilities, negotiation,
// split rings, indirect descriptors, event indexes, interrupts over PIRQ, requests that fail; its writes over running code,
// over a live page table and over the GDT; rings that a driver must not make.
//
// The disk is any file that begins with 7F 45 4C 46 and has 16 KiB. Waiting is by HLT or by a loop without a trap.

#include "paging.h"
#include "pc.h"

#define MAGIC 0x464c457fu
#define BLK 0x2000   // PCI device 4, function 0
#define PIIX3 0x0800 // device 1, function 0
#define PORTS 0xc000
#define MMIO 0xfe000000u
#define NEXT 1
#define WRITE 2
#define INDIRECT 4
#define SIZE 128

struct descriptor {
  u32 address, address_high, length;
  u16 flags, next;
};
// As the legacy interface lays rings out: the used ring begins at the next page.
static struct {
  struct descriptor table[SIZE];
  volatile u16 avail_flags, avail_index, avail[SIZE], used_event;
  volatile u16 used_flags __attribute__((aligned(4096)));
  volatile u16 used_index;
  volatile struct {
    u32 id, length;
  } used[SIZE];
  volatile u16 avail_event;
} ring PAGE_ALIGNED;

static struct descriptor indirect[8] __attribute__((aligned(16)));
static u32 directory[1024] PAGE_ALIGNED, tables[4][1024] PAGE_ALIGNED;
static u32 page_a[1024] PAGE_ALIGNED, page_b[1024] PAGE_ALIGNED, image[1024] PAGE_ALIGNED;
static u8 code_page[PAGE] PAGE_ALIGNED;
static struct {
  u32 type, reserved, sector, sector_high;
} header __attribute__((aligned(16)));
static volatile u8 status;
static volatile u32 interrupts, causes;
static u32 modern, spinning, use_indirect;
static u32 common, notify, isr, own;

static u32 on_interrupt(struct frame *frame __attribute__((unused))) {
  interrupts++;
  causes |= modern ? *(volatile u8 *)isr : inb(PORTS + 19);
  outb(PIC2, PIC_EOI);
  outb(PIC1, PIC_EOI);
  return 1;
}

static void start_pics(void) {
  program_pics(0xfb, 0xf7);
  outb(0x4d1, 0x08);  // IRQ 11 is a level
  trap_hook[0x2b] = on_interrupt;
  config_write(PIIX3, 0x60, 0x0b808080);  // PIRQD#, where INTA# of device 4 goes
}

static void wait_interrupt(u32 wanted) {
  if (spinning == 1) {
    asm volatile("sti\n1:\tcmpl %0, %1\n\tjb 1b\n\tcli" : : "r"(wanted), "m"(interrupts) : "cc", "memory");
  } else if (spinning == 2) {
    asm volatile("movl %%ss, %%eax\n\tsti\n1:\tmovl %%eax, %%ss\n\tcmpl %0, %1\n\tjb 1b\n\tcli"
                 : : "r"(wanted), "m"(interrupts) : "eax", "cc", "memory");
  }
  while (interrupts < wanted) asm volatile("sti\n\thlt\n\tcli" : : : "memory");
}

static inline volatile u8 *at8(u32 at) { return (volatile u8 *)at; }
static inline volatile u16 *at16(u32 at) { return (volatile u16 *)at; }
static inline volatile u32 *at32(u32 at) { return (volatile u32 *)at; }

static void set_status(u8 value) {
  if (modern) *at8(common + 20) = value;
  else outb(PORTS + 18, value);
}
static u8 get_status(void) { return modern ? *at8(common + 20) : inb(PORTS + 18); }
static void kick(void) {
  if (modern) *at16(notify) = 0;
  else outw(PORTS + 16, 0);
}

static void find(void) {
  CHECK_EQ(config_read(BLK, 0), 0x10011af4);
  CHECK_EQ(config_read(BLK, 0x2c), 0x00021af4);
  config_write(BLK, 0x10, PORTS);
  config_write(BLK, 4, 7);
  for (u32 at = config_read(BLK, 0x34) & 0xff; at; at = config_read(BLK, at + 1) & 0xff) {
    if ((config_read(BLK, at) & 0xff) != 9) continue;
    u32 bar = config_read(BLK, at + 4) & 0xff, place = MMIO + config_read(BLK, at + 8);
    if ((config_read(BLK, at + 3) & 0xff) < 5) config_write(BLK, 0x10 + 4 * bar, MMIO);
    switch (config_read(BLK, at + 3) & 0xff) {
      case 1: common = place; break;
      case 2: notify = place; break;
      case 3: isr = place; break;
      case 4: own = place; break;
    }
  }
  CHECK(common && notify && isr && own);
}

// Negotiates `features` of the low word and gives the device its one queue.
static void start(u32 features) {
  fill32(&ring, 0, sizeof ring / 4);
  set_status(0);
  CHECK_EQ(get_status(), 0);
  set_status(1);
  set_status(3);
  if (!modern) {
    CHECK_EQ(inl(PORTS) & features, features);
    outl(PORTS + 4, features);
    outw(PORTS + 14, 0);
    CHECK_EQ(inw(PORTS + 12), SIZE);
    outl(PORTS + 8, (u32)&ring / PAGE);
    CHECK_EQ(inl(PORTS + 8), (u32)&ring / PAGE);
    set_status(7);
    return;
  }
  *at32(common) = 1;
  CHECK_EQ(*at32(common + 4) & 1, 1);  // VERSION_1
  *at32(common + 8) = 0, *at32(common + 12) = features;
  *at32(common + 8) = 1, *at32(common + 12) = 1;
  set_status(11);
  CHECK_EQ(get_status(), 11);
  *at16(common + 22) = 0;
  CHECK_EQ(*at16(common + 24), SIZE);
  *at32(common + 32) = (u32)&ring;
  *at32(common + 40) = (u32)&ring.avail_flags;
  *at32(common + 48) = (u32)&ring.used_flags;
  *at16(common + 28) = 1;
  set_status(15);
}

static void describe(struct descriptor *table, u32 i, const volatile void *at, u32 length, u16 flags) {
  table[i].address = (u32)at, table[i].address_high = 0;
  table[i].length = length;
  table[i].flags = flags, table[i].next = (u16)(i + 1);
}

static void offer(u16 head) {
  ring.avail[ring.avail_index % SIZE] = head;
  ring.used_event = ring.avail_index;
  ring.avail_index++;
  kick();
}

// One request, its data in two pieces.
static u8 request(u32 type, u32 sector, void *data, u32 bytes) {
  struct descriptor *table = use_indirect ? indirect : ring.table;
  u32 before = interrupts;
  u16 data_flags = type ? NEXT : NEXT | WRITE;
  header.type = type, header.sector = sector, header.sector_high = 0;
  status = 0xee;
  describe(table, 0, &header, sizeof header, NEXT);
  describe(table, 1, data, bytes / 4, data_flags);
  describe(table, 2, (u8 *)data + bytes / 4, bytes - bytes / 4, data_flags);
  describe(table, 3, &status, 1, WRITE);
  if (use_indirect) describe(ring.table, 0, indirect, 64, INDIRECT);
  offer(0);
  wait_interrupt(before + 1);
  CHECK_EQ(ring.used_index, ring.avail_index);
  return status;
}

static void disk(void) {
  CHECK_EQ(request(0, 0, page_a, 4096), 0);
  CHECK_EQ(page_a[0], MAGIC);
  CHECK_EQ(ring.used[(u16)(ring.used_index - 1) % SIZE].length, 4097);
  for (u32 i = 0; i < 1024; i++) page_b[i] = i * 0x01010101u + spinning + modern;
  CHECK_EQ(request(1, 1, page_b, 1024), 0);
  CHECK_EQ(request(0, 0, image, 4096), 0);
  for (u32 i = 0; i < 1024; i++) CHECK_EQ(image[i], i >= 128 && i < 384 ? page_b[i - 128] : page_a[i]);
  CHECK_EQ(request(1, 1, page_a + 128, 1024), 0);
  u32 capacity = modern ? *at32(own) : inl(PORTS + 20);
  CHECK_EQ(request(0, capacity, page_b, 512), 1);
  CHECK_EQ(request(99, 0, page_b, 512), 2);
  CHECK_EQ(causes, 1);
}

// The device writes over code that has run, and the new code runs.
static void over_code(void) {
  u32 (*function)(void) = (u32(*)(void))code_page;
  code_page[0] = 0xb8, code_page[1] = 1, code_page[5] = 0xc3;  // movl $1, %eax; ret
  CHECK_EQ(function(), 1);
  for (u32 i = 0; i < 128; i++) image[i] = ((u32 *)code_page)[i];
  ((u8 *)image)[1] = 2;
  CHECK_EQ(request(1, 16, image, 512), 0);
  CHECK_EQ(function(), 1);
  CHECK_EQ(request(0, 16, code_page, 512), 0);
  CHECK_EQ(function(), 2);
}

// The device writes over a page table that is in use: page B's frame where page A was.
static void over_page_table(void) {
  u32 *live = tables[(u32)page_a >> 22];
  u32 index = TABLE_INDEX((u32)page_a);
  page_a[0] = 0xaaaa, page_b[0] = 0xbbbb;
  for (u32 i = 0; i < 1024; i++) image[i] = live[i] | ACCESSED | DIRTY;
  image[index] = (u32)page_b | P | RW | ACCESSED | DIRTY;
  CHECK_EQ(request(1, 16, image, 4096), 0);
  CHECK_EQ(page_a[0], 0xaaaa);
  CHECK_EQ(request(0, 16, live, 4096), 0);
  reload_cr3();
  CHECK_EQ(page_a[0], 0xbbbb);
  set(&live[index], (u32)page_a | P | RW);
  reload_cr3();
  CHECK_EQ(page_a[0], 0xaaaa);
}

// The device writes the bytes of the GDT that are there.
static void over_gdt(void) {
  struct {
    u16 limit;
    u32 base;
  } __attribute__((packed)) gdtr;
  asm volatile("sgdt %0" : "=m"(gdtr));
  u32 at = gdtr.base & ~511u;
  for (u32 i = 0; i < 128; i++) image[i] = ((volatile u32 *)at)[i];
  CHECK_EQ(request(1, 16, image, 512), 0);
  CHECK_EQ(request(0, 16, (void *)at, 512), 0);
  for (u32 i = 0; i < 128; i++) CHECK_EQ(((volatile u32 *)at)[i], image[i]);
  asm volatile("movl %%ds, %%eax\n\tmovl %%eax, %%ds\n\tmovl %%eax, %%es" : : : "eax");
}

static void must_reset(u32 before) {
  wait_interrupt(before + 1);
  CHECK_EQ(causes & 2, 2);  // the configuration changed: DEVICE_NEEDS_RESET
  CHECK_EQ(get_status() & 0x40, 0x40);
  CHECK_EQ(ring.used_index, 0);
  causes = 0;
}

static void broken_rings(void) {
  u32 features = 1u << 28 | 1u << 9;
  u32 before = interrupts;
  causes = 0;
  start(features);
  describe(ring.table, 0, page_a, 512, NEXT | WRITE);
  describe(ring.table, 1, page_a, 512, NEXT | WRITE);
  ring.table[1].next = 0;  // a loop
  offer(0);
  must_reset(before);
  before = interrupts;
  start(features);
  describe(indirect, 0, indirect, 16, INDIRECT);  // a table in a table
  describe(ring.table, 0, indirect, 16, INDIRECT);
  offer(0);
  must_reset(before);
  before = interrupts;
  start(features);
  ring.avail_index = 1000;  // more than the ring holds
  kick();
  must_reset(before);
  // Buffers where there is no memory: the device reads ones there and writes nothing. QEMU wants a reset.
  if (on_tcg) return;
  start(features);
  CHECK_EQ(request(0, 0, (void *)0xf0000000u, 4096), 0);
  CHECK_EQ(request(1, 16, (void *)0xf0000000u, 512), 0);
  CHECK_EQ(request(0, 16, page_b, 512), 0);
  for (u32 i = 0; i < 128; i++) CHECK_EQ(page_b[i], 0xffffffff);
}

static void session(void) {
  for (use_indirect = 0; use_indirect < 2; use_indirect++) {
    causes = 0;
    start(1u << 9 | (use_indirect ? 1u << 28 | 1u << 29 : 0));
    disk();
    over_code();
    if (get_cr0() >> 31) {
      over_page_table();
      over_gdt();
    }
  }
  use_indirect = 0;
  if (modern || !on_tcg) broken_rings();  // QEMU does not tell a legacy driver
}

int main(void) {
  start_pics();
  find();
  session();
  modern = 1;
  session();
  map_identity(directory, tables);
  // The device's window, one large page.
  set_cr4(get_cr4() | CR4_PSE);
  directory[MMIO >> 22] = (MMIO & 0xffc00000u) | P | RW | 0x80;
  set_cr3((u32)directory);
  set_cr0(get_cr0() | CR0_PG);
  for (spinning = 0; spinning < 3; spinning++) {
    for (modern = 0; modern < 2; modern++) session();
  }
  return 0;
}
