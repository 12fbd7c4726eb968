/**
 * What the fuzzer must know of instructions beyond their encoding: which flags they read and define (so that undefined ones are never
 * consumed), which general registers they change, what cannot be compared at all and why. By mnemonic of the opcode table; an
 * instruction that is in no list neither reads nor defines flags and changes its first operand. Undefined flags themselves
 * come from packages/cpu/src/testing/undefined.ts.
 */
export const [CF, PF, AF, ZF, SF, OF] = [0x001, 0x004, 0x010, 0x040, 0x080, 0x800];
export const ARITH = CF | PF | AF | ZF | SF | OF;

const words = (text) => text.trim().split(/\s+/);

/** Never generated: [mnemonics, why]. */
export const EXCLUDED = [
  [words('rdtsc rdpmc cpuid'), 'answers differ between processors by design'],
  [words('sysenter sysexit'), '#UD in compatibility mode on AMD'],
  [words('sgdt sidt sldt str smsw'), 'UMIP on the host: the kernel answers'],
  [words('int1'), 'a hypervisor that intercepts it leaves EIP before it'],
];

/** May only end a sequence: [mnemonics, why]. */
export const FINAL = [
  [
    words('f2xm1 fyl2x fyl2xp1 fptan fpatan fsin fcos fsincos'),
    'accuracy of 1 ulp: nothing may compute on with the result',
  ],
  [words('rcpps rcpss rsqrtps rsqrtss'), 'relative error of 1.5 * 2^-12 allowed'],
  [
    words('fnstenv fnsave fxsave'),
    'AMD keeps no x87 pointers without a pending exception: their fields are not compared',
  ],
];

/** Forms that are left out: [what, why]. */
export const LEFT_OUT = [
  ['bswap with a 16-bit register, shld and shrd of 16 bits by more than 16', 'undefined result'],
  ['int 80h', 'a system call of the host'],
  ['iret with NT set', 'long mode has no task return'],
  ['loads of CS with 33h', 'leads to 64-bit mode'],
];

export const excluded = new Map(EXCLUDED.flatMap(([names, why]) => names.map((name) => [name, why])));
export const final = new Map(FINAL.flatMap(([names, why]) => names.map((name) => [name, why])));

/** Always a fault in ring 3, or nearly so: they end a sequence, so they are rare in it. */
export const FAULTING = new Set(
  words(
    'ins outs in out lldt ltr lgdt lidt lmsw invlpg clts invd wbinvd ud2 hlt wrmsr rdmsr int1 int3 int into cli sti bound',
  ),
);

const CONDITIONS = {
  o: OF, no: OF, b: CF, ae: CF, e: ZF, ne: ZF, be: CF | ZF, a: CF | ZF, s: SF, ns: SF, p: PF, np: PF,
  l: SF | OF, ge: SF | OF, le: SF | OF | ZF, g: SF | OF | ZF,
}; // prettier-ignore

const READS = new Map([
  ...words('adc sbb rcl rcr cmc salc').map((name) => [name, CF]),
  ...words('daa das').map((name) => [name, CF | AF]),
  ...words('aaa aas').map((name) => [name, AF]),
  ...words('loope loopne').map((name) => [name, ZF]),
  ...words('pushf').map((name) => [name, ARITH]),
  ['lahf', ARITH & ~OF],
  ['into', OF],
  ...words('fcmovb fcmovnb').map((name) => [name, CF]),
  ...words('fcmove fcmovne').map((name) => [name, ZF]),
  ...words('fcmovbe fcmovnbe').map((name) => [name, CF | ZF]),
  ...words('fcmovu fcmovnu').map((name) => [name, PF]),
]);
for (const [name, flags] of Object.entries(CONDITIONS)) {
  for (const prefix of ['j', 'set', 'cmov']) READS.set(prefix + name, flags);
}

export const readsFlags = (mnemonic) => READS.get(mnemonic) ?? 0;

/** Flags that hold a defined value afterwards, whatever they held before. */
const DEFINES = new Map([
  ...words('add sub adc sbb cmp neg cmpxchg xadd popf iret').map((name) => [name, ARITH]),
  ...words('inc dec').map((name) => [name, ARITH & ~CF]),
  ...words('and or xor test').map((name) => [name, ARITH & ~AF]),
  ...words('sahf').map((name) => [name, ARITH & ~OF]),
  ...words('clc stc').map((name) => [name, CF]),
  ...words('mul imul').map((name) => [name, CF | OF]),
  ...words('aaa aas').map((name) => [name, CF | AF]),
  ...words('daa das').map((name) => [name, ARITH & ~OF]),
  ...words('aam aad').map((name) => [name, SF | ZF | PF]),
  ...words('bt bts btr btc').map((name) => [name, CF]),
  ...words('bsf bsr verr verw lar lsl arpl cmpxchg8b').map((name) => [name, ZF]),
  ...words('cmps scas').map((name) => [name, ARITH]),
  ...words('comiss comisd ucomiss ucomisd fcomi fucomi fcomip fucomip').map((name) => [name, CF | ZF | PF]),
]);

export const definesFlags = (mnemonic) => DEFINES.get(mnemonic) ?? 0;

/**
 * C1 after FCOMI and its kind: the manual clears it, AMD leaves it. Open until an instruction that sets C1 (what loads, stores,
 * computes or compares), and nothing stores the status word meanwhile.
 */
export const OPENS_C1 = new Set(words('fcomi fucomi fcomip fucomip'));
export const STORES_STATUS = new Set(words('fnstsw fnstenv fnsave fxsave'));
const SETS_C1 =
  /^f(ld(?!cw)|i|st|xch|add|mul|sub|div|chs|abs|xtract|prem|sqrt|rndint|scale|com$|comp|ucom$|ucomp|tst|xam|b|ninit|decstp|incstp)/;
export const setsC1 = (mnemonic) => SETS_C1.test(mnemonic) && !OPENS_C1.has(mnemonic);

/** General registers changed besides the first operand, as a bit mask by encoding. */
const [EAX, ECX, EDX, , ESP, EBP, ESI, EDI] = [1, 2, 4, 8, 16, 32, 64, 128];
const CHANGES = new Map([
  ...words('mul imul div idiv').map((name) => [name, EAX | EDX]),
  ...words('cbw lahf salc xlatb aaa aas aam aad daa das in fnstsw').map((name) => [name, EAX]),
  ...words('cwd').map((name) => [name, EDX]),
  ...words('cmpxchg').map((name) => [name, EAX]),
  ...words('cmpxchg8b').map((name) => [name, EAX | EDX]),
  ...words('loop loope loopne').map((name) => [name, ECX]),
  ...words('push pop pusha pushf popf call callf ret retf iret').map((name) => [name, ESP]),
  ...words('enter leave').map((name) => [name, ESP | EBP]),
  ['popa', 255],
  ['movs', ESI | EDI | ECX],
  ['cmps', ESI | EDI | ECX],
  ['stos', EDI | ECX],
  ['scas', EDI | ECX],
  ['lods', ESI | ECX | EAX],
]);
export const changesRegisters = (mnemonic) => CHANGES.get(mnemonic) ?? 0;

/** Change neither of their operands. */
export const READ_ONLY = new Set(
  words('cmp test push bt nop jmp call jmpf callf bound mul imul1 div idiv verr verw lldt ltr lmsw'),
);
/** Change both. */
export const BOTH = new Set(words('xchg xadd'));
