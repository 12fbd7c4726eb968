// hello: prints on the serial line, on port 0xE9 and on the VGA text screen, and reads CPUID and the time stamp.

#include "guest.h"

static void cpuid(u32 leaf, u32 out[4]) {
  asm volatile("cpuid" : "=a"(out[0]), "=b"(out[1]), "=c"(out[2]), "=d"(out[3]) : "a"(leaf), "c"(0));
}

int main(void) {
  put("Hello from a guest\n");
  note("only on 0xe9\n");

  volatile u16 *screen = (volatile u16 *)0xb8000;
  const char *text = "Hello from a guest";
  for (u32 i = 0; text[i]; i++) screen[i] = (u16)(0x0700 | (u8)text[i]);
  CHECK_EQ(screen[1], 0x0765);

  u32 leaf[4];
  char vendor[13] = {0};
  cpuid(0, leaf);
  CHECK(leaf[0] >= 1);
  *(u32 *)(vendor + 0) = leaf[1];
  *(u32 *)(vendor + 4) = leaf[3];
  *(u32 *)(vendor + 8) = leaf[2];
  put("CPU vendor ");
  put(vendor);
  put("\n");
  for (u32 i = 0; i < 12; i++) CHECK(vendor[i] >= ' ' && vendor[i] < 127);

  cpuid(1, leaf);
  CHECK((leaf[3] & 0x2018) == 0x2018);  // PSE, TSC, PGE
  CHECK((leaf[0] >> 8 & 15) >= 5);

  u32 early, late;
  asm volatile("rdtsc" : "=a"(early) : : "edx");
  for (u32 i = 0; i < 100; i++) asm volatile("");
  asm volatile("rdtsc" : "=a"(late) : : "edx");
  CHECK(late - early >= 100);
  return 0;
}
