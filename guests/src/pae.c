// pae: PAE paging. 4 KB and 2 MB pages, tables edited by halves and whole; reserved bits with exact error codes; PDPTEs as
// registers (what loads them, what does not, what is refused); A and D; the switch between both paging modes; address
// spaces that share tables; tables that map themselves; task switches; frames beyond 4 GB; the A20 gate.
//
// On a processor without PAE it checks that CR4.PAE does not exist, and passes. As in `paging`, what a translation gives
// between a change and its INVLPG is only ever "the old or the new", and nothing of it is kept.

#include "paging.h"

#define CR4_PAE 0x20u
#define CR0_CD 0x40000000u
#define MB 0x100000u
#define LARGE (2 * MB)

// Linear windows, 2 MB each (one directory entry), in the second gigabyte; A and B share 4 MB, as C and D do.
#define WINDOW_A 0x50000000u
#define WINDOW_B 0x50200000u
#define WINDOW_C 0x50400000u
#define WINDOW_D 0x50600000u
#define SECOND 0x40000000u
#define THIRD 0x80000000u
#define RECURSIVE 0xc0000000u

// One page that serves both modes: 32-bit entries from its start, PDPTs at its end (CR3 bits 11:5 tell them apart).
static u32 root[1024] PAGE_ALIGNED;
#define PDPT(i) (&root[1024 - 8 * ((i) + 1)])
static u64 directories[4][512] PAGE_ALIGNED, spare[2][512] PAGE_ALIGNED;
static u64 low_tables[8][512] PAGE_ALIGNED, a[512] PAGE_ALIGNED, b[512] PAGE_ALIGNED, c[512] PAGE_ALIGNED;
static u32 flat_tables[4][1024] PAGE_ALIGNED;

#define FRAME(i) (0x00900000u + (i) * PAGE)
#define SIGNATURE(i) (0xbadc0000u + (i))
#define ENTRY(table, linear) (&(table)[(linear) >> 12 & 511])
#define PDE(linear) (&directories[(linear) >> 30][(linear) >> 21 & 511])

/** Error code of a reserved bit: P is set in it. TCG leaves that out. */
#define RSVD(code) (on_tcg ? (code) & ~1u : (code))

/** Bits of a physical address: MAXPHYADDR of a P6, or what `phys=` on the command line says (40 on Bochs). */
static u32 width;

static void set64(u64 *entry, u32 high, u32 low) {
  volatile u32 *half = (volatile u32 *)entry;
  half[0] = 0;
  half[1] = high;
  half[0] = low;
}
static u32 low_of(u64 *entry) { return *(volatile u32 *)entry; }

static NOINLINE u32 sees_either(u32 address, u32 one, u32 other) {
  u32 result;
  asm volatile(
      "movl (%1), %%eax\n\t"
      "cmpl %2, %%eax\n\tsete %%cl\n\tcmpl %3, %%eax\n\tsete %%al\n\t"
      "orb %%cl, %%al\n\tmovzbl %%al, %%eax\n\tmovl $0, %%ecx\n\ttestl %%eax, %%eax"
      : "=&a"(result) : "D"(address), "S"(one), "d"(other) : "ecx", "memory", "cc");
  return result;
}

static u32 has_pae(void) {
  u32 eax = 1, ebx, ecx, edx;
  asm volatile("cpuid" : "+a"(eax), "=b"(ebx), "=c"(ecx), "=d"(edx));
  return edx >> 6 & 1;
}

/** PDPT number `which` with the four directories. */
static u32 *pdpt(u32 which, const void *d0, const void *d1, const void *d2, const void *d3) {
  const void *each[4] = {d0, d1, d2, d3};
  for (u32 i = 0; i < 4; i++) set64((u64 *)PDPT(which) + i, 0, each[i] ? (u32)each[i] | P : 0);
  return PDPT(which);
}

static void build(void) {
  for (u32 i = 0; i < 16; i++) {
    fill32((u8 *)FRAME(i), 0, 1024);
    write32(FRAME(i), SIGNATURE(i));
  }
  for (u32 i = 0; i < 4096; i++) {
    u32 address = i * PAGE, by_user = address >= (u32)user_start && address < (u32)user_end;
    set64(&low_tables[i >> 9][i & 511], 0, address | P | RW | (by_user ? US : 0));
  }
  for (u32 i = 0; i < 8; i++) set64(&directories[0][i], 0, (u32)low_tables[i] | P | RW | US);
  map_identity(root, flat_tables);
  pdpt(0, directories[0], directories[1], directories[2], directories[3]);
  set64(PDE(WINDOW_A), 0, (u32)a | P | RW | US);
  set64(PDE(WINDOW_B), 0, (u32)b | P | RW | US);
}

// --- switching on, between modes, off ----------------------------------------------------------------------

static void switch_on(void) {
  set_cr4(get_cr4() | CR4_PAE);
  set_cr3((u32)PDPT(0));
  CHECK_EQ(get_cr3(), PDPT(0));
  // A reserved bit in a PDPTE that is present: paging does not come on.
  if (!on_tcg) {
    PDPT(0)[4] |= 2;
    CHECK_EQ(TRY("movl %0, %%cr0", "r"(get_cr0() | CR0_PG | CR0_WP)), 1);
    CHECK_FAULT_HERE(13, 0);
    CHECK_EQ(get_cr0() & (CR0_PG | CR0_WP), 0);
    PDPT(0)[4] &= ~2u;
  }
  set_cr0(get_cr0() | CR0_PG | CR0_WP);
  set64(ENTRY(a, WINDOW_A), 0, FRAME(1) | P | RW);
  CHECK_EQ(read32(WINDOW_A), SIGNATURE(1));
}

static void modes(void) {
  // The same CR3 serves both: in 32-bit paging its bits 11:5 are not looked at.
  u32 linear = 4 * MB * 4, cr4 = get_cr4();
  set64(PDE(linear), 0, (u32)a | P | RW | US);
  set64(ENTRY(a, linear), 0, FRAME(2) | P | RW);
  fill32((void *)FRAME(15), 0, 1024);
  write32(FRAME(15), FRAME(3) | P | RW);
  set(&root[4], FRAME(15) | P | RW | US);
  CHECK_EQ(read32(linear), SIGNATURE(2));
  for (u32 i = 0; i < 3; i++) {
    set_cr4(cr4 & ~CR4_PAE);
    CHECK_EQ(read32(linear), SIGNATURE(3));
    write32(FRAME(15), FRAME(4 + i) | P | RW);
    invlpg(linear);
    CHECK_EQ(read32(linear), SIGNATURE(4 + i));
    if (!on_tcg) {
      // Back into PAE is refused while a PDPTE is bad, and nothing has changed then.
      PDPT(0)[7] = 1u << (width - 32);
      CHECK_EQ(TRY("movl %0, %%cr4", "r"(cr4)), 1);
      CHECK_FAULT_HERE(13, 0);
      CHECK_EQ(get_cr4(), cr4 & ~CR4_PAE);
      CHECK_EQ(read32(linear), SIGNATURE(4 + i));
      PDPT(0)[7] = 0;
    }
    set_cr4(cr4);
    CHECK_EQ(read32(linear), SIGNATURE(2));
    write32(FRAME(15), FRAME(3) | P | RW);
  }
  // Paging off: the tables are memory; what was edited meanwhile holds when it is on again.
  u32 cr0 = get_cr0();
  set_cr0(cr0 & ~CR0_PG);
  set64(ENTRY(a, linear), 0, FRAME(7) | P | RW);
  CHECK_EQ(read32(FRAME(7)), SIGNATURE(7));
  set_cr4(cr4 & ~CR4_PAE);
  set_cr0(cr0);
  CHECK_EQ(read32(linear), SIGNATURE(3));
  set_cr0(cr0 & ~CR0_PG);
  set_cr4(cr4);
  set_cr0(cr0);
  CHECK_EQ(read32(linear), SIGNATURE(7));
  set64(PDE(linear), 0, 0);
  set(&root[4], 0);
  set64(ENTRY(a, linear), 0, 0);
  write32(FRAME(15), SIGNATURE(15));
  reload_cr3();
}

// --- edits -----------------------------------------------------------------------------------------------

/** What a page of window `w` shows must be frame i. */
static void shows(u32 linear, u32 i) {
  invlpg(linear);
  CHECK_EQ(read32(linear), SIGNATURE(i));
}

static void edits(void) {
  for (u32 i = 0; i < 12; i++) {
    u32 linear = WINDOW_A + (3 + 41 * i) * PAGE, to = FRAME(i) | P | RW, then = FRAME(i + 1) | P | RW | US;
    u64 *entry = ENTRY(a, linear);
    CHECK_EQ(TRY("movl (%0), %%eax", "r"(linear)), 1);
    CHECK_PAGE_FAULT(0, linear);
    // Absent to present: by the low half alone.
    set((u32 *)entry, to);
    CHECK_EQ(read32(linear), SIGNATURE(i));
    // To another frame and back, in ways that write a half, both, parts of both.
    if (i % 3 == 0) {
      asm volatile("movl (%0), %%eax\n\tmovl 4(%0), %%edx\n\tlock cmpxchg8b (%0)"
                   : : "S"(entry), "b"(then), "c"(0) : "eax", "edx", "memory", "cc");
    } else if (i % 3 == 1) {
      u64 both = then;
      const u64 *from = &both;
      u64 *at = entry;
      asm volatile("movsl\n\tmovsl" : "+S"(from), "+D"(at) : : "memory");
    } else {
      asm volatile("xchgl %0, (%1)" : "+r"(then) : "r"(entry) : "memory");
      write32((u32)entry + 2, (FRAME(i + 1) >> 16));
    }
    CHECK(sees_either(linear, SIGNATURE(i), SIGNATURE(i + 1)));
    shows(linear, i + 1);
    // The high half alone: a reserved bit, and away again.
    asm volatile("btsl %1, (%0)" : : "r"(entry), "r"(62) : "memory", "cc");
    invlpg(linear);
    CHECK_EQ(TRY("movl (%0), %%eax", "r"(linear)), 1);
    CHECK_PAGE_FAULT(RSVD(9), linear);
    CHECK_EQ(TRY("movl %0, (%0)", "r"(linear)), 1);
    CHECK_PAGE_FAULT(RSVD(0xb), linear);
    set((u32 *)entry + 1, 0);
    CHECK_EQ(read32(linear), SIGNATURE(i + 1));
    // Gone, by REP STOSD over its neighbours too.
    fill32(entry - 1, 0, 6);
    invlpg(linear);
    CHECK_EQ(TRY("movl (%0), %%eax", "r"(linear)), 1);
    CHECK_PAGE_FAULT(0, linear);
  }
  // One dword over the end of one entry and the start of the next, and over two tables that lie side by side.
  u32 low = WINDOW_A + 100 * PAGE;
  set64(&a[100], 0, FRAME(1) | P | RW);
  set64(&a[101], 0, FRAME(2) | RW);
  CHECK_EQ(read32(low), SIGNATURE(1));
  write32((u32)&a[100] + 6, ((FRAME(2) & 0xffff) | P | RW) << 16);
  CHECK_EQ(read32(low + PAGE), SIGNATURE(2));
  CHECK_EQ(read32(low), SIGNATURE(1));
  set64(&a[511], 0, FRAME(3) | P | RW);
  set64(&b[0], 0, FRAME(4) | P | RW);
  CHECK_EQ(read32(WINDOW_A + 511 * PAGE), SIGNATURE(3));
  CHECK_EQ(read32(WINDOW_B), SIGNATURE(4));
  write32(WINDOW_B - 2, 0x89abcdef);
  CHECK_EQ(*(u16 *)(FRAME(3) + 0xffe), 0xcdef);
  CHECK_EQ(*(u16 *)FRAME(4), 0x89ab);
  write32(FRAME(4), SIGNATURE(4));
  fill32(a, 0, 1024);
  fill32(b, 0, 1024);
  reload_cr3();
}

// --- rights, accessed, dirty, reserved ------------------------------------------------------------------------

static void rights(void) {
  u32 linear = WINDOW_A + 70 * PAGE + 0x14;
  for (u32 wp = 0; wp < 2; wp++) {
    set_cr0(wp ? get_cr0() | CR0_WP : get_cr0() & ~CR0_WP);
    for (u32 upper = 0; upper < 8; upper++) {
      for (u32 lower = 0; lower < 8; lower++) {
        set64(PDE(linear), 0, (u32)a | upper);
        set64(ENTRY(a, linear), 0, FRAME(9) | lower);
        reload_cr3();
        u32 both = upper & lower;
        for (u32 access = 0; access < 4; access++) {
          u32 by_user = access >> 1, write = access & 1;
          u32 faults = !(both & P) || (by_user && !(both & US)) || (write && !(both & RW) && (by_user || wp));
          if (by_user) {
            user(write ? user_write : user_read, linear, 0x77);
            CHECK_EQ(trap.vector, faults ? 14 : 0x80);
          } else if (write) {
            CHECK_EQ(TRY("movl $0x77, (%0)", "r"(linear)), faults);
          } else {
            CHECK_EQ(TRY("movl (%0), %%eax", "r"(linear)), faults);
          }
          if (!faults) continue;
          CHECK_EQ(trap.vector, 14);
          CHECK_EQ(trap.error, (both & P) | write << 1 | by_user << 2);
          CHECK_EQ(trap.cr2, linear);
        }
      }
    }
  }
  set64(PDE(linear), 0, (u32)a | P | RW | US);
  set64(ENTRY(a, linear), 0, 0);
  reload_cr3();
}

static void accessed_and_dirty(void) {
  u32 linear = WINDOW_B + 9 * PAGE;
  u64 *pde = PDE(linear), *pte = ENTRY(b, linear);
  set64(pde, 0, (u32)b | P | RW | US);
  set64(pte, 0, FRAME(10) | P | RW);
  reload_cr3();
  CHECK_EQ(read32(linear), SIGNATURE(10));
  CHECK_EQ(low_of(pde) & 0x60, ACCESSED);
  CHECK_EQ(low_of(pte) & 0x60, ACCESSED);
  write32(linear + 8, 1);
  CHECK_EQ(low_of(pte) & 0x60, ACCESSED | DIRTY);
  for (u32 i = 0; i < 2; i++) {
    // Cleared with the flush that makes it visible; set again by what comes next.
    asm volatile("andl $~0x60, (%0)\n\tinvlpg (%1)" : : "r"(pte), "r"(linear) : "memory", "cc");
    asm volatile("andl $~0x60, (%0)\n\tinvlpg (%1)" : : "r"(pde), "r"(linear) : "memory", "cc");
    CHECK_EQ((low_of(pde) | low_of(pte)) & 0x60, 0);
    if (i) write32(linear + 8, 2);
    else CHECK_EQ(read32(linear), SIGNATURE(10));
    CHECK_EQ(low_of(pde) & 0x60, ACCESSED);
    CHECK_EQ(low_of(pte) & 0x60, i ? ACCESSED | DIRTY : ACCESSED);
  }
  // A fault sets nothing; the PDPTEs are never written.
  set64(pte, 0, FRAME(10) | P);
  invlpg(linear);
  CHECK_EQ(TRY("movl $0, (%0)", "r"(linear)), 1);
  CHECK_PAGE_FAULT(3, linear);
  CHECK_EQ(low_of(pte) & DIRTY, 0);
  if (!on_tcg) CHECK_EQ(PDPT(0)[2], (u32)directories[1] | P);
  set64(pte, 0, 0);
  invlpg(linear);
}

static void reserved(void) {
  u32 linear = WINDOW_A + 33 * PAGE;
  u64 *pde = PDE(linear), *pte = ENTRY(a, linear);
  for (u32 bit = width - 32; bit < 32; bit += bit < 8 ? 1 : 3) {
    set64(pte, 1u << bit, FRAME(1) | P | US);
    reload_cr3();
    // Reserved comes before rights, and says so with P set; what the access was is told too.
    CHECK_EQ(TRY("movl (%0), %%eax", "r"(linear)), 1);
    CHECK_PAGE_FAULT(RSVD(9), linear);
    CHECK_EQ(TRY("movl %0, (%0)", "r"(linear)), 1);
    CHECK_PAGE_FAULT(RSVD(0xb), linear);
    user(user_write, linear, 1);
    CHECK_USER_TRAP(14, RSVD(0xf));
    CHECK_EQ(low_of(pte) & 0x60, 0);
    // In an entry that is not present nothing is reserved.
    set64(pte, 1u << bit, FRAME(1) | US);
    CHECK_EQ(TRY("movl (%0), %%eax", "r"(linear)), 1);
    CHECK_PAGE_FAULT(0, linear);
    set64(pte, 0, FRAME(1) | P | RW);
    set64(pde, 1u << bit, (u32)a | P | RW | US);
    reload_cr3();
    CHECK_EQ(TRY("movl (%0), %%eax", "r"(linear)), 1);
    CHECK_PAGE_FAULT(RSVD(9), linear);
    set64(pde, 0, (u32)a | P | RW | US);
    CHECK_EQ(read32(linear), SIGNATURE(1));
  }
  for (u32 bit = 13; bit <= 20; bit++) {
    set64(pde, 0, 0x00800000u | 1u << bit | P | RW | PS);
    reload_cr3();
    CHECK_EQ(TRY("movl (%0), %%eax", "r"(WINDOW_A)), 1);
    CHECK_PAGE_FAULT(RSVD(9), WINDOW_A);
  }
  set64(pde, 0, (u32)a | P | RW | US);
  set64(pte, 0, 0);
  reload_cr3();
}

// --- 2 MB pages ----------------------------------------------------------------------------------------------

static void large_pages(void) {
  u64 *pde = PDE(WINDOW_C);
  u32 memory = 0x00a00000, other = 0x00800000;
  write32(memory + 0x123458, 0xfeed0001);
  set64(pde, 0, memory | P | RW | PS);
  CHECK_EQ(read32(WINDOW_C + 0x123458), 0xfeed0001);
  CHECK_EQ(low_of(pde) & 0x60, ACCESSED);
  write32(WINDOW_C + 0x1ffffc, 0xfeed0002);
  CHECK_EQ(low_of(pde) & 0x60, ACCESSED | DIRTY);
  CHECK_EQ(read32(memory + 0x1ffffc), 0xfeed0002);
  // D cleared with a flush: it comes back with the next write, wherever that is in the page.
  asm volatile("andl $~0x40, (%0)\n\tinvlpg (%1)" : : "r"(pde), "r"(WINDOW_C + 0x5000) : "memory", "cc");
  CHECK_EQ(read32(WINDOW_C + 0x123458), 0xfeed0001);
  CHECK_EQ(low_of(pde) & 0x60, ACCESSED);
  write32(WINDOW_C + 0x1ffff8, 0xfeed0003);
  CHECK_EQ(low_of(pde) & 0x60, ACCESSED | DIRTY);
  user(user_read, WINDOW_C, 0);
  CHECK_USER_TRAP(14, 5);
  // The other half of those 4 MB: nothing, then a table, then another large page; each change spares this half.
  CHECK_EQ(TRY("movl (%0), %%eax", "r"(WINDOW_D)), 1);
  CHECK_PAGE_FAULT(0, WINDOW_D);
  set64(ENTRY(c, WINDOW_D + 5 * PAGE), 0, FRAME(5) | P | RW);
  set64(PDE(WINDOW_D), 0, (u32)c | P | RW);
  CHECK_EQ(read32(WINDOW_D + 5 * PAGE), SIGNATURE(5));
  CHECK_EQ(read32(WINDOW_C + 0x123458), 0xfeed0001);
  set64(ENTRY(c, WINDOW_D + 5 * PAGE), 0, FRAME(7) | P | RW);
  shows(WINDOW_D + 5 * PAGE, 7);
  set64(PDE(WINDOW_D), 0, other | P | RW | PS);
  reload_cr3();
  CHECK_EQ(read32(WINDOW_D + (FRAME(6) - other)), SIGNATURE(6));
  CHECK_EQ(read32(WINDOW_C + 0x1ffff8), 0xfeed0003);
  // One INVLPG serves the whole page, and no more than that is needed.
  set64(pde, 0, other | P | RW | PS);
  CHECK(sees_either(WINDOW_C + (FRAME(6) - other), SIGNATURE(6), read32(memory + (FRAME(6) - other))));
  invlpg(WINDOW_C + 0x77000);
  for (u32 i = 0; i < 16; i++) CHECK_EQ(read32(WINDOW_C + (FRAME(i) - other)), SIGNATURE(i));
  // Read-only, for ring 3.
  set64(pde, 0, other | P | US | PS);
  invlpg(WINDOW_C);
  user(user_read, WINDOW_C + (FRAME(3) - other), 0);
  CHECK_USER_TRAP(0x80, 0);
  CHECK_EQ(trap.ecx, SIGNATURE(3));
  CHECK_EQ(TRY("movl $0, (%0)", "r"(WINDOW_C + 0x100004)), 1);
  CHECK_PAGE_FAULT(3, WINDOW_C + 0x100004);
  user(user_write, WINDOW_C + 8, 0);
  CHECK_USER_TRAP(14, 7);
  // Tables seen and edited through a large page over the image.
  set64(pde, 0, 0 | P | RW | PS);
  reload_cr3();
  u32 entry = WINDOW_C + (u32)&a[470], linear = WINDOW_A + 470 * PAGE;
  write32(entry, FRAME(1) | P | RW);
  CHECK_EQ(read32(linear), SIGNATURE(1));
  asm volatile("btcl $0, (%0)" : : "r"(entry) : "memory", "cc");
  invlpg(linear);
  CHECK_EQ(TRY("movl (%0), %%eax", "r"(linear)), 1);
  CHECK_PAGE_FAULT(0, linear);
  write32(entry, 0);
  // CR4.PSE does not matter.
  set_cr4(get_cr4() | CR4_PSE);
  CHECK_EQ(read32(WINDOW_D + (FRAME(6) - other)), SIGNATURE(6));
  set_cr4(get_cr4() & ~CR4_PSE);
  CHECK_EQ(read32(WINDOW_D + (FRAME(6) - other)), SIGNATURE(6));
  // Global: over a CR3 load the old or the new; gone with INVLPG.
  set_cr4(get_cr4() | CR4_PGE);
  set64(pde, 0, other | P | RW | PS | GLOBAL);
  reload_cr3();
  invlpg(WINDOW_C);
  CHECK_EQ(read32(WINDOW_C + (FRAME(2) - other)), SIGNATURE(2));
  set64(pde, 0, memory | P | RW | PS | GLOBAL);
  reload_cr3();
  CHECK(sees_either(WINDOW_C + 0x123458, 0xfeed0001, read32(other + 0x123458)));
  invlpg(WINDOW_C + 0x123458);
  CHECK_EQ(read32(WINDOW_C + 0x1ffffc), 0xfeed0002);
  set_cr4(get_cr4() & ~CR4_PGE);
  set64(pde, 0, 0);
  set64(PDE(WINDOW_D), 0, 0);
  fill32(c, 0, 1024);
  reload_cr3();
}

// --- PDPTEs ----------------------------------------------------------------------------------------------------

static void pdptes(void) {
  u32 linear = WINDOW_A + 20 * PAGE, *pdpte = PDPT(0) + 2;
  u32 here = (u32)directories[1] | P, there = (u32)spare[0] | P;
  set64(ENTRY(a, linear), 0, FRAME(1) | P | RW);
  set64(ENTRY(b, linear), 0, FRAME(2) | P | RW);
  copy(spare[0], directories[1], PAGE);
  set64(&spare[0][WINDOW_A >> 21 & 511], 0, (u32)b | P | RW);
  reload_cr3();
  if (!on_tcg) {
    // A PDPTE is a register: the table in memory may change without effect, INVLPG or not.
    set(pdpte, there);
    CHECK_EQ(read32(linear), SIGNATURE(1));
    invlpg(linear);
    CHECK_EQ(read32(linear), SIGNATURE(1));
    set(pdpte, 0);
    invlpg(linear);
    CHECK_EQ(read32(linear), SIGNATURE(1));
    // What does not load them: CR0.WP and TS, CR4.TSD (on Bochs every write of CR0 and CR4 does).
    asm volatile("clts");
    if (width == 36) {
      set_cr0(get_cr0() & ~CR0_WP);
      set_cr0(get_cr0() | CR0_WP);
      set_cr4(get_cr4() ^ CR4_TSD);
      set_cr4(get_cr4() ^ CR4_TSD);
    }
    invlpg(linear);
    CHECK_EQ(read32(linear), SIGNATURE(1));
  }
  // What does: CR3; CR0.CD (which flushes nothing, so INVLPG); CR4.PGE; CR0.PG.
  for (u32 way = 0; way < 4; way++) {
    for (u32 to = 0; to < 3; to++) {
      set(pdpte, to == 0 ? there : to == 1 ? 0 : here);
      if (way == 0) reload_cr3();
      if (way == 1) set_cr0(get_cr0() ^ CR0_CD);
      if (way == 2) set_cr4(get_cr4() ^ CR4_PGE);
      if (way == 3) asm volatile("movl %0, %%cr0\n\tjmp 1f\n1:\tmovl %1, %%cr0" : : "r"(get_cr0() & ~CR0_PG), "r"(get_cr0()) : "memory");
      invlpg(linear);
      if (to == 1) {
        CHECK_EQ(TRY("movl %0, (%0)", "r"(linear)), 1);
        CHECK_PAGE_FAULT(2, linear);
        user(user_read, linear, 0);
        CHECK_USER_TRAP(14, 4);
      } else {
        CHECK_EQ(read32(linear), SIGNATURE(to == 0 ? 2 : 1));
      }
    }
  }
  set_cr0(get_cr0() & ~CR0_CD);
  set_cr4(get_cr4() & ~CR4_PGE);
  // Reserved bits are refused at MOV to CR3, and everything is as it was.
  if (!on_tcg) {
    const u8 bits[] = {1, 2, 5, 6, 7, 8, (u8)width, 41, 51, 52, 62, 63};
    u32 old = get_cr3(), *bad = pdpt(1, directories[0], spare[0], directories[2], directories[3]);
    for (u32 i = 0; i < LENGTH(bits); i++) {
      u32 *word = bad + 2 * (i & 3) + bits[i] / 32, keep = *word, bit = 1u << bits[i] % 32;
      set(word, keep | bit);
      CHECK_EQ(TRY("movl %0, %%cr3", "r"(bad)), 1);
      CHECK_FAULT_HERE(13, 0);
      CHECK_EQ(get_cr3(), old);
      CHECK_EQ(read32(linear), SIGNATURE(1));
      invlpg(linear);
      CHECK_EQ(read32(linear), SIGNATURE(1));
      set(word, keep);
    }
    // Not in one that is absent.
    set(bad + 4, 0x1e6);
    set(bad + 5, 0xffffffff);
    set_cr3((u32)bad);
    CHECK_EQ(read32(linear), SIGNATURE(2));
    CHECK_EQ(TRY("movl (%0), %%eax", "r"(THIRD)), 1);
    CHECK_PAGE_FAULT(0, THIRD);
    set_cr3(old);
    CHECK_EQ(read32(linear), SIGNATURE(1));
  }
  set64(ENTRY(a, linear), 0, 0);
  set64(ENTRY(b, linear), 0, 0);
  reload_cr3();
}

// --- address spaces, sharing, recursion --------------------------------------------------------------------------

static void spaces(void) {
  // Three spaces: the second has its own second gigabyte, the third has one directory for the second and third.
  copy(spare[0], directories[1], PAGE);
  copy(spare[1], directories[1], PAGE);
  pdpt(1, directories[0], spare[0], directories[2], directories[3]);
  pdpt(2, directories[0], spare[1], spare[1], directories[3]);
  // One table in both halves of a slot, in another slot, and at different rights.
  for (u32 i = 0; i < 8; i++) set64(&c[i], 0, FRAME(i) | P | RW | US);
  set64(PDE(WINDOW_C), 0, (u32)c | P | RW | US);
  set64(PDE(WINDOW_D), 0, (u32)c | P | US);
  set64(&spare[0][WINDOW_C >> 21 & 511], 0, (u32)c | P | RW | US);
  set64(&spare[0][WINDOW_D >> 21 & 511], 0, (u32)b | P | RW | US);
  set64(&spare[1][WINDOW_D >> 21 & 511], 0, (u32)c | P | RW);
  for (u32 round = 0; round < 12; round++) {
    u32 f = round % 8, page = f * PAGE;
    set_cr3((u32)PDPT(0));
    CHECK_EQ(read32(WINDOW_C + page), SIGNATURE(f));
    CHECK_EQ(read32(WINDOW_D + page), SIGNATURE(f));
    CHECK_EQ(TRY("movl %0, (%0)", "r"(WINDOW_D + page)), 1);
    CHECK_PAGE_FAULT(3, WINDOW_D + page);
    set_cr3((u32)PDPT(1));
    CHECK_EQ(read32(WINDOW_C + page), SIGNATURE(f));
    CHECK_EQ(TRY("movl (%0), %%eax", "r"(WINDOW_D + page)), 1);
    CHECK_PAGE_FAULT(0, WINDOW_D + page);
    // Edited from here: seen everywhere.
    set64(&c[f], 0, FRAME(8 + f) | P | RW | US);
    set64(&b[f], 0, FRAME(f) | P | RW);
    invlpg(WINDOW_C + page);
    CHECK_EQ(read32(WINDOW_C + page), SIGNATURE(8 + f));
    CHECK_EQ(read32(WINDOW_D + page), SIGNATURE(f));
    set_cr3((u32)PDPT(2));
    CHECK_EQ(read32(WINDOW_D + page), SIGNATURE(8 + f));
    CHECK_EQ(read32(WINDOW_D + SECOND + page), SIGNATURE(8 + f));
    CHECK_EQ(TRY("movl (%0), %%eax", "r"(WINDOW_C + page)), 1);
    CHECK_PAGE_FAULT(0, WINDOW_C + page);
    set64(&c[f], 0, FRAME(f) | P | RW | US);
    set64(&b[f], 0, 0);
  }
  // A space that is gone: its directory and its PDPT hold data, and become another's.
  set_cr3((u32)PDPT(0));
  fill32(spare[0], 0x5a5a5a5b, 1024);
  pdpt(1, directories[0], 0, spare[1], 0);
  set_cr3((u32)PDPT(1));
  CHECK_EQ(TRY("movl (%0), %%eax", "r"(WINDOW_D)), 1);
  CHECK_PAGE_FAULT(0, WINDOW_D);
  CHECK_EQ(read32(WINDOW_D + SECOND), SIGNATURE(0));
  set_cr3((u32)PDPT(0));
  CHECK_EQ(read32(WINDOW_D), SIGNATURE(0));
  set64(PDE(WINDOW_C), 0, 0);
  set64(PDE(WINDOW_D), 0, 0);
  fill32(c, 0, 1024);
  reload_cr3();
}

static void recursive(void) {
  // The four directories as tables: all of linear space's entries in 8 MB.
  for (u32 i = 0; i < 4; i++) set64(&directories[3][i], 0, (u32)directories[i] | P | RW);
  reload_cr3();
  u64 *entries = (u64 *)RECURSIVE;
  u64 *self = entries + (RECURSIVE >> 12);
  u32 linear = WINDOW_A + 40 * PAGE;
  CHECK_EQ(low_of(&self[WINDOW_A >> 21]) & ~0x60u, (u32)a | P | RW | US);
  set64(&entries[linear >> 12], 0, FRAME(4) | P | RW);
  CHECK_EQ(read32(linear), SIGNATURE(4));
  asm volatile("xorl %1, (%0)" : : "r"(&entries[linear >> 12]), "r"(FRAME(4) ^ FRAME(5)) : "memory", "cc");
  shows(linear, 5);
  // A new table through the window, and the entry that maps the window removed through it.
  set64(ENTRY(c, WINDOW_D + 6 * PAGE), 0, FRAME(6) | P | RW);
  set64(&self[WINDOW_D >> 21], 0, (u32)c | P | RW);
  CHECK_EQ(read32(WINDOW_D + 6 * PAGE), SIGNATURE(6));
  set64(&self[WINDOW_D >> 21], 0, 0);
  reload_cr3();
  u64 *of_self = &self[RECURSIVE >> 21] + 3;
  asm volatile("movl $0, (%0)\n\tinvlpg (%0)" : : "r"(of_self) : "memory");
  CHECK_EQ(TRY("movl $0, (%0)", "r"(of_self)), 1);
  CHECK_PAGE_FAULT(2, of_self);
  fill32(directories[3], 0, 1024);
  set64(ENTRY(a, linear), 0, 0);
  fill32(c, 0, 1024);
  reload_cr3();
}

static u32 demanded;

/** Demand paging over 64 MB, one table for eight regions of 2 MB each. */
static u32 demand(struct frame *frame) {
  u32 address = get_cr2(), region = (address - THIRD) >> 21;
  if (address < THIRD || region >= 32 || (frame->error & ~2u)) return 0;
  if (!(low_of(PDE(address)) & P)) set64(PDE(address), 0, (u32)(region & 1 ? b : c) | P | RW);
  else set64(ENTRY(region & 1 ? b : c, address), 0, FRAME(address >> 12 & 15) | P | RW);
  demanded++;
  return 1;
}

static void on_demand(void) {
  trap_hook[14] = demand;
  for (u32 i = 0; i < 96; i++) {
    u32 linear = THIRD + (i * 7 % 32) * LARGE + (i % 48) * PAGE;
    CHECK_EQ(read32(linear), SIGNATURE(linear >> 12 & 15));
  }
  trap_hook[14] = 0;
  CHECK_EQ(demanded, 32 + 48);
  fill32(b, 0, 1024);
  fill32(c, 0, 1024);
  fill32(directories[2], 0, 1024);
  reload_cr3();
}

// --- task switches ------------------------------------------------------------------------------------------------

static struct tss other_task __attribute__((aligned(128)));
u32 task_saw;
static u32 task_stack[64];
#define TASK_SELECTOR ((GDT_FREE + 1) * 8)
extern const u8 task_body[];
asm(".text\ntask_body:\n\tmovl (%ebx), %eax\n\tmovl %eax, task_saw\n\tljmp $0x28, $0\n\tjmp task_body\n");

static void tasks(void) {
  u32 linear = WINDOW_A + 60 * PAGE, *mine = PDPT(0);
  set64(ENTRY(a, linear), 0, FRAME(1) | P | RW);
  set64(ENTRY(b, linear), 0, FRAME(2) | P | RW);
  copy(spare[0], directories[1], PAGE);
  set64(&spare[0][WINDOW_A >> 21 & 511], 0, (u32)b | P | RW);
  pdpt(1, directories[0], spare[0], directories[2], directories[3]);
  reload_cr3();
  gdt[GDT_FREE + 1] = DESCRIPTOR((u32)&other_task, sizeof other_task - 1, 0x89, 0);
  tss.cr3 = (u32)mine;
  other_task = (struct tss){.cr3 = (u32)PDPT(1), .eip = (u32)task_body, .eflags = 2, .ebx = linear,
      .esp = (u32)(task_stack + 64), .es = KERNEL_DS, .cs = KERNEL_CS, .ss = KERNEL_DS, .ds = KERNEL_DS,
      .esp0 = (u32)(task_stack + 64), .ss0 = KERNEL_DS, .io_map = sizeof other_task};
  CHECK_EQ(read32(linear), SIGNATURE(1));
  asm volatile("ljmp %0, $0" : : "i"(TASK_SELECTOR) : "memory", "cc");
  CHECK_EQ(task_saw, SIGNATURE(2));
  CHECK_EQ(get_cr3(), mine);
  CHECK_EQ(read32(linear), SIGNATURE(1));
  // A switch that leaves CR3 as it is loads no PDPTEs.
  other_task.cr3 = (u32)mine;
  other_task.eip = (u32)task_body;
  if (!on_tcg) {
    set(mine + 2, (u32)spare[0] | P);
    asm volatile("ljmp %0, $0" : : "i"(TASK_SELECTOR) : "memory", "cc");
    CHECK_EQ(task_saw, SIGNATURE(1));
    CHECK_EQ(read32(linear), SIGNATURE(1));
    set(mine + 2, (u32)directories[1] | P);
  }
  asm volatile("clts");
  gdt[GDT_FREE + 1] = 0;
  set64(ENTRY(a, linear), 0, 0);
  set64(ENTRY(b, linear), 0, 0);
  reload_cr3();
}

// --- beyond 4 GB, and the A20 gate -----------------------------------------------------------------------------------

static void beyond(void) {
  // 36 bits of address, and nothing there: reads give ones, writes go nowhere, tables are all ones (reserved bits).
  u32 linear = WINDOW_A + 80 * PAGE;
  for (u32 bit = 0; bit < 4; bit++) {
    set64(ENTRY(a, linear), 1u << bit, FRAME(1) | P | RW);
    invlpg(linear);
    write32(linear, 0x12345678);
    CHECK_EQ(read32(linear), 0xffffffff);
    CHECK_EQ(read32(FRAME(1)), SIGNATURE(1));
    CHECK_EQ(low_of(ENTRY(a, linear)) & 0x60, ACCESSED | DIRTY);
    set64(PDE(WINDOW_D), 1u << bit, 0x00800000u | P | RW | PS);
    invlpg(WINDOW_D);
    CHECK_EQ(read32(WINDOW_D + FRAME(2) - 0x00800000u), 0xffffffff);
    set64(PDE(WINDOW_D), 1u << bit, (u32)a | P | RW);
    reload_cr3();
    CHECK_EQ(TRY("movl (%0), %%eax", "r"(WINDOW_D)), 1);
    CHECK_PAGE_FAULT(RSVD(9), WINDOW_D);
    u32 *high = pdpt(1, directories[0], directories[1], directories[2], directories[3]);
    set(high + 5, 1u << bit);
    set_cr3((u32)high);
    CHECK_EQ(TRY("movl (%0), %%eax", "r"(THIRD)), 1);
    CHECK_PAGE_FAULT(RSVD(9), THIRD);
    set_cr3((u32)PDPT(0));
  }
  set64(ENTRY(a, linear), 0, 0);
  set64(PDE(WINDOW_D), 0, 0);
  reload_cr3();
}

/** All 4 GB are mapped, nearly all of it onto nothing: no place is left that is not the program's own. */
static void everywhere(void) {
  copy(b, directories[0], PAGE);
  for (u32 i = 0; i < 512; i++) {
    if (i >= 8) set64(&b[i], 0, i * LARGE | P | RW | US | PS);
    set64(&spare[0][i], 0, (512 + i) * LARGE | P | RW | US | PS);
    set64(&spare[1][i], 0, (1024 + i) * LARGE | P | RW | US | PS);
    set64(&c[i], 0, (1536 + i) * LARGE | P | RW | US | PS);
  }
  set_cr3((u32)pdpt(1, b, spare[0], spare[1], c));
  for (u32 i = ram_end >> 22; i < 1024; i++) {
    u32 address = i << 22 | (i * 37 & 1023) << 12 | 0x804;
    CHECK_EQ(read32(address), 0xffffffff);
    write32(address, i);
    CHECK_EQ(read32(address), 0xffffffff);
  }
  for (u32 address = 0xff800000; address >= 0xff800000; address += 0x7f000) {
    if (width != 36 && address >= 0xfff00000) break;  // Bochs has a BIOS there
    CHECK_EQ(read32(address), 0xffffffff);
    u32 value, keep;
    asm volatile("movl %%esp, %1\n\tleal 0x800(%2), %%esp\n\tpushl $1\n\tpopl %0\n\tmovl %1, %%esp"
                 : "=&r"(value), "=&r"(keep) : "r"(address) : "memory");
    CHECK_EQ(value, 0xffffffff);
    user(user_read, address, 0);
    CHECK_USER_TRAP(0x80, 0);
    CHECK_EQ(trap.ecx, 0xffffffff);
  }
  // One of those places comes to be something, and nothing again.
  set64(&c[508], 0, 0x00800000 | P | RW | PS);
  invlpg(0xff800000);
  CHECK_EQ(read32(0xff800000 + FRAME(3) - 0x00800000), SIGNATURE(3));
  set64(&c[508], 0, 2044u * LARGE | P | RW | PS);
  invlpg(0xff800000);
  CHECK_EQ(read32(0xff800000 + FRAME(3) - 0x00800000), 0xffffffff);
  // Without paging everything is there as well.
  set_cr0(get_cr0() & ~CR0_PG);
  CHECK_EQ(read32(0xff800000), 0xffffffff);
  CHECK_EQ(read32(0xffbff000), 0xffffffff);
  set_cr3((u32)PDPT(0));
  set_cr0(get_cr0() | CR0_PG);
  CHECK_EQ(TRY("movl (%0), %%eax", "r"(0xff800000)), 1);
  CHECK_PAGE_FAULT(0, 0xff800000);
  fill32(b, 0, 1024);
  fill32(c, 0, 1024);
  reload_cr3();
}

// Position-independent, registers only: closes the gate, reads and writes at EBX, opens it. ESI = way back.
extern const u8 gate_code[], gate_code_end[];
asm(".text\ngate_code:\n\tmovb $0, %al\n\toutb %al, $0x92\n\tmovl (%ebx), %ecx\n\tmovl %edx, 4(%ebx)\n\t"
    "movb $2, %al\n\toutb %al, $0x92\n\tjmp *%esi\ngate_code_end:\n");

/** Runs that from memory that is there with the gate closed, under the paging of the moment. */
static u32 through_gate(u32 address, u32 value) {
  u32 saw;
  asm volatile("movl $1f, %%esi\n\tjmp *%%edi\n1:" : "=c"(saw), "+d"(value) : "b"(address), "D"(0x00c00000) : "eax", "esi", "memory", "cc");
  return saw;
}

static void a20(void) {
  // Even megabytes: code, GDT, and tables of both kinds (image and other tables lie in odd ones).
  u32 odd = 0x00d08000, even = 0x00c08000;
  u64 *pae = (u64 *)0x00c11000, *top = (u64 *)0x00c10000;
  u32 *flat = (u32 *)0x00c12000;
  copy((void *)0x00c00000, gate_code, (u32)(gate_code_end - gate_code));
  fill32(pae, 0, 1024);
  fill32(flat, 0, 1024);
  for (u32 i = 0; i < 8; i++) set64(&pae[i], 0, i * LARGE | P | RW | PS);
  for (u32 i = 0; i < 4; i++) set(&flat[i], i * 2 * LARGE | P | RW | PS);
  set64(&top[0], 0, (u32)pae | P);
  for (u32 i = 1; i < 4; i++) set64(&top[i], 0, 0);
  copy((void *)0x00c13000, gdt, sizeof gdt);
  load_gdt((void *)0x00c13000, sizeof gdt);
  u32 cr0 = get_cr0(), cr3 = get_cr3(), cr4 = get_cr4();
  for (u32 way = 0; way < 3; way++) {
    set_cr0(cr0 & ~CR0_PG);
    set_cr4(way == 1 ? cr4 : (cr4 & ~CR4_PAE) | CR4_PSE);
    set_cr3(way == 1 ? (u32)top : (u32)flat);
    if (way) set_cr0(cr0);
    write32(odd, 0x0dd00000 + way);
    write32(even, 0xe0e00000 + way);
    write32(even + 4, 0);
    write32(odd + 4, 0x0dd0);
    CHECK_EQ(through_gate(odd, 0x77000 + way), 0xe0e00000 + way);
    CHECK_EQ(read32(odd), 0x0dd00000 + way);
    CHECK_EQ(read32(odd + 4), 0x0dd0);
    CHECK_EQ(read32(even + 4), 0x77000 + way);
  }
  set_cr0(cr0 & ~CR0_PG);
  set_cr4(cr4);
  set_cr3(cr3);
  set_cr0(cr0);
  load_gdt(gdt, sizeof gdt);
}

int main(void) {
  if (!has_pae()) {
    CHECK_EQ(TRY("movl %0, %%cr4", "r"(get_cr4() | CR4_PAE)), 1);
    CHECK_FAULT_HERE(13, 0);
    put("no PAE here\n");
    return 0;
  }
  width = argument("phys", 36);
  build();
  switch_on();
  note("modes ");
  modes();
  note("edits ");
  edits();
  note("rights ");
  rights();
  accessed_and_dirty();
  reserved();
  note("large ");
  large_pages();
  note("pdptes ");
  pdptes();
  note("spaces ");
  spaces();
  recursive();
  on_demand();
  note("tasks ");
  tasks();
  note("beyond ");
  if (!on_tcg) {
    beyond();
    everywhere();
  }
  note("a20\n");
  a20();
  return 0;
}
