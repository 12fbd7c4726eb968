/*
 * Runs single IA-32 instructions on the machine's own processor. Freestanding (no libc: 32-bit ones are rare), 32-bit.
 *   gcc -m32 -O1 -nostdlib -static -ffreestanding -fno-pic -fno-pie -fno-stack-protector -o probe probe.c
 * Input, a line each:  <instruction bytes> <eax> <ecx> <edx> <ebx> <eflags>    all hexadecimal
 * Output, a line each: <eax> <ecx> <edx> <ebx> <eflags>   or   #DE
 * The instruction may use EAX ECX EDX EBX and the arithmetic flags; ESI, EBP and ESP are the probe's.
 */
typedef unsigned int u32;
typedef unsigned char u8;

static int sys(int n, u32 a, u32 b, u32 c, u32 d)
{
	int r;
	__asm__ volatile("int $0x80" : "=a"(r) : "a"(n), "b"(a), "c"(b), "d"(c), "S"(d) : "memory");
	return r;
}

#define ARITH 0x8d5u

static struct { u32 eax, ecx, edx, ebx, eflags; } regs;
static u8 *code;
static u32 after;
static volatile int faulted;

/* SIGFPE: go on after the instruction. gregs[EIP] of the ucontext stands at byte 20 + 14 * 4. */
static void on_fault(int signal, void *info, u8 *context)
{
	(void)signal;
	(void)info;
	*(u32 *)(context + 20 + 14 * 4) = after;
	faulted = 1;
}

__asm__(".globl restore\nrestore:\n\tmovl $173,%eax\n\tint $0x80\n");
extern void restore(void);

static u8 in[1 << 16], out[1 << 16];
static int in_at, in_end, out_at;

static int get(void)
{
	if (in_at == in_end) {
		in_end = sys(3, 0, (u32)in, sizeof in, 0);
		in_at = 0;
		if (in_end <= 0) return -1;
	}
	return in[in_at++];
}

static void flush(void)
{
	int at = 0;
	while (at < out_at) at += sys(4, 1, (u32)out + at, out_at - at, 0);
	out_at = 0;
}

static void put(u8 c)
{
	if (out_at == sizeof out) flush();
	out[out_at++] = c;
}

static int digit(int c)
{
	if (c >= '0' && c <= '9') return c - '0';
	if (c >= 'a' && c <= 'f') return c - 'a' + 10;
	return -1;
}

static u32 number(int *last)
{
	u32 v = 0;
	int c;
	while (digit(c = get()) >= 0) v = v << 4 | digit(c);
	*last = c;
	return v;
}

static void print(u32 v, u8 end)
{
	for (int shift = 28; shift >= 0; shift -= 4) put("0123456789abcdef"[v >> shift & 15]);
	put(end);
}

static u8 *emit(u8 *p, const char *hex)
{
	for (; *hex; hex += 2) *p++ = digit(hex[0]) << 4 | digit(hex[1]);
	return p;
}

static u8 *emit32(u8 *p, u32 v)
{
	*(u32 *)p = v;
	return p + 4;
}

/* Builds: save all; load registers and flags; the instruction; store registers and flags; restore; ret. */
static int build(void)
{
	u8 *p = emit(code, "60be");
	int hi, lo, c;
	p = emit32(p, (u32)&regs);
	p = emit(p, "8b068b4e048b56088b5e0cff76109d");
	for (;;) {
		c = get();
		if (c < 0) return 0;
		hi = digit(c);
		if (hi < 0) break;
		lo = digit(get());
		*p++ = hi << 4 | lo;
	}
	after = (u32)p;
	p = emit(p, "9c8906894e04895608895e0c8f461061c3");
	return 1;
}

void start(void)
{
	struct { void *handler; u32 flags; void (*restorer)(void); u32 mask[2]; } action = { on_fault, 4 | 0x04000000, restore, { 0, 0 } };
	struct { u32 addr, len, prot, flags, fd, off; } map = { 0, 4096, 7, 0x22, -1u, 0 };
	int c;
	code = (u8 *)sys(90, (u32)&map, 0, 0, 0);
	sys(174, 8, (u32)&action, 0, 8);
	while (build()) {
		regs.eax = number(&c);
		regs.ecx = number(&c);
		regs.edx = number(&c);
		regs.ebx = number(&c);
		regs.eflags = (number(&c) & ARITH) | 0x202;
		faulted = 0;
		((void (*)(void))code)();
		if (faulted) {
			put('#');
			put('D');
			put('E');
			put('\n');
			continue;
		}
		print(regs.eax, ' ');
		print(regs.ecx, ' ');
		print(regs.edx, ' ');
		print(regs.ebx, ' ');
		print(regs.eflags & ARITH, '\n');
	}
	flush();
	sys(1, 0, 0, 0, 0);
}

__asm__(".globl _start\n_start:\n\tandl $-16,%esp\n\tcall start\n");
