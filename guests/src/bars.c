// bars: every base address of every PCI function put over everything else: RAM that runs, RAM that is read, the ROM area,
// interrupt controllers, the top of the address space, the ports of the serial line and of configuration itself. Memory and
// fixed chips win on a PC; nothing may be lost, and whoever looks at such an address may see the device but no other memory.

#include "pc.h"

#define MEMORY_TARGETS LENGTH(memory_targets)
#define PORT_TARGETS LENGTH(port_targets)

static u32 data[3 * PAGE / 4] PAGE_ALIGNED;
static const u32 memory_targets[] = {0x100000, 0x101000, 0x0,        0x7000,     0x200000,   0xa0000,    0xb8000,
                                     0xc0000,  0xf0000,  0xe0000000, 0xfec00000, 0xfee00000, 0xfffc0000, 0xfffff000};
static const u32 port_targets[] = {0x0, 0x20, 0x40, 0x60, 0x70, 0xa0, 0xcf8, 0x1f0, 0x3f0, 0x3f8, 0xfff0};

static u32 sum(const void *from, u32 words) {
  const u32 *word = from;
  u32 total = 0;
  for (u32 i = 0; i < words; i++) total = (total << 1 | total >> 31) ^ word[i];
  return total;
}

static u32 code_sum;

// What a device over RAM could have stolen: code, data, and writes to either.
static void check_memory(u32 round) {
  CHECK_EQ(sum(image_start, 1024), code_sum);
  for (u32 i = 0; i < LENGTH(data); i += 64) data[i] = round + i;
  for (u32 i = 0; i < LENGTH(data); i += 64) CHECK_EQ(data[i], round + i);
  CHECK_EQ(inb(0x3f8 + 5) & 0x60, 0x60);  // the line's transmitter, not a window
}

// What is seen at the target decides nothing (RAM, a device, nothing), but looking and writing may not hurt.
static void touch_memory(u32 address) {
  if (address < ram_end) return;
  read32(address);
  write32(address, 0x5aa55aa5);
  read32(address + 4);
}

static u32 try_bar(u32 function, u32 at, u32 round) {
  const u32 before = config_read(function, at);
  config_write(function, at, 0xffffffff);
  const u32 sizes = config_read(function, at);
  config_write(function, at, before);
  if (sizes == 0) return 0;
  const u32 command = config_read(function, 4) & 0xffff;
  const u32 ports = at != 0x30 && (sizes & 1);
  const u32 targets = ports ? PORT_TARGETS : MEMORY_TARGETS;
  for (u32 i = 0; i < targets; i++) {
    config_write(function, 4, command & ~3u);
    config_write(function, at, ports ? port_targets[i] : memory_targets[i] | (at == 0x30));
    CHECK_EQ(config_read(function, at) & sizes & ~0x7ffu,
             (ports ? port_targets[i] : memory_targets[i]) & sizes & ~0x7ffu);
    config_write(function, 4, (command & ~4u) | 3);
    if (!ports) touch_memory(memory_targets[i] & sizes & ~15u);
    check_memory(round + i);
  }
  config_write(function, 4, command & ~3u);
  config_write(function, at, before);
  config_write(function, 4, command);
  return 1;
}

int main(void) {
  code_sum = sum(image_start, 1024);
  u32 functions = 0, bars = 0;
  for (u32 function = 0; function < 0x10000; function += 0x100) {
    if ((config_read(function, 0) & 0xffff) == 0xffff) continue;
    functions++;
    for (u32 at = 0x10; at < 0x28; at += 4) bars += try_bar(function, at, function + at);
    bars += try_bar(function, 0x30, function);
  }
  CHECK(functions >= 3);
  CHECK(bars >= 1);

  // All of them at once, in one heap over the kernel.
  for (u32 function = 0; function < 0x10000; function += 0x100) {
    if ((config_read(function, 0) & 0xffff) == 0xffff) continue;
    for (u32 at = 0x10; at < 0x28; at += 4) config_write(function, at, 0x100000);
    config_write(function, 4, 3);
  }
  check_memory(1);
  put("bars over everything\n");
  return 0;
}
