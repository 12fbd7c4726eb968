/**
 * The local APIC's registers: offsets, fields, and what differs between the three families that have one (SDM Vol. 3A,
 * table "Local APIC Register Address Map", and the sections on each register).
 */
import type { CpuModel } from '@ringfence/sdk';

export const ID = 0x020;
export const VERSION = 0x030;
export const TPR = 0x080;
export const APR = 0x090;
export const PPR = 0x0a0;
export const EOI = 0x0b0;
export const RRD = 0x0c0;
export const LDR = 0x0d0;
export const DFR = 0x0e0;
export const SVR = 0x0f0;
/** In-service, trigger mode and request register, eight words each. */
export const ISR = 0x100;
export const TMR = 0x180;
export const IRR = 0x200;
export const ESR = 0x280;
export const ICR_LOW = 0x300;
export const ICR_HIGH = 0x310;
/** Timer, thermal sensor, performance counters, LINT0, LINT1, error. */
export const LVT = 0x320;
export const INITIAL_COUNT = 0x380;
export const CURRENT_COUNT = 0x390;
export const DIVIDE = 0x3e0;

/** Indexes into the local vector table. */
export const LVT_TIMER = 0;
export const LVT_THERMAL = 1;
export const LVT_PERFORMANCE = 2;
export const LVT_LINT0 = 3;
export const LVT_LINT1 = 4;
export const LVT_ERROR = 5;
export const LVT_ENTRIES = 6;

// Fields of an entry; those of the command register and of a redirection entry lie alike.
export const VECTOR = 0xff;
export const DELIVERY_MODE_SHIFT = 8;
export const REMOTE_IRR = 1 << 14;
export const TRIGGER_LEVEL = 1 << 15;
export const MASKED = 1 << 16;
export const TIMER_PERIODIC = 1 << 17;

/** Bits that software may write, by index. */
export const LVT_WRITABLE: readonly number[] = [0x300ff, 0x107ff, 0x107ff, 0x1a7ff, 0x1a7ff, 0x100ff];

export const SVR_ENABLE = 0x100;
export const SVR_RESET = 0xff;
export const DFR_FIXED = 0x0fffffff;
export const DFR_FLAT = 0xf;

// ICR
export const ICR_WRITABLE = 0x000ccfff;
export const ICR_LOGICAL = 1 << 11;
export const ICR_ASSERT = 1 << 14;
export const SHORTHAND_SHIFT = 18;
export const TO_SELF = 1;
export const TO_ALL = 2;

// ESR
export const SEND_ACCEPT = 0x04;
export const SEND_ILLEGAL_VECTOR = 0x20;
export const RECEIVED_ILLEGAL_VECTOR = 0x40;
export const ILLEGAL_REGISTER = 0x80;

// IA32_APIC_BASE
export const BASE_BSP = 0x100;
export const BASE_ENABLE = 0x800;
export const BASE_RESET = 0xfee00000 | BASE_ENABLE | BASE_BSP;
/** Bits 0 to 7, 9 and 10. */
export const BASE_RESERVED = 0x6ff;
/** Physical addresses have 36 bits. */
export const BASE_RESERVED_HIGH = ~0xf;

/** The version is that of every later part; which entries there are says "Max LVT Entry" beside it. */
export const APIC_VERSION = 0x14;

/** What a family's local APIC has. */
export interface ApicFamily {
  /** Bit n: the entry with index n is there. */
  readonly entries: number;
  /** APIC IDs have 4 bits on the serial bus, 8 on the system bus. */
  readonly idMask: number;
  /** Bits of SVR that software may write; the rest of the vector reads as ones. */
  readonly svrWritable: number;
  /** Errors it reports. */
  readonly errors: number;
  /** The error status is latched by a write before a read, which the Pentium does not do. */
  readonly latchesErrors: boolean;
}

const P5: ApicFamily = { entries: 0b111001, idMask: 0xf, svrWritable: 0x3f0, errors: 0x6f, latchesErrors: false };
const P6: ApicFamily = { entries: 0b111101, idMask: 0xf, svrWritable: 0x3f0, errors: 0xef, latchesErrors: true };
const NETBURST: ApicFamily = { entries: 0b111111, idMask: 0xff, svrWritable: 0x3ff, errors: 0xe0, latchesErrors: true };

export function apicFamily(model: CpuModel): ApicFamily {
  if (model.family >= 15) return NETBURST;
  return model.isa >= 6 ? P6 : P5;
}
