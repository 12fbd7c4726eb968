// simd: MMX, SSE and SSE2 as a kernel sees them. Availability (CR0.EM, TS, CR4.OSFXSR, OSXMMEXCPT) in both rings; misaligned operands;
// 8 and 16 bytes stored over page-table entries, descriptors and a page's end; FXSAVE and FXRSTOR, also into the GDT's page; the
// FPU switched lazily between two contexts by #NM; a mix of packed arithmetic whose results are printed as one checksum.
//
// The compiler uses neither MMX nor SSE by itself.

#include "guest.h"
#include "paging.h"

#define CR0_MP 0x02u
#define CR0_EM 0x04u
#define CR0_TS 0x08u
#define CR0_NE 0x20u
#define CR4_OSFXSR 0x200u
#define CR4_OSXMMEXCPT 0x400u
#define HAS_SSE2 (1u << 26)
#define NEEDED (1u << 23 | 1u << 24 | 1u << 25)

static u32 directory[1024] PAGE_ALIGNED, tables[4][1024] PAGE_ALIGNED;
static u8 pages[4 * PAGE] PAGE_ALIGNED;
// A GDT that shares its page with data, FXSAVE images among them.
static struct {
  u64 gdt[32];
  u8 image[512] __attribute__((aligned(16)));
  u8 rest[PAGE - 768];
} shared PAGE_ALIGNED;
static u8 images[3][512] __attribute__((aligned(16)));
static u8 data[64] __attribute__((aligned(16)));
static u32 features, sum = 0x811c9dc5u;

static void fold(const void *from, u32 words) {
  const u32 *p = from;
  for (u32 i = 0; i < words; i++) sum = (sum ^ p[i]) * 0x01000193u;
}

static u32 next_state = 0x2545f491u;
static u32 next(void) {
  next_state ^= next_state << 13;
  next_state ^= next_state >> 17;
  next_state ^= next_state << 5;
  return next_state;
}
static void randomize(void *to, u32 words) {
  for (u32 i = 0; i < words; i++) ((u32 *)to)[i] = next();
}

static void set_bits(u32 bits) { set_cr0((get_cr0() & ~(CR0_MP | CR0_EM | CR0_TS)) | CR0_NE | bits); }

extern char user_mmx[], user_sse[], user_fxsave[], user_movnti[];
asm(".pushsection .user, \"awx\"\n"
    "user_mmx: paddw %mm1, %mm2; int $0x80\n"
    "user_sse: addps %xmm1, %xmm2; int $0x80\n"
    "user_fxsave: fxsave (%eax); int $0x80\n"
    "user_movnti: movnti %ecx, (%eax); int $0x80\n"
    ".balign 16\n user_area: .skip 512\n"
    ".popsection");
extern char user_area[];

// What each of the two kinds of registers does: 0 for no fault.
static void expect_both(u32 mmx, u32 sse, u32 fxsave) {
  CHECK_EQ(TRY("paddw %%mm1, %%mm2") ? trap.vector : 0, mmx);
  if (mmx) CHECK_FAULT_HERE(mmx, 0);
  CHECK_EQ(TRY("xorps %%xmm1, %%xmm2") ? trap.vector : 0, sse);
  if (sse) CHECK_FAULT_HERE(sse, 0);
  CHECK_EQ(TRY("stmxcsr %0", "m"(data)) ? trap.vector : 0, sse);
  if (!on_tcg) {
    CHECK_EQ(TRY("fxsave %0", "m"(images[0])) ? trap.vector : 0, fxsave);
    user(user_fxsave, (u32)user_area, 0);
    CHECK_USER_TRAP(fxsave ? fxsave : 0x80, 0);
  }
  CHECK(!TRY("sfence; prefetchnta %0", "m"(data)));
  user(user_mmx, 0, 0);
  CHECK_USER_TRAP(mmx ? mmx : 0x80, 0);
  user(user_sse, 0, 0);
  CHECK_USER_TRAP(sse ? sse : 0x80, 0);
}

static void availability(void) {
  for (u32 os = 0; os < 2; os++) {
    set_cr4(os ? get_cr4() | CR4_OSFXSR : get_cr4() & ~CR4_OSFXSR);
    set_bits(0);
    expect_both(0, os ? 0 : 6, 0);
    set_bits(CR0_TS);
    expect_both(7, os ? 7 : 6, 7);
    set_bits(CR0_EM);
    expect_both(6, 6, 7);
    set_bits(0);
  }
  u32 sse2 = (features & HAS_SSE2) != 0;
  if (sse2 || !on_tcg) {
    CHECK_EQ(TRY("paddq %%xmm1, %%xmm2"), !sse2);
    if (!sse2) CHECK_FAULT_HERE(6, 0);
    user(user_movnti, (u32)user_area, 0x12345678);
    CHECK_USER_TRAP(sse2 ? 0x80 : 6, 0);
  }
  if (sse2) CHECK_EQ(*(u32 *)user_area, 0x12345678);
}

static void faults(void) {
  static const u32 reserved = 0x10000, unmasked = 0x1d80, masked = 0x1f80;
  if (!on_tcg) {
    CHECK(TRY("ldmxcsr %0", "m"(reserved)));
    CHECK_FAULT_HERE(13, 0);
    CHECK(TRY("movaps 8(%0), %%xmm1", "r"(data)));
    CHECK_FAULT_HERE(13, 0);
    CHECK(TRY("movaps %%xmm1, 4(%0)", "r"(data)));
    CHECK_FAULT_HERE(13, 0);
    CHECK(TRY("fxsave 8(%0)", "r"(images[0])));
    CHECK_FAULT_HERE(13, 0);
  }
  CHECK(!TRY("movups 8(%0), %%xmm1", "r"(data)));
  // 1 / 0 with the zero divide unmasked.
  for (u32 os = 0; os < 2 && !on_tcg; os++) {
    set_cr4(os ? get_cr4() | CR4_OSXMMEXCPT : get_cr4() & ~CR4_OSXMMEXCPT);
    *(float *)data = 1, *(float *)(data + 4) = 0;
    asm volatile("ldmxcsr %0; movss %1, %%xmm1; movss %2, %%xmm2" : : "m"(unmasked), "m"(data[0]), "m"(data[4]));
    CHECK(TRY("divss %%xmm2, %%xmm1"));
    CHECK_FAULT_HERE(os ? 19 : 6, 0);
    asm volatile("stmxcsr %0" : "=m"(data[8]) : : "memory");
    CHECK_EQ(*(u32 *)(data + 8), unmasked | 4);
  }
  asm volatile("ldmxcsr %0" : : "m"(masked));
  // An x87 exception that is pending comes before an MMX instruction.
  static const u16 control = 0x037b;
  asm volatile("fninit; fldcw %0; fld1; fldz; fdivrp" : : "m"(control));
  if (!on_tcg) {
    CHECK(TRY("paddw %%mm1, %%mm2"));
    CHECK_FAULT_HERE(16, 0);
  }
  asm volatile("fninit");
}

#define SLOT 3072u  // pages from 12 MB on, mapped as the tests want
#define SLOT_ADDRESS (SLOT * PAGE)
#define ENTRY (&tables[SLOT >> 10][SLOT & 1023])

// Two and four entries at once; a descriptor at once; stores over the end of a page.
static void structures(void) {
  static u32 entries[4] __attribute__((aligned(16)));
  volatile u32 *seen = (u32 *)SLOT_ADDRESS;
  for (u32 i = 0; i < 4; i++) *(u32 *)(pages + i * PAGE) = 0x1000 + i;
  for (u32 round = 0; round < 12; round++) {
    for (u32 i = 0; i < 4; i++) entries[i] = ((u32)pages + ((i + round) & 3) * PAGE) | P | RW;
    if (round & 1) asm volatile("movups %0, %%xmm3; movaps %%xmm3, %1" : : "m"(*entries), "m"(*ENTRY) : "memory");
    else asm volatile("movq %0, %%mm3; movq %%mm3, %1; movq %2, %%mm4; movntq %%mm4, %3; emms"
                      : : "m"(entries[0]), "m"(ENTRY[0]), "m"(entries[2]), "m"(ENTRY[2]) : "memory");
    for (u32 i = 0; i < 4; i++) invlpg(SLOT_ADDRESS + i * PAGE);
    for (u32 i = 0; i < 4; i++) CHECK_EQ(seen[i * PAGE / 4], 0x1000 + ((i + round) & 3));
    // The tables read as they were written, 16 bytes at once, A and D aside.
    asm volatile("movaps %1, %%xmm4; movups %%xmm4, %0" : "=m"(data) : "m"(*ENTRY) : "memory");
    for (u32 i = 0; i < 4; i++) CHECK_EQ(((u32 *)data)[i] & ~(ACCESSED | DIRTY), entries[i]);
  }
  // A missing or read-only second page: nothing is written, CR2 is its first byte.
  for (u32 present = 0; present < 2; present++) {
    set(ENTRY + 1, present ? (u32)pages | P : 0);
    invlpg(SLOT_ADDRESS + PAGE);
    for (u32 k = 0; k < 8; k++) ((u8 *)SLOT_ADDRESS)[PAGE - 8 + k] = (u8)k;
    CHECK(TRY("movups %%xmm3, (%0)", "r"(SLOT_ADDRESS + PAGE - 8)));
    CHECK_PAGE_FAULT(2 | present, SLOT_ADDRESS + PAGE);
    CHECK(TRY("movq %%mm3, (%0)", "r"(SLOT_ADDRESS + PAGE - 4)));
    CHECK_PAGE_FAULT(2 | present, SLOT_ADDRESS + PAGE);
    for (u32 k = 0; k < 8 && !on_tcg; k++) CHECK_EQ(((u8 *)SLOT_ADDRESS)[PAGE - 8 + k], k);
    if (!present) {
      CHECK(TRY("movups (%0), %%xmm3", "r"(SLOT_ADDRESS + PAGE - 8)));
      CHECK_PAGE_FAULT(0, SLOT_ADDRESS + PAGE);
    }
  }
  set(ENTRY + 1, (u32)pages | P | RW);
  invlpg(SLOT_ADDRESS + PAGE);
  asm volatile("emms");

  copy(shared.gdt, gdt, sizeof gdt);
  load_gdt(shared.gdt, sizeof shared.gdt);
  for (u32 i = 0; i < 8; i++) {
    u64 descriptor = DESCRIPTOR((u32)pages + i * 16, 15, 0x92, 4);
    u32 value;
    for (u32 k = 0; k < 16; k++) pages[i * 16 + k] = (u8)(i * 16 + k);
    asm volatile("movq %0, %%mm5; movq %%mm5, %1; emms" : : "m"(descriptor), "m"(shared.gdt[10]) : "memory");
    asm volatile("movl %1, %%fs; movl %%fs:4, %0" : "=r"(value) : "r"(10 * 8));
    CHECK_EQ(value, (i * 16 + 4) * 0x01010101u + 0x03020100u);
    if (!on_tcg) {
      CHECK(TRY("movups %%fs:1, %%xmm0"));
      CHECK_FAULT_HERE(13, 0);
    }
    // The image lies in the GDT's page.
    randomize(data, 16);
    asm volatile("movups %1, %%xmm5; fxsave %0" : "=m"(shared.image) : "m"(data) : "memory");
    for (u32 k = 0; k < 16; k++) CHECK_EQ(shared.image[160 + 5 * 16 + k], data[k]);
    asm volatile("xorps %%xmm5, %%xmm5; fxrstor %1; movups %%xmm5, %0" : "=m"(data[16]) : "m"(shared.image) : "memory");
    for (u32 k = 0; k < 16; k++) CHECK_EQ(data[16 + k], data[k]);
  }
  asm volatile("movl %0, %%fs" : : "r"(0));
  load_gdt(gdt, sizeof gdt);
}

static u32 owner, wanted, switches;
static u32 on_unavailable(struct frame *frame) {
  (void)frame;
  asm volatile("clts");
  if (owner != wanted) {
    asm volatile("fxsave %0; fxrstor %1" : "=m"(images[owner]) : "m"(images[wanted]) : "memory");
    owner = wanted;
    switches++;
  }
  return 1;
}

// Each context counts in its own registers; the kernel sets TS at every switch and saves only when they are used.
static void lazy(void) {
  static const u32 one[4] = {1, 1, 1, 1};
  asm volatile("fninit; xorps %%xmm6, %%xmm6; pxor %%mm6, %%mm6; fxsave %0; fxsave %1" : "=m"(images[0]), "=m"(images[1]) : : "memory");
  trap_hook[7] = on_unavailable;
  for (u32 i = 0; i < 40; i++) {
    wanted = i % 3 == 0;
    set_bits(CR0_MP | CR0_TS);
    if (i % 5 == 4) continue;  // not used: not switched
    asm volatile("paddd %0, %%mm6; movups %0, %%xmm7; orps %%xmm7, %%xmm6" : : "m"(one));
  }
  trap_hook[7] = 0;
  set_bits(0);
  asm volatile("fxsave %0" : "=m"(images[owner]) : : "memory");
  // MM6 is R6 with TOP = 0.
  CHECK_EQ(*(u32 *)(images[0] + 32 + 6 * 16), 21);
  CHECK_EQ(*(u32 *)(images[1] + 32 + 6 * 16), 11);
  CHECK_EQ(*(u32 *)(images[1] + 160 + 6 * 16 + 12), 1);
  // Not the environment, where MXCSR_MASK is the model's.
  fold(images[0] + 160, 32), fold(images[1] + 160, 32), fold(&switches, 1);
}

#define MMX_STEP(op) op " %%mm1, %%mm0; " op " 8(%0), %%mm2; paddw %%mm2, %%mm1; pxor %%mm0, %%mm2;"
#define SSE2_STEP(op) op " %%xmm1, %%xmm0; " op " 16(%0), %%xmm2; paddw %%xmm2, %%xmm1; pxor %%xmm0, %%xmm2;"
#define STEPS(S)                                                                                              \
  S("paddb") S("psubusw") S("pmullw") S("pmulhw") S("pmaddwd") S("pcmpgtb") S("punpcklbw") S("packssdw")      \
  S("paddsb") S("psubsw") S("pandn") S("packuswb") S("punpckhwd") S("pavgb") S("pmaxsw") S("psadbw") S("pmulhuw")

static void arithmetic(void) {
  static u8 values[64] __attribute__((aligned(16)));
  for (u32 i = 0; i < 300; i++) {
    randomize(values, 16);
    asm volatile("movq (%0), %%mm0; movq 16(%0), %%mm1; movq 24(%0), %%mm2;" STEPS(MMX_STEP)
                 "pshufw $0x1b, %%mm0, %%mm0; psrlq $7, %%mm1; movq %%mm0, (%0); movq %%mm1, 8(%0); movq %%mm2, 16(%0);"
                 "movups 32(%0), %%xmm3; shufps $0x4e, %%xmm3, %%xmm3; unpcklps 32(%0), %%xmm3; andnps 48(%0), %%xmm3;"
                 "movaps %%xmm3, 32(%0); emms"
                 : : "r"(values) : "memory");
    fold(values, 16);
  }
  put("simd "), put_hex(sum), put("\n");
  if (!(features & HAS_SSE2)) return;
  for (u32 i = 0; i < 300; i++) {
    randomize(values, 16);
    asm volatile("movdqa (%0), %%xmm0; movdqa 32(%0), %%xmm1; movdqu 47(%0), %%xmm2;" STEPS(SSE2_STEP)
                 "pshufd $0x1b, %%xmm0, %%xmm0; psrldq $3, %%xmm1; pmuludq %%xmm1, %%xmm2; paddq %%xmm0, %%xmm2;"
                 "movdqa %%xmm0, (%0); movntdq %%xmm1, 16(%0); movdqu %%xmm2, 33(%0); mfence"
                 : : "r"(values) : "memory");
    fold(values, 16);
  }
  put("simd2 "), put_hex(sum), put("\n");
}

int main(void) {
  u32 eax = 1, ebx, ecx;
  asm volatile("cpuid" : "+a"(eax), "=b"(ebx), "=c"(ecx), "=d"(features));
  CHECK_EQ(features & NEEDED, NEEDED);
  map_identity(directory, tables);
  set_cr3((u32)directory);
  set_cr0(get_cr0() | CR0_PG | CR0_WP);
  availability();
  faults();
  structures();
  lazy();
  arithmetic();
  return 0;
}
