/*
 * Runs IA-32 user-mode code on the machine's own processor, a case at a time, and says how it ended. Built by ../native.mjs:
 *   gcc -O2 -ffreestanding -nostdlib -static -fPIE -no-pie -Wl,-Ttext-segment=0x200000000000 ...
 * It is a 64-bit program above 4 GiB that far-jumps into compatibility mode: 32-bit code cannot reach any of its memory, and the
 * low 4 GiB belong to the case alone (packages/cpu/src/testing/user-environment.ts says what lies there). There is no libc,
 * hence no thread-local storage: FS and GS are the case's. Every exception comes back as a signal on the alternate stack; the
 * handler reads the frame and goes on with the next case by loading its state, never by sigreturn.
 *
 * Linux's ways that show: the frame has RF set after a fault (taken out). It holds no DS and ES (read on entry to the handler,
 * nothing has touched them). An #AC is SIGBUS with trapno 17, #SS and #NP are SIGBUS, all else is told by trapno alone. Error codes of
 * page faults carry the fetch bit (10h), as the kernel turns NX on. IOPL is 0. INT 80h and SYSCALL raise SIGSYS here (syscall
 * user dispatch) and are answered as `syscall`. UMIP makes the kernel emulate SGDT, SIDT, SMSW, SLDT and STR: do not ask for them.
 *
 * Input: records, all little endian, 4-byte aligned: u32 type, u32 bytes of body, body.
 *   1 case (see struct testcase)    2 flush output    3 base memory: u32 linear, bytes    4 LDT entry: a struct user_desc
 * Output: one struct result per case, then `nchanges` pairs address, value; and for LDT entries one u32, the kernel's answer.
 */
/* No detours through a global offset table. */
#pragma GCC visibility push(hidden)
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long u64;

#define CODE 0x00110000UL
#define CODE_BYTES 0x2000UL
#define DATA 0x00200000UL
#define READ_ONLY 0x00204000UL
#define TOP 0x0020f000UL
#define PAGE 0x1000UL
/* One file backs all of it: code, data, top, read-only. */
#define ARENA_AT CODE_BYTES
#define WRITABLE 0x3000UL
#define FILE_BYTES (ARENA_AT + WRITABLE + PAGE)

enum { KIND_TRAP, KIND_HANG, KIND_SETUP, KIND_SYSCALL };
enum { HAS_FX = 1 };

struct testcase {
	u32 flags;
	u32 code_at, code_bytes, patches;
	u32 eip, eflags;
	u32 regs[8];
	u16 seg[6]; /* ES CS SS DS FS GS */
	/* u8 fx[512] if HAS_FX; patches: u32 linear, u32 bytes, data padded to 4; code padded to 4 */
};

struct result {
	u32 bytes, kind, vector, error, cr2, eip, eflags;
	u32 regs[8];
	u16 seg[6];
	u8 fx[512];
	u32 nchanges;
};

static long sys(long n, long a, long b, long c, long d, long e, long f)
{
	long r;
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	__asm__ volatile("syscall" : "=a"(r) : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9) : "rcx", "r11", "memory");
	return r;
}

static void die(const char *why)
{
	long n = 0;
	while (why[n]) n++;
	sys(1, 2, (long)why, n, 0, 0, 0);
	sys(231, 70, 0, 0, 0, 0, 0);
}

void *memcpy(void *to, const void *from, u64 n)
{
	void *r = to;
	__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
	return r;
}

void *memset(void *to, int v, u64 n)
{
	void *r = to;
	__asm__ volatile("rep stosb" : "+D"(to), "+c"(n) : "a"(v) : "memory");
	return r;
}

/* What `launch` below loads; offsets are known to it. */
struct {
	u32 regs[8];       /* 0: EAX ECX EDX EBX ESP EBP ESI EDI */
	u64 eflags;        /* 32 */
	u32 eip;           /* 40: m16:32 */
	u16 cs, ss;        /* 44, 46 */
	u16 ds, es, fs, gs; /* 48 .. 54 */
} load __attribute__((aligned(64)));

u16 seen_ds, seen_es, seen_fs, seen_gs;
u8 *main_stack_top, *case_end;

static u8 main_stack[1 << 16] __attribute__((aligned(64)));
static u8 signal_stack[1 << 16] __attribute__((aligned(64)));
static u8 in[16 << 20] __attribute__((aligned(64)));
static u8 out[8 << 20] __attribute__((aligned(64)));
static u64 in_at, in_end, out_at;

static u8 *file; /* the executor's own view of the file, writable */
static u8 base[WRITABLE + PAGE] __attribute__((aligned(64)));
static u8 initial[WRITABLE + PAGE] __attribute__((aligned(64)));
static u8 fx[512] __attribute__((aligned(64)));

static struct testcase *current;
static u64 case_number, ticked_case, ticks;

extern void launch(void), launch_end(void), on_signal(void), restore(void), run_next(void);

__asm__(
	".globl launch\nlaunch:\n"
	"	lea load(%rip), %r15\n"
	"	movw 48(%r15), %ax\n	movw %ax, %ds\n"
	"	movw 50(%r15), %ax\n	movw %ax, %es\n"
	"	movw 52(%r15), %ax\n	movw %ax, %fs\n"
	"	movw 54(%r15), %ax\n	movw %ax, %gs\n"
	"	fxrstor fx(%rip)\n"
	"	testl $0x100, 32(%r15)\n	jnz 1f\n"
	"	pushq 32(%r15)\n	popfq\n"
	"	movl 0+load(%rip), %eax\n	movl 4+load(%rip), %ecx\n	movl 8+load(%rip), %edx\n	movl 12+load(%rip), %ebx\n"
	"	movl 20+load(%rip), %ebp\n	movl 24+load(%rip), %esi\n	movl 28+load(%rip), %edi\n"
	"	movl 16+load(%rip), %esp\n	movw 46+load(%rip), %ss\n"
	"	ljmp *40+load(%rip)\n"
	/* TF must not trap in here: IRETQ sets it last. Not for 16-bit stack segments, IRET keeps the upper half of RSP there. */
	"1:	movzwl 46(%r15), %eax\n	pushq %rax\n	movl 16(%r15), %eax\n	pushq %rax\n	pushq 32(%r15)\n"
	"	movzwl 44(%r15), %eax\n	pushq %rax\n	movl 40(%r15), %eax\n	pushq %rax\n"
	"	movl 0+load(%rip), %eax\n	movl 4+load(%rip), %ecx\n	movl 8+load(%rip), %edx\n	movl 12+load(%rip), %ebx\n"
	"	movl 20+load(%rip), %ebp\n	movl 24+load(%rip), %esi\n	movl 28+load(%rip), %edi\n"
	"	iretq\n"
	".globl launch_end\nlaunch_end:\n"
	/* rdi = signal, rsi = siginfo, rdx = ucontext. AC, NT and DF may still be the case's. */
	".globl on_signal\non_signal:\n"
	"	pushq $2\n	popfq\n"
	"	movw %ds, seen_ds(%rip)\n	movw %es, seen_es(%rip)\n	movw %fs, seen_fs(%rip)\n	movw %gs, seen_gs(%rip)\n"
	"	jmp handle\n"
	".globl restore\nrestore:\n	movl $15, %eax\n	syscall\n"
	".globl run_next\nrun_next:\n"
	"	movq main_stack_top(%rip), %rsp\n	call serve\n	hlt\n"
	".globl _start\n_start:\n	andq $-16, %rsp\n	call begin\n	hlt\n");

static void write_out(void)
{
	u64 at = 0;
	while (at < out_at) {
		long n = sys(1, 1, (long)(out + at), out_at - at, 0, 0, 0);
		if (n == -4) continue;
		if (n <= 0) sys(231, 0, 0, 0, 0, 0, 0);
		at += n;
	}
	out_at = 0;
}

/* At least `n` bytes of input at in + in_at; the end of input ends the program. */
static void need(u64 n)
{
	if (in_end - in_at >= n) return;
	if (n > sizeof in) die("record too long\n");
	memcpy(in, in + in_at, in_end - in_at);
	in_end -= in_at;
	in_at = 0;
	while (in_end < n) {
		long got = sys(0, 0, (long)(in + in_end), sizeof in - in_end, 0, 0, 0);
		if (got == -4) continue;
		if (got <= 0) sys(231, 0, 0, 0, 0, 0, 0);
		in_end += got;
	}
}

/* Place of a linear address in `base` and `initial`, or -1 if [at, at + n) is not within one area. */
static long place(u32 at, u32 n)
{
	if (at >= DATA && at + n <= DATA + 0x2000) return at - DATA;
	if (at >= TOP && at + n <= TOP + PAGE) return at - TOP + 0x2000;
	if (at >= READ_ONLY && at + n <= READ_ONLY + PAGE) return at - READ_ONLY + WRITABLE;
	return -1;
}

static u32 linear(u32 at)
{
	return at < 0x2000 ? DATA + at : TOP - 0x2000 + at;
}

static u8 *first_patch(struct testcase *c)
{
	return (u8 *)(c + 1) + (c->flags & HAS_FX ? 512 : 0);
}

static void load_base(u8 *body, u32 bytes)
{
	long at = place(*(u32 *)body, bytes - 4);
	if (at < 0) die("base memory outside of the arena\n");
	memcpy(base + at, body + 4, bytes - 4);
	memcpy(initial + at, body + 4, bytes - 4);
	memcpy(file + ARENA_AT + at, body + 4, bytes - 4);
}

/* Puts a case's memory, code and state in place and jumps into it. */
static void __attribute__((noreturn)) start_case(void)
{
	struct testcase *c = current;
	u8 *p = first_patch(c);
	for (u32 i = 0; i < c->patches; i++) {
		u32 at = *(u32 *)p, n = *(u32 *)(p + 4);
		long to = place(at, n);
		if (to < 0) die("patch outside of the arena\n");
		memcpy(initial + to, p + 8, n);
		memcpy(file + ARENA_AT + to, p + 8, n);
		p += 8 + ((n + 3) & ~3u);
	}
	if (c->code_at < CODE || c->code_at + c->code_bytes > CODE + CODE_BYTES) die("code outside of its pages\n");
	memcpy(file + (c->code_at - CODE), p, c->code_bytes);
	if (c->flags & HAS_FX) {
		memcpy(fx, c + 1, 512);
	} else {
		memset(fx, 0, sizeof fx);
		*(u16 *)fx = 0x37f;
		*(u32 *)(fx + 24) = 0x1f80;
	}
	*(u32 *)(fx + 28) = 0;
	memset(fx + 288, 0, 224);
	memcpy(load.regs, c->regs, sizeof load.regs);
	load.eflags = (c->eflags & 0x254dd5) | 0x202;
	load.eip = c->eip;
	load.es = c->seg[0];
	load.cs = c->seg[1];
	load.ss = c->seg[2];
	load.ds = c->seg[3];
	load.fs = c->seg[4];
	load.gs = c->seg[5];
	launch();
	__builtin_unreachable();
}

/* Takes a case's traces away and appends what it changed. */
static u32 *collect(u32 *to)
{
	struct testcase *c = current;
	u64 *live = (u64 *)(file + ARENA_AT), *was = (u64 *)initial;
	u8 *p = first_patch(c);
	for (u64 i = 0; i < WRITABLE / 8; i += 4) {
		if (((live[i] ^ was[i]) | (live[i + 1] ^ was[i + 1]) | (live[i + 2] ^ was[i + 2]) | (live[i + 3] ^ was[i + 3])) == 0) continue;
		for (u64 j = i * 2; j < i * 2 + 8; j++) {
			u32 v = ((u32 *)live)[j];
			if (v == ((u32 *)was)[j]) continue;
			*to++ = linear(j * 4);
			*to++ = v;
			((u32 *)live)[j] = ((u32 *)was)[j];
		}
	}
	for (u32 i = 0; i < c->patches; i++) {
		u32 n = *(u32 *)(p + 4);
		long at = place(*(u32 *)p, n);
		memcpy(initial + at, base + at, n);
		memcpy(file + ARENA_AT + at, base + at, n);
		p += 8 + ((n + 3) & ~3u);
	}
	memset(file + (c->code_at - CODE), 0xcc, c->code_bytes);
	return to;
}

/* The main loop: records until a case, then into the case. It starts anew on an empty stack after every case. */
void serve(void)
{
	for (;;) {
		need(8);
		u32 type = *(u32 *)(in + in_at), bytes = *(u32 *)(in + in_at + 4);
		need(8 + bytes);
		u8 *body = in + in_at + 8;
		in_at += 8 + bytes;
		switch (type) {
		case 1:
			current = (struct testcase *)body;
			case_number++;
			start_case();
		case 2:
			write_out();
			break;
		case 3:
			load_base(body, bytes);
			break;
		case 4:
			*(u32 *)(out + out_at) = (u32)sys(154, 0x11, (long)body, 16, 0, 0, 0);
			out_at += 4;
			break;
		default:
			die("unknown record\n");
		}
	}
}

/* Of the signal frame: struct ucontext, whose machine context begins at 40, 64 bits a register. */
enum { C_DI = 8, C_SI, C_BP, C_BX, C_DX, C_AX, C_CX, C_SP, C_IP, C_FL, C_SEG, C_ERR, C_TRAP, C_MASK, C_CR2, C_FP };

void handle(int signal, void *info, u8 *context)
{
	u64 *m = (u64 *)(context + 40);
	(void)info;
	u16 cs = (u16)m[C_SEG], ss = (u16)(m[C_SEG] >> 48);
	int own = cs == 0x33 && m[C_IP] >> 32 != 0;
	int launching = own && m[C_IP] >= (u64)launch && m[C_IP] < (u64)launch_end;
	u32 kind = KIND_TRAP;
	if (signal == 26) { /* SIGVTALRM: a case that is met twice hangs; the first time it begins again */
		if (own && !launching) {
			__asm__ volatile("movq %0, %%rsp\n\tjmp restore" : : "r"(context));
			__builtin_unreachable();
		}
		if (ticked_case != case_number) {
			ticked_case = case_number;
			ticks = 0;
		}
		if (++ticks < 3) {
			memcpy(file + ARENA_AT, initial, WRITABLE);
			start_case();
		}
		kind = KIND_HANG;
	} else if (own) {
		if (!launching) die("the executor itself faulted\n");
		kind = KIND_SETUP;
	} else if (signal == 31) {
		kind = KIND_SYSCALL;
	}
	if (out_at + sizeof(struct result) + 2 * WRITABLE > sizeof out) write_out();
	struct result *r = (struct result *)(out + out_at);
	r->kind = kind;
	r->vector = m[C_TRAP];
	r->error = m[C_ERR];
	r->cr2 = m[C_CR2];
	r->eip = m[C_IP];
	r->eflags = m[C_FL] & ~0x10000u;
	static const u8 order[8] = { C_AX, C_CX, C_DX, C_BX, C_SP, C_BP, C_SI, C_DI };
	for (int i = 0; i < 8; i++) r->regs[i] = m[order[i]];
	r->seg[0] = seen_es;
	r->seg[1] = cs;
	r->seg[2] = ss;
	r->seg[3] = seen_ds;
	r->seg[4] = seen_fs;
	r->seg[5] = seen_gs;
	memcpy(r->fx, (u8 *)m[C_FP], 512);
	memset(r->fx + 8, 0, 16);
	memset(r->fx + 288, 0, 224);
	*(u32 *)(r->fx + 28) = 0;
	u32 *changes = (u32 *)(r + 1);
	u32 *end = collect(changes);
	r->nchanges = (end - changes) / 2;
	r->bytes = (u8 *)end - (u8 *)r;
	out_at += r->bytes;
	run_next();
}

static u8 *map(u64 at, u64 bytes, int prot, int fd, u64 from)
{
	/* MAP_SHARED | MAP_POPULATE, and MAP_FIXED where a place is asked for */
	long r = sys(9, at, bytes, prot, 0x8001 | (at ? 0x10 : 0), fd, from);
	if (r < 0 && r > -4096) die("cannot map the arena\n");
	return (u8 *)r;
}

void begin(void)
{
	struct { void (*handler)(void); u64 flags; void (*restorer)(void); u64 mask; } action = { on_signal, 0x4c000004, restore, 0 };
	struct { void *sp; u32 flags, pad; u64 size; } stack = { signal_stack, 0, 0, sizeof signal_stack };
	struct { u64 every[2], first[2]; } timer = { { 0, 20000 }, { 0, 20000 } };
	static const u8 signals[] = { 4, 5, 7, 8, 11, 26, 31 };
	long fd = sys(319, (long)"arena", 0, 0, 0, 0, 0);
	if (fd < 0 || sys(77, fd, FILE_BYTES, 0, 0, 0, 0) < 0) die("cannot make the arena\n");
	file = map(0, FILE_BYTES, 3, fd, 0);
	memset(file, 0xcc, CODE_BYTES);
	map(CODE, CODE_BYTES, 5, fd, 0);
	map(DATA, 0x2000, 7, fd, ARENA_AT);
	map(TOP, PAGE, 7, fd, ARENA_AT + 0x2000);
	map(READ_ONLY, PAGE, 5, fd, ARENA_AT + WRITABLE);
	main_stack_top = main_stack + sizeof main_stack;
	sys(131, (long)&stack, 0, 0, 0, 0, 0);
	for (u64 i = 0; i < sizeof signals; i++)
		if (sys(13, signals[i], (long)&action, 0, 8, 0, 0) != 0) die("cannot catch signals\n");
	/* Syscalls from anywhere but this program become SIGSYS. Kernels before 5.11 cannot; then the cases must not make any. */
	extern u8 __executable_start[], etext[];
	sys(157, 59, 1, (long)__executable_start, etext - __executable_start, 0, 0);
	sys(38, 1, (long)&timer, 0, 0, 0, 0);
	run_next();
}
