/*
 * Runs single MMX, SSE and SSE2 instructions, and FXSAVE and FXRSTOR, on the machine's own processor, each from a given state.
 * Freestanding, 32-bit:  gcc -m32 -O1 -nostdlib -static -ffreestanding -fno-pic -no-pie -fno-stack-protector -mno-sse -o probe probe.c
 * Input, records of 1280 bytes:  FXSAVE image (512); memory (640); instruction (16 bytes: length, then bytes); EAX ECX EDX EBX,
 *   EFLAGS, place, offset (4 each), unused
 * Output, records of 1280 bytes: FXSAVE image (512); memory (640); vector or -1, CR2 relative to the memory, EAX ECX EDX EBX (4 each)
 * The memory straddles a page boundary in its middle. Place 0: both pages may be written; 1: the second is not there; 2: the
 * second is read-only. ESI and EDI hold its address plus the offset. A fault answers what the state was when it came.
 */
typedef unsigned int u32;
typedef unsigned char u8;

#define RECORD 1280
#define MOST 1024
#define WINDOW 640
#define RW_DATA 3
#define PAGE 4096

static struct {
	u8 image[512], memory[WINDOW], instruction[16];
	u32 gpr[4], eflags, place, offset, unused[21];
} in[MOST] __attribute__((aligned(64)));
static struct {
	u8 image[512], memory[WINDOW];
	u32 vector, address, gpr[4], unused[26];
} out[MOST] __attribute__((aligned(64)));
static u8 clean[512] __attribute__((aligned(64)));
static u8 *code, *after, *window[3];
static u32 vector, address;

static int sys(int n, u32 a, u32 b, u32 c, u32 d)
{
	int r;
	__asm__ volatile("int $0x80" : "=a"(r) : "a"(n), "b"(a), "c"(b), "d"(c), "S"(d) : "memory");
	return r;
}

static void *map(u32 len, u32 prot)
{
	struct { u32 addr, len, prot, flags, fd, off; } m = { 0, len, prot, 0x22, -1u, 0 };
	return (void *)sys(90, (u32)&m, 0, 0, 0);
}

/* struct sigcontext within the frame of a signal with SA_SIGINFO: after uc_flags, uc_link and uc_stack. */
struct context { u32 flags, link, stack[3]; u32 gs, fs, es, ds, edi, esi, ebp, esp, ebx, edx, ecx, eax, trapno, err, eip, cs, eflags, esp2, ss, fpstate, mask, cr2; };

static void caught(int signal, void *info, struct context *uc)
{
	vector = uc->trapno;
	address = uc->cr2;
	uc->eip = (u32)after;
	uc->eflags &= ~0x40000u;
}

__asm__(".globl restore\nrestore: mov $173, %eax\n int $0x80");
extern void restore(void);

static u8 *emit(u8 *p, u32 count, u32 bytes)
{
	while (count--) {
		*p++ = bytes;
		bytes >>= 8;
	}
	return p;
}

static u8 *emit32(u8 *p, u32 count, u32 bytes, void *at)
{
	return emit(emit(p, count, bytes), 4, (u32)at);
}

static void run(int n)
{
	u8 *p = code, *at = window[in[n].place];
	int i, size = in[n].place == 1 ? WINDOW / 2 : WINDOW;
	if (in[n].place == 2) sys(125, (u32)at + WINDOW / 2, PAGE, RW_DATA, 0);
	for (i = 0; i < size; i++) at[i] = in[n].memory[i];
	if (in[n].place == 2) sys(125, (u32)at + WINDOW / 2, PAGE, 1, 0);
	p = emit(p, 1, 0x60);                            /* pusha */
	p = emit32(p, 3, 0x0dae0f, in[n].image);         /* fxrstor */
	p = emit32(p, 1, 0xbe, at + in[n].offset);       /* mov esi */
	p = emit32(p, 1, 0xbf, at + in[n].offset);       /* mov edi */
	for (i = 0; i < 4; i++) p = emit32(p, 1, 0xb8 + i, (void *)in[n].gpr[i]);
	p = emit32(p, 2, 0x35ff, &in[n].eflags);         /* push */
	p = emit(p, 1, 0x9d);                            /* popf */
	for (i = 0; i < in[n].instruction[0]; i++) *p++ = in[n].instruction[1 + i];
	after = p;
	p = emit32(p, 3, 0x05ae0f, out[n].image);        /* fxsave */
	p = emit32(p, 1, 0xa3, &out[n].gpr[0]);          /* mov, eax */
	for (i = 1; i < 4; i++) p = emit32(p, 2, 0x0589 + (i << 11), &out[n].gpr[i]);
	p = emit(p, 2, 0x026a), p = emit(p, 1, 0x9d);    /* push 2; popf */
	p = emit32(p, 3, 0x0dae0f, clean);               /* fxrstor: no pending exception */
	p = emit(p, 2, 0xc361);                          /* popa; ret */
	vector = -1;
	address = (u32)at;
	((void (*)(void))code)();
	out[n].vector = vector;
	out[n].address = address - (u32)at;
	for (i = 0; i < size; i++) out[n].memory[i] = at[i];
	for (; i < WINDOW; i++) out[n].memory[i] = in[n].memory[i];
}

static int all(int call, int fd, u8 *at, int count)
{
	int done = 0, n;
	while (done < count && (n = sys(call, fd, (u32)at + done, count - done, 0)) > 0) done += n;
	return done;
}

__attribute__((force_align_arg_pointer)) void _start(void)
{
	struct { void *handler; u32 flags; void *restorer; u32 mask[2]; } action = { caught, 0x04000004 | 0x40000000, restore, { 0, 0 } };
	static const int signals[] = { 4, 5, 7, 8, 11 };
	int count, i;
	for (i = 0; i < 5; i++) sys(174, signals[i], (u32)&action, 0, 8);
	code = map(PAGE, 7);
	for (i = 0; i < 3; i++) window[i] = (u8 *)map(2 * PAGE, RW_DATA) + PAGE - WINDOW / 2;
	sys(125, (u32)window[1] + WINDOW / 2, PAGE, 0, 0);
	__asm__ volatile("fxsave %0" : "=m"(clean));
	while ((count = all(3, 0, (u8 *)in, sizeof in) / RECORD) > 0) {
		for (i = 0; i < count; i++) run(i);
		all(4, 1, (u8 *)out, count * RECORD);
	}
	sys(1, 0, 0, 0, 0);
}
