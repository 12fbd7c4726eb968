/*
 * Executes one SSE instruction a time on this machine and says what came out: 64-bit Linux, libc. One case a line on stdin:
 *   <instruction bytes> <MXCSR> <first operand> <second operand>         hexadecimal, operands of 128 bits
 * The first operand is put into XMM0, MM0 and EAX, the second into XMM1, MM1 and ECX (the low bits where they are narrower), so an
 * instruction with ModR/M C1 finds them whatever its kind; EFLAGS' arithmetic flags are all set before. The answer:
 *   <1 when it raised #XM> <MXCSR> <XMM0> <MM0> <EAX> <EFLAGS>
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

enum { RETURN_AT = 16, MASKED = 0x1f80, FLAGS = 0x8d5 };
typedef struct {
  uint32_t w[4];
} __attribute__((aligned(16))) vector;

static vector first, second, result;
static uint64_t mmx;
static uint32_t eax, mxcsr;
static uint64_t flags;
static volatile int fault;
static uint8_t *code;

/* Takes MXCSR as the instruction left it, and goes on at the return instruction behind it. */
static void on_fpe(int number, siginfo_t *info, void *context) {
  ucontext_t *at = context;
  (void)number;
  (void)info;
  fault = 1;
  mxcsr = at->uc_mcontext.fpregs->mxcsr;
  at->uc_mcontext.fpregs->mxcsr = MASKED;
  at->uc_mcontext.gregs[REG_RIP] = (greg_t)(code + RETURN_AT);
}

static void run(void) {
  uint32_t after, masked = MASKED;
  fault = 0;
  __asm__ volatile(
      "subq $256, %%rsp\n"
      "movaps %[first], %%xmm0\n movaps %[second], %%xmm1\n"
      "movq %[first], %%mm0\n movq %[second], %%mm1\n"
      "movl %[first], %%eax\n movl %[second], %%ecx\n"
      "ldmxcsr %[mxcsr]\n"
      "pushq $0x8d7\n popfq\n"
      "call *%%rsi\n"
      "pushfq\n popq %[flags]\n"
      "addq $256, %%rsp\n"
      "movaps %%xmm0, %[result]\n movq %%mm0, %[mmx]\n movl %%eax, %[eax]\n"
      "stmxcsr %[after]\n emms\n ldmxcsr %[masked]\n"
      : [result] "=m"(result), [mmx] "=m"(mmx), [eax] "=m"(eax), [flags] "=m"(flags), [after] "=m"(after)
      : [first] "m"(first), [second] "m"(second), [mxcsr] "m"(mxcsr), [masked] "m"(masked), "S"(code)
      : "rax", "rcx", "xmm0", "xmm1", "mm0", "mm1", "memory", "cc");
  if (!fault) mxcsr = after;
}

static void parse(const char *text, vector *v) {
  sscanf(text, "%8x%8x%8x%8x", &v->w[3], &v->w[2], &v->w[1], &v->w[0]);
}

static void assemble(const char *text) {
  unsigned byte;
  memset(code, 0xc3, RETURN_AT + 1);
  for (int n = 0; sscanf(text + 2 * n, "%2x", &byte) == 1; n++) code[n] = byte;
}

int main(void) {
  static char line[256], bytes[64], last[64], a[64], b[64];
  struct sigaction action = {0};
  action.sa_sigaction = on_fpe;
  action.sa_flags = SA_SIGINFO | SA_NODEFER;
  sigaction(SIGFPE, &action, 0);
  code = mmap(0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  while (fgets(line, sizeof line, stdin)) {
    if (sscanf(line, "%63s %x %63s %63s", bytes, &mxcsr, a, b) != 4) return 1;
    parse(a, &first);
    parse(b, &second);
    if (strcmp(bytes, last) != 0) {
      assemble(bytes);
      strcpy(last, bytes);
    }
    run();
    printf("%d %04x %08x%08x%08x%08x %016llx %08x %03x\n", fault, mxcsr, result.w[3], result.w[2], result.w[1],
           result.w[0], (unsigned long long)mmx, eax, (unsigned)flags & FLAGS);
  }
  return 0;
}
