// disk: PCI configuration, base addresses that move, shadow RAM, an ATA disk by PIO and bus-master DMA, interrupts of the
// drive, DMA over running code, over a live page table and over the GDT; a CD-ROM drive by PIO.
//
// The disk and the disc are any file that begins with 7F 45 4C 46 and has 10 KiB; what is read back is compared with what
// another way of reading gave. Waiting is by alternate status or HLT; both take the same count of instructions everywhere.

#include "paging.h"

#define PIC1 0x20
#define PIC2 0xa0
#define EOI 0x20
#define BSY 0x80
#define DRQ 0x08
#define IDE 0x1f0
#define ALTERNATE 0x3f6
#define IDE_FUNCTION 0x0900  // device 1, function 1
#define MAGIC 0x464c457fu

static inline void outw(u16 port, u16 value) { asm volatile("outw %0, %1" : : "a"(value), "Nd"(port)); }
static inline void outl(u16 port, u32 value) { asm volatile("outl %0, %1" : : "a"(value), "Nd"(port)); }
static inline u16 inw(u16 port) {
  u16 value;
  asm volatile("inw %1, %0" : "=a"(value) : "Nd"(port));
  return value;
}
static inline u32 inl(u16 port) {
  u32 value;
  asm volatile("inl %1, %0" : "=a"(value) : "Nd"(port));
  return value;
}

static u32 directory[1024] PAGE_ALIGNED, tables[4][1024] PAGE_ALIGNED;
static u32 page_a[1024] PAGE_ALIGNED, page_b[1024] PAGE_ALIGNED, image[1024] PAGE_ALIGNED;
static u8 code_page[PAGE] PAGE_ALIGNED;
static u32 prd[4] __attribute__((aligned(16)));
static volatile u32 interrupts, status_at_interrupt;
static u32 spinning;

static u32 config_read(u32 function, u32 at) {
  outl(0xcf8, 0x80000000u | function | at);
  return inl(0xcfc);
}
static void config_write(u32 function, u32 at, u32 value) {
  outl(0xcf8, 0x80000000u | function | at);
  outl(0xcfc, value);
}

static u32 on_disk(struct frame *frame __attribute__((unused))) {
  interrupts++;
  status_at_interrupt = inb(IDE + 7);
  outb(PIC2, EOI);
  outb(PIC1, EOI);
  return 1;
}

static void start_pics(void) {
  outb(PIC1, 0x11), outb(PIC2, 0x11);
  outb(PIC1 + 1, 0x20), outb(PIC2 + 1, 0x28);
  outb(PIC1 + 1, 4), outb(PIC2 + 1, 2);
  outb(PIC1 + 1, 1), outb(PIC2 + 1, 1);
  outb(PIC1 + 1, 0xfb), outb(PIC2 + 1, 0xbf);
  trap_hook[0x2e] = on_disk;
}

static void wait_idle(void) {
  while (inb(ALTERNATE) & BSY) asm volatile("pause");
}

// Asleep, or running without a trap, so that a transfer comes in the midst of the guest, or in the shadow of MOV SS.
static void wait_interrupt(u32 wanted) {
  if (spinning == 1) {
    asm volatile("sti\n1:\tcmpl %0, %1\n\tjb 1b\n\tcli" : : "r"(wanted), "m"(interrupts) : "cc", "memory");
  } else if (spinning == 2) {
    asm volatile("movl %%ss, %%eax\n\tsti\n1:\tmovl %%eax, %%ss\n\tcmpl %0, %1\n\tjb 1b\n\tcli"
                 : : "r"(wanted), "m"(interrupts) : "eax", "cc", "memory");
  }
  while (interrupts < wanted) asm volatile("sti\n\thlt\n\tcli" : : : "memory");
}

static void command(u8 code, u32 lba, u8 count) {
  outb(IDE + 6, 0xe0 | (lba >> 24 & 15));
  outb(IDE + 2, count);
  outb(IDE + 3, (u8)lba), outb(IDE + 4, (u8)(lba >> 8)), outb(IDE + 5, (u8)(lba >> 16));
  outb(IDE + 7, code);
}

static void read_pio(u32 lba, void *to) {
  u32 before = interrupts;
  command(0x20, lba, 1);
  wait_interrupt(before + 1);
  CHECK_EQ(status_at_interrupt, 0x58);
  u16 *words = to;
  for (u32 i = 0; i < 256; i++) words[i] = inw(IDE);
  CHECK_EQ(inb(IDE + 7), 0x50);
}

static void write_pio(u32 lba, const void *from, u32 sectors) {
  const u32 *words = from;
  u32 before = interrupts;
  command(0x30, lba, (u8)sectors);
  for (u32 sector = 0; sector < sectors; sector++) {
    if (sector) wait_interrupt(before + sector);
    CHECK_EQ(inb(ALTERNATE) & (BSY | DRQ), DRQ);
    for (u32 i = 0; i < 128; i++) outl(IDE, words[sector * 128 + i]);
  }
  wait_interrupt(before + sectors);
}

static void dma(u16 master, u8 code, u32 lba, void *at, u32 sectors) {
  u32 before = interrupts, bytes = sectors * 512, part = bytes / 4 & ~1u;
  prd[0] = (u32)at, prd[1] = part;
  prd[2] = (u32)at + part, prd[3] = (bytes - part) | 0x80000000u;
  outl(master + 4, (u32)prd);
  outb(master + 2, 6);
  command(code, lba, (u8)sectors);
  outb(master, code == 0xc8 ? 9 : 1);
  wait_interrupt(before + 1);
  CHECK_EQ(status_at_interrupt, 0x50);
  CHECK_EQ(inb(master + 2) & 7, 4);
  outb(master, 0);
}

static void pci(void) {
  CHECK_EQ(config_read(0x0000, 0), 0x12378086);
  CHECK_EQ(config_read(0x0800, 0), 0x70008086);
  CHECK_EQ(config_read(IDE_FUNCTION, 0), 0x70108086);
  CHECK_EQ(config_read(0x0a00, 0), 0xffffffff);
  config_write(IDE_FUNCTION, 0x20, 0xffffffff);
  CHECK_EQ(config_read(IDE_FUNCTION, 0x20), 0xfffffff1);
  config_write(IDE_FUNCTION, 0x20, 0xc000);
  config_write(IDE_FUNCTION, 4, 5);
  CHECK_EQ(config_read(IDE_FUNCTION, 4) & 7, 5);
}

static void move_bar(void) {
  outl(0xc00c, 0x12345678);
  CHECK_EQ(inl(0xc00c), 0x12345678);
  config_write(IDE_FUNCTION, 0x20, 0xd000);
  CHECK_EQ(inl(0xc00c), 0xffffffff);
  CHECK_EQ(inl(0xd00c), 0x12345678);
  // Over the keyboard controller, which stays what it is; nothing else is at 6Ch.
  u8 status = inb(0x64);
  config_write(IDE_FUNCTION, 0x20, 0x60);
  CHECK_EQ(inb(0x64), status);
  CHECK_EQ(inl(0x6c), 0x12345678);
  config_write(IDE_FUNCTION, 4, 4);
  CHECK_EQ(inb(0x6c), 0xff);
  config_write(IDE_FUNCTION, 4, 5);
  config_write(IDE_FUNCTION, 0x20, 0xc000);
}

static void shadow_ram(void) {
  volatile u32 *at = (volatile u32 *)0xc8000;
  u32 pam = config_read(0, 0x58);
  CHECK_EQ(*at, 0xffffffff);
  *at = 1;
  CHECK_EQ(*at, 0xffffffff);
  config_write(0, 0x58, (pam & 0x00ffffff) | 0x23000000);  // C8000: RAM; CC000: read ROM, write RAM
  *at = 0x600df00d;
  at[0x1000] = 0x0badf00d;
  CHECK_EQ(*at, 0x600df00d);
  CHECK_EQ(at[0x1000], 0xffffffff);
  config_write(0, 0x58, (pam & 0x00ffffff) | 0x11000000);  // both: read-only RAM
  *at = 2;
  CHECK_EQ(*at, 0x600df00d);
  CHECK_EQ(at[0x1000], 0x0badf00d);
  config_write(0, 0x58, pam);
  CHECK_EQ(*at, 0xffffffff);
}

static void disk(void) {
  read_pio(0, page_a);
  CHECK_EQ(page_a[0], MAGIC);
  dma(0xc000, 0xc8, 0, page_b, 8);
  for (u32 i = 0; i < 128; i++) CHECK_EQ(page_b[i], page_a[i]);
  for (u32 i = 0; i < 1024; i++) page_a[i] = i * 0x01010101u;
  write_pio(1, page_a, 2);
  dma(0xc000, 0xca, 3, page_a + 256, 1);
  dma(0xc000, 0xc8, 1, page_b, 3);
  for (u32 i = 0; i < 384; i++) CHECK_EQ(page_b[i], page_a[i]);
  // Past the last sector.
  u32 before = interrupts;
  command(0x20, 0x0fffffff, 1);
  wait_idle();
  wait_interrupt(before + 1);
  CHECK_EQ(status_at_interrupt, 0x51);
  CHECK_EQ(inb(IDE + 1), 0x10);
}

// A bus master writes over code that has run, and the new code runs.
static void over_code(void) {
  u32 (*function)(void) = (u32(*)(void))code_page;
  code_page[0] = 0xb8, code_page[1] = 1, code_page[5] = 0xc3;  // movl $1, %eax; ret
  CHECK_EQ(function(), 1);
  for (u32 i = 0; i < 128; i++) image[i] = ((u32 *)code_page)[i];
  ((u8 *)image)[1] = 2;
  write_pio(1, image, 1);
  CHECK_EQ(function(), 1);
  dma(0xc000, 0xc8, 1, code_page, 1);
  CHECK_EQ(function(), 2);
}

// A bus master writes over a page table that is in use: page B's frame where page A was.
static void over_page_table(void) {
  u32 *live = tables[(u32)page_a >> 22];
  u32 index = TABLE_INDEX((u32)page_a);
  page_a[0] = 0xaaaa, page_b[0] = 0xbbbb;
  for (u32 i = 0; i < 1024; i++) image[i] = live[i] | ACCESSED | DIRTY;
  image[index] = (u32)page_b | P | RW | ACCESSED | DIRTY;
  write_pio(1, image, 8);
  CHECK_EQ(page_a[0], 0xaaaa);
  dma(0xc000, 0xc8, 1, live, 8);
  reload_cr3();
  CHECK_EQ(page_a[0], 0xbbbb);
  // Back, by the processor.
  set(&live[index], (u32)page_a | P | RW);
  reload_cr3();
  CHECK_EQ(page_a[0], 0xaaaa);
}

// A bus master writes the bytes of the GDT that are there: everything that watches it sees no change.
static void over_gdt(void) {
  struct {
    u16 limit;
    u32 base;
  } __attribute__((packed)) gdtr;
  asm volatile("sgdt %0" : "=m"(gdtr));
  u32 page = gdtr.base & ~4095u, sector = (gdtr.base & 4095u) / 512, at = page + sector * 512;
  for (u32 i = 0; i < 128; i++) image[i] = ((volatile u32 *)at)[i];
  write_pio(2, image, 1);
  dma(0xc000, 0xc8, 2, (void *)at, 1);
  for (u32 i = 0; i < 128; i++) CHECK_EQ(((volatile u32 *)at)[i], image[i]);
  u32 selector;
  asm volatile("movl %%ds, %0\n\tmovl %0, %%ds\n\tmovl %0, %%es" : "=r"(selector));
  CHECK(selector != 0);
}

static void packet(const u8 *bytes) {
  outb(0x176, 0xa0);
  outb(0x171, 0), outb(0x174, 0), outb(0x175, 8);
  outb(0x177, 0xa0);
  CHECK_EQ(inb(0x177) & (BSY | DRQ), DRQ);
  for (u32 i = 0; i < 12; i += 2) outw(0x170, (u16)(bytes[i] | bytes[i + 1] << 8));
  while (inb(0x376) & BSY) asm volatile("pause");
}

static void disc(void) {
  static const u8 test_unit_ready[12], read_sector[12] = {0x28, 0, 0, 0, 0, 0, 0, 0, 1};
  outb(0x376, 2);  // no interrupts
  packet(test_unit_ready);
  CHECK_EQ(inb(0x177), 0x51);  // it tells of its reset
  CHECK_EQ(inb(0x171) >> 4, 6);
  packet(test_unit_ready);
  CHECK_EQ(inb(0x177), 0x50);
  packet(read_sector);
  CHECK_EQ(inb(0x177), 0x58);
  CHECK_EQ(inb(0x174) | inb(0x175) << 8, 2048);
  for (u32 i = 0; i < 512; i++) page_b[i] = inl(0x170);
  CHECK_EQ(page_b[0], MAGIC);
  while (inb(0x376) & BSY) asm volatile("pause");
  CHECK_EQ(inb(0x177), 0x50);
}

int main(void) {
  start_pics();
  pci();
  move_bar();
  shadow_ram();
  disk();
  over_code();
  map_identity(directory, tables);
  set_cr3((u32)directory);
  set_cr0(get_cr0() | 0x80000000u);
  for (spinning = 0; spinning < 3; spinning++) {
    disk();
    over_code();
    over_page_table();
    over_gdt();
  }
  shadow_ram();
  disc();
  return 0;
}
