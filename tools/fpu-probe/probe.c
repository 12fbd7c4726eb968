/*
 * Runs single x87 instructions on the machine's own processor, each from a given FPU state. Freestanding, 32-bit.
 *   gcc -m32 -O1 -nostdlib -static -ffreestanding -fno-pic -fno-pie -fno-stack-protector -o probe probe.c
 * Input, records of 256 bytes:  instruction (16 bytes: length, then bytes), FSAVE image (108), memory (128), EFLAGS (4)
 * Output, records of 256 bytes: FSAVE image (108), memory (128), EFLAGS (4), EAX (4), unused (12)
 * The instruction may use EAX and, as [ESI], the memory. FNSAVE does not wait, so unmasked exceptions stay pending in the image.
 */
typedef unsigned int u32;
typedef unsigned char u8;

static int sys(int n, u32 a, u32 b, u32 c, u32 d)
{
	int r;
	__asm__ volatile("int $0x80" : "=a"(r) : "a"(n), "b"(a), "c"(b), "d"(c), "S"(d) : "memory");
	return r;
}

#define RECORD 256
#define MOST 4096

static struct { u8 instruction[16]; u8 image[108]; u8 memory[128]; u32 eflags; } in[MOST];
static struct { u8 image[108]; u8 memory[128]; u32 eflags; u32 eax; u32 unused[3]; } out[MOST];
static u8 *code;

static u8 *emit(u8 *p, u32 count, u32 bytes)
{
	while (count--) {
		*p++ = bytes;
		bytes >>= 8;
	}
	return p;
}

static u8 *emit32(u8 *p, u32 count, u32 bytes, void *address)
{
	return emit(emit(p, count, bytes), 4, (u32)address);
}

static void run(int n)
{
	u8 *p = code;
	for (int i = 0; i < 128; i++) out[n].memory[i] = in[n].memory[i];
	p = emit(p, 1, 0x60);                             /* pusha */
	p = emit32(p, 2, 0x25dd, in[n].image);            /* frstor */
	p = emit32(p, 1, 0xbe, out[n].memory);            /* mov esi */
	p = emit(p, 1, 0xb8), p = emit(p, 4, 0xa5a5a5a5); /* mov eax */
	p = emit32(p, 2, 0x35ff, &in[n].eflags);          /* push */
	p = emit(p, 1, 0x9d);                             /* popf */
	for (int i = 0; i < in[n].instruction[0]; i++) *p++ = in[n].instruction[1 + i];
	p = emit32(p, 2, 0x35dd, out[n].image);           /* fnsave */
	p = emit(p, 1, 0x9c);                             /* pushf */
	p = emit32(p, 2, 0x058f, &out[n].eflags);         /* pop */
	p = emit32(p, 1, 0xa3, &out[n].eax);              /* mov, eax */
	p = emit(p, 2, 0xc361);                           /* popa; ret */
	((void (*)(void))code)();
}

static int all(int call, int fd, u8 *at, int count)
{
	int done = 0, n;
	while (done < count && (n = sys(call, fd, (u32)at + done, count - done, 0)) > 0) done += n;
	return done;
}

void _start(void)
{
	struct { u32 addr, len, prot, flags, fd, off; } map = { 0, 4096, 7, 0x22, -1u, 0 };
	int count;
	code = (u8 *)sys(90, (u32)&map, 0, 0, 0);
	while ((count = all(3, 0, (u8 *)in, sizeof in) / RECORD) > 0) {
		for (int i = 0; i < count; i++) run(i);
		all(4, 1, (u8 *)out, count * RECORD);
	}
	sys(1, 0, 0, 0, 0);
}
