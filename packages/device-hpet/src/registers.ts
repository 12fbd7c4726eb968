/** The event timer block's registers (Intel, IA-PC HPET Specification 1.0a, 2.3 "Register Overview"), by their mnemonics. */

export const TIMERS = 3;
export const HPET_BYTES = 0x400;

/** 100 MHz: a period of exactly 10 000 000 femtoseconds. */
export const HPET_HZ = 100_000_000;
export const PERIOD_FS = 10_000_000;

const REVISION = 0x01;
const LEG_RT_CAP = 1 << 15;
const VENDOR = 0x8086;
/** Low word of GCAP_ID: a main counter of 32 bits, so COUNT_SIZE_CAP is 0. */
export const GCAP_ID = ((VENDOR << 16) | LEG_RT_CAP | ((TIMERS - 1) << 8) | REVISION) >>> 0;

export const REG_GCAP = 0x000;
export const REG_PERIOD = 0x004;
export const REG_GEN_CONF = 0x010;
export const REG_GINTR_STA = 0x020;
export const REG_MAIN_CNT = 0x0f0;
export const REG_TIMER = 0x100;
export const TIMER_STRIDE = 0x20;
// From a timer's base.
export const TN_CONF = 0x00;
export const TN_ROUTE_CAP = 0x04;
export const TN_COMPARATOR = 0x08;

export const ENABLE_CNF = 1 << 0;
export const LEG_RT_CNF = 1 << 1;

export const TN_LEVEL = 1 << 1;
export const TN_ENABLE = 1 << 2;
export const TN_PERIODIC = 1 << 3;
export const TN_PERIODIC_CAP = 1 << 4;
export const TN_VAL_SET = 1 << 6;
export const TN_ROUTE_SHIFT = 9;
const TN_ROUTE = 0x1f << TN_ROUTE_SHIFT;
/** VAL_SET is a command and reads as zero; 32MODE is nothing to a timer of 32 bits. */
export const TN_WRITABLE = TN_LEVEL | TN_ENABLE | TN_PERIODIC | TN_ROUTE;
/** Inputs 20 to 23 of the I/O APIC. */
export const ROUTE_CAP = 0x00f00000;
