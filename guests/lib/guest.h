// The runtime that every guest of ours shares: types, console, assertions, GDT/IDT/TSS, traps, ring 3.
//
// A guest is one C file with main(); the runtime prints `PASS <name>` and leaves through isa-debug-exit with 0x10
// (QEMU's status 33) when main() returns, `FAIL file:line what` and 0x11 (status 35) when a CHECK does not hold.
// It must run alike on bare hardware and deprivileged, and retire the same instructions: it therefore never waits
// on a host's clock, and never lets a value that may legally differ (a stale translation, an Accessed bit cleared
// without a flush) reach memory or a branch.
#pragma once

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

#define PAGE 4096u
#define NOINLINE __attribute__((noinline))
#define PAGE_ALIGNED __attribute__((aligned(4096)))
#define NORETURN __attribute__((noreturn))
#define LENGTH(a) (sizeof(a) / sizeof((a)[0]))

// --- console ---------------------------------------------------------------------------------------------

void put_char(char c);
void put(const char *text);
void put_hex(u32 value);
void put_dec(u32 value);
/** For port 0xE9 only: progress that costs no serial time. */
void note(const char *text);

void pass(void) NORETURN;
void fail(const char *file, u32 line, const char *what) NORETURN;
void fail_value(const char *file, u32 line, const char *what, u32 got, u32 wanted) NORETURN;

#define CHECK(condition)                                   \
  do {                                                     \
    if (!(condition)) fail(__FILE_NAME__, __LINE__, #condition); \
  } while (0)
#define CHECK_EQ(got, wanted)                                                  \
  do {                                                                         \
    u32 got_ = (u32)(got), wanted_ = (u32)(wanted);                            \
    if (got_ != wanted_) fail_value(__FILE_NAME__, __LINE__, #got, got_, wanted_); \
  } while (0)

// --- machine ---------------------------------------------------------------------------------------------

extern char command_line[128];
/** First byte above RAM, from the loader's memory information. */
extern u32 ram_end;
/** Set by the word `tcg` on the command line: skip what QEMU's TCG is known to get wrong (PROVENANCE.md). */
extern u32 on_tcg;
/** The number after `name=` on the command line, or `otherwise`. */
u32 argument(const char *name, u32 otherwise);

extern char image_start[], image_end[], user_start[], user_end[], user_stack_top[];

static inline void outb(u16 port, u8 value) { asm volatile("outb %0, %1" : : "a"(value), "Nd"(port)); }
static inline u8 inb(u16 port) {
  u8 value;
  asm volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
  return value;
}

#define READ_REGISTER(name)                           \
  static inline u32 get_##name(void) {                \
    u32 value;                                        \
    asm volatile("movl %%" #name ", %0" : "=r"(value)); \
    return value;                                     \
  }                                                   \
  static inline void set_##name(u32 value) { asm volatile("movl %0, %%" #name : : "r"(value) : "memory"); }
READ_REGISTER(cr0)
READ_REGISTER(cr2)
READ_REGISTER(cr3)
READ_REGISTER(cr4)
READ_REGISTER(dr0)
READ_REGISTER(dr1)
READ_REGISTER(dr2)
READ_REGISTER(dr3)
READ_REGISTER(dr6)
READ_REGISTER(dr7)

static inline void invlpg(u32 address) { asm volatile("invlpg (%0)" : : "r"(address) : "memory"); }
static inline u32 read32(u32 address) {
  u32 value;
  asm volatile("movl (%1), %0" : "=r"(value) : "r"(address) : "memory");
  return value;
}
static inline void write32(u32 address, u32 value) {
  asm volatile("movl %0, (%1)" : : "r"(value), "r"(address) : "memory");
}
static inline u32 get_eflags(void) {
  u32 value;
  asm volatile("pushfl; popl %0" : "=r"(value) : : "memory");
  return value;
}
static inline void set_eflags(u32 value) { asm volatile("pushl %0; popfl" : : "r"(value) : "memory", "cc"); }
static inline void *copy(void *to, const void *from, u32 size) {
  void *start = to;
  asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(size) : : "memory");
  return start;
}
static inline void fill32(void *to, u32 value, u32 words) {
  asm volatile("rep stosl" : "+D"(to), "+c"(words) : "a"(value) : "memory");
}

#define CR0_PE 0x00000001u
#define CR0_WP 0x00010000u
#define CR0_PG 0x80000000u
#define CR4_TSD 0x04u
#define CR4_DE 0x08u
#define CR4_PSE 0x10u
#define CR4_PGE 0x80u
#define EFLAGS_CF 0x0001u
#define EFLAGS_ZF 0x0040u
#define EFLAGS_TF 0x0100u
#define EFLAGS_IF 0x0200u
#define EFLAGS_DF 0x0400u
#define EFLAGS_IOPL 0x3000u
#define EFLAGS_NT 0x4000u
#define EFLAGS_RF 0x10000u
#define EFLAGS_AC 0x40000u

// --- tables ----------------------------------------------------------------------------------------------

#define KERNEL_CS 0x08u
#define KERNEL_DS 0x10u
#define USER_CS 0x1bu
#define USER_DS 0x23u
#define TSS_SELECTOR 0x28u
/** First GDT entry a guest may use as it likes. */
#define GDT_FREE 6u
#define GDT_ENTRIES 32u

struct table_register {
  u16 pad;
  u16 limit;
  u32 base;
} __attribute__((packed, aligned(4)));

struct tss {
  u32 link, esp0, ss0, esp1, ss1, esp2, ss2, cr3, eip, eflags, eax, ecx, edx, ebx, esp, ebp, esi, edi;
  u32 es, cs, ss, ds, fs, gs, ldt;
  u16 trap, io_map;
} __attribute__((packed));

extern u64 gdt[GDT_ENTRIES];
extern u64 idt[256];
extern struct tss tss;

#define DESCRIPTOR(base, limit, access, flags)                                                             \
  ((u64)((limit)&0xffffu) | (u64)((base)&0xffffffu) << 16 | (u64)(access) << 40 | (u64)(((limit) >> 16) & 15u) << 48 | \
   (u64)(flags) << 52 | (u64)(((base) >> 24) & 0xffu) << 56)
#define GATE(selector, offset, access)                                                          \
  ((u64)((offset)&0xffffu) | (u64)(selector) << 16 | (u64)(access) << 40 | (u64)((offset) >> 16) << 48)

static inline void load_gdt(const void *base, u32 size) {
  struct table_register r = {0, (u16)(size - 1), (u32)base};
  asm volatile("lgdt %0" : : "m"(r.limit), "m"(r) : "memory");
}
static inline void load_idt(const void *base, u32 size) {
  struct table_register r = {0, (u16)(size - 1), (u32)base};
  asm volatile("lidt %0" : : "m"(r.limit), "m"(r) : "memory");
}
extern char trap_stubs[];
/** The address of the stub of a vector. */
u32 trap_stub(u32 vector);
/** Points an IDT entry at the runtime's stub. access: 0x8e interrupt gate, 0x8f trap gate, 0xee and 0xef for ring 3. */
void set_gate(u32 vector, u8 access);

// --- traps -----------------------------------------------------------------------------------------------

struct frame {
  u32 edi, esi, ebp, esp_unused, ebx, edx, ecx, eax;
  u32 es, ds;
  u32 vector, error;
  u32 eip, cs, eflags;
  u32 esp, ss;  // only from ring 3
};

struct trap {
  u32 count, vector, error, cr2, eip, cs, eflags, esp, ss;
  u32 eax, ecx, edx, ebx, esi, edi;
};
/** The last trap that TRY or user() met. */
extern struct trap trap;

/** Handlers by vector: a non-zero return says that the trap is dealt with and is not to be recorded. */
extern u32 (*trap_hook[256])(struct frame *frame);

extern volatile u32 trap_resume, trap_site, trap_happened;

extern u32 trap_stack;

// Runs instructions that may fault. Their first one is trap_site. After a fault execution goes on behind them. Every
// register is as before, ESP too, whatever they did. The value is 1 when there was a trap, described in `trap`.
// Operands: inputs in registers or constants only.
#define TRY(instructions, ...)                                                                \
  ({                                                                                          \
    trap_happened = 0;                                                                        \
    asm volatile("movl $76f, trap_site\n\tmovl $77f, trap_resume\n\tpushal\n\t"               \
                 "movl %%esp, trap_stack\n76:\t" instructions                                 \
                 "\n77:\tmovl trap_stack, %%esp\n\tpopal\n\tmovl $0, trap_resume\n\tcld"      \
                 : : __VA_ARGS__ : "memory", "cc");                                           \
    trap_happened;                                                                            \
  })

#define CHECK_FAULT(expected_vector, expected_error)      \
  do {                                                    \
    CHECK_EQ(trap_happened, 1);                           \
    CHECK_EQ(trap.vector, expected_vector);               \
    CHECK_EQ(trap.error, expected_error);                 \
  } while (0)
/** As CHECK_FAULT, and the fault was at the first instruction of the TRY. */
#define CHECK_FAULT_HERE(expected_vector, expected_error) \
  do {                                                    \
    CHECK_FAULT(expected_vector, expected_error);         \
    CHECK_EQ(trap.eip, trap_site);                        \
  } while (0)
#define CHECK_PAGE_FAULT(expected_error, expected_cr2)    \
  do {                                                    \
    CHECK_FAULT(14, expected_error);                      \
    CHECK_EQ(trap.cr2, expected_cr2);                     \
  } while (0)

// --- ring 3 ----------------------------------------------------------------------------------------------

struct user_regs {
  u32 eax, ecx, edx, ebx, esi, edi;
};
extern char user_read[], user_write[], user_int80[], user_rmw[], user_fetch[];
/** Runs ring 3 code until its next trap, which is then in `trap`. IF is 0 there unless eflags says so. */
void user(const void *code, u32 eax, u32 ecx);
void user_with(const void *code, const void *stack, u32 eflags, const struct user_regs *regs);
#define CHECK_USER_TRAP(expected_vector, expected_error) \
  do {                                                   \
    CHECK_EQ(trap.vector, expected_vector);              \
    CHECK_EQ(trap.error, expected_error);                \
    CHECK_EQ(trap.cs, USER_CS);                          \
  } while (0)

int main(void);
