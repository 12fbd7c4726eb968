/**
 * Model-specific registers: TSC, SYSENTER, the assist control, performance counters (performance.ts), and the few that
 * system software reads without asking. IA32_APIC_BASE is the local APIC's own register (`Bus.localApic`). SDM Vol. 4,
 * 2.22 "MSRs in the Pentium 4", 2.23 "P6 Family", 2.24 "Pentium
 * Processors". Absent, and #GP(0) like any other index: MTRRs, machine check; CPUID announces none of them.
 * Callers have checked privilege.
 */
import {
  ASSIST_TRAP_CPUID,
  ASSIST_TRAP_SENSITIVE,
  ASSIST_VIRTUAL_IF,
  ASSIST_VIRTUAL_RETURN,
  MSR_ASSIST,
  MSR_ASSIST_INDEX,
  MSR_MISC_ENABLE,
  MSR_SYSENTER_CS,
  MSR_SYSENTER_EIP,
  MSR_SYSENTER_ESP,
  TSC_OFFSET,
  type Assist,
} from '@ringfence/sdk';
import type { Cpu } from '../cpu.js';
import { refreshPrivilege } from '../segments/derived.js';
import { counterHigh, isCounter, performanceWord } from './performance.js';

const P5_MC_ADDR = 0x00;
const P5_MC_TYPE = 0x01;
const IA32_TIME_STAMP_COUNTER = 0x10;
const IA32_PLATFORM_ID = 0x17;
const IA32_APIC_BASE = 0x1b;
const IA32_BIOS_UPDT_TRIG = 0x79;
const IA32_BIOS_SIGN_ID = 0x8b;
const IA32_SYSENTER_CS = 0x174;
const IA32_SYSENTER_ESP = 0x175;
const IA32_SYSENTER_EIP = 0x176;
const IA32_MISC_ENABLE = 0x1a0;
const DEBUGCTL = 0x1d9;
const LAST_BRANCH_FROM_IP = 0x1db;
const LAST_INT_TO_IP = 0x1de;

/** Branch trace storage and PEBS are unavailable: bits 11 and 12 read as ones; performance monitoring (bit 7) as 0. */
const MISC_FIXED = 0x1800;
const MISC_PERFORMANCE = 0x80;

const TWO32 = 0x100000000;

/** Low and high words of the last value read. */
export const msrValue = { low: 0, high: 0 };

export function readTsc(c: Cpu): void {
  const now = c.bus.now();
  const low = (now % TWO32) + (c.s[TSC_OFFSET] >>> 0);
  msrValue.low = low | 0;
  msrValue.high = (Math.floor(now / TWO32) + (c.s[TSC_OFFSET + 1] >>> 0) + (low >= TWO32 ? 1 : 0)) | 0;
}

/**
 * Makes the TSC read as `low` now: before family 0FH model 03H a write clears the high half (SDM Vol. 3B, 17.17
 * "Time-Stamp Counter").
 */
function writeTsc(c: Cpu, low: number): void {
  const now = c.bus.now();
  const difference = (low >>> 0) - (now % TWO32);
  c.s[TSC_OFFSET] = difference | 0;
  c.s[TSC_OFFSET + 1] = (-Math.floor(now / TWO32) - (difference < 0 ? 1 : 0)) | 0;
}

/** #GP(0) unless the register exists here (and takes the value). */
function require(c: Cpu, condition: boolean): void {
  if (!condition) c.gp(0);
}

/** The bits of the assist control that a core with such an assist has. */
function assistBits(assist: Assist): number {
  return ASSIST_TRAP_SENSITIVE | ASSIST_TRAP_CPUID | (assist === 'vif' ? ASSIST_VIRTUAL_IF | ASSIST_VIRTUAL_RETURN : 0);
}

/** Leaves the value in `msrValue`. */
export function readMsr(c: Cpu, index: number): void {
  msrValue.high = 0;
  switch (index >>> 0) {
    case IA32_TIME_STAMP_COUNTER:
      require(c, c.model.features.tsc);
      readTsc(c);
      return;
    case IA32_SYSENTER_CS:
      require(c, c.model.features.sep);
      msrValue.low = c.s[MSR_SYSENTER_CS];
      return;
    case IA32_SYSENTER_ESP:
      require(c, c.model.features.sep);
      msrValue.low = c.s[MSR_SYSENTER_ESP];
      return;
    case IA32_SYSENTER_EIP:
      require(c, c.model.features.sep);
      msrValue.low = c.s[MSR_SYSENTER_EIP];
      return;
    case MSR_ASSIST_INDEX:
      require(c, c.assist !== 'none');
      msrValue.low = c.s[MSR_ASSIST];
      return;
    case IA32_PLATFORM_ID:
    case IA32_BIOS_SIGN_ID:
    case DEBUGCTL:
      require(c, c.model.isa >= 6);
      msrValue.low = 0;
      return;
    case IA32_APIC_BASE:
      readApicBase(c);
      return;
    case P5_MC_ADDR:
    case P5_MC_TYPE:
      require(c, c.model.family === 5);
      msrValue.low = 0;
      return;
    case IA32_MISC_ENABLE:
      require(c, c.model.family === 15);
      msrValue.low = c.s[MSR_MISC_ENABLE] | MISC_FIXED;
      return;
    default:
      readOther(c, index >>> 0);
  }
}

/** Came with the P6 family: a Pentium's APIC is on at its place for good. */
function readApicBase(c: Cpu): void {
  const apic = c.bus.localApic;
  require(c, apic !== undefined && c.model.isa >= 6);
  msrValue.low = apic!.baseLow;
  msrValue.high = apic!.baseHigh;
}

function readOther(c: Cpu, index: number): void {
  const word = performanceWord(c.model, index);
  if (word >= 0) {
    msrValue.low = c.s[word];
    if (isCounter(word)) msrValue.high = c.s[word + 1];
  } else {
    // Of branches nothing is recorded.
    require(c, c.model.family === 6 && index >= LAST_BRANCH_FROM_IP && index <= LAST_INT_TO_IP);
    msrValue.low = 0;
  }
}

export function writeMsr(c: Cpu, index: number, low: number, high: number): void {
  switch (index >>> 0) {
    case IA32_TIME_STAMP_COUNTER:
      require(c, c.model.features.tsc);
      writeTsc(c, low);
      return;
    case IA32_SYSENTER_CS:
      require(c, c.model.features.sep);
      c.s[MSR_SYSENTER_CS] = low;
      return;
    case IA32_SYSENTER_ESP:
      require(c, c.model.features.sep);
      c.s[MSR_SYSENTER_ESP] = low;
      return;
    case IA32_SYSENTER_EIP:
      require(c, c.model.features.sep);
      c.s[MSR_SYSENTER_EIP] = low;
      return;
    case MSR_ASSIST_INDEX:
      require(c, (low & ~assistBits(c.assist)) === 0 && c.assist !== 'none');
      c.s[MSR_ASSIST] = low;
      refreshPrivilege(c);
      c.endBlock();
      return;
    case IA32_APIC_BASE:
      require(c, c.model.isa >= 6 && c.bus.localApic?.writeBase(low, high) === true);
      return;
    case IA32_BIOS_UPDT_TRIG: // no microcode to update
    case IA32_BIOS_SIGN_ID:
      require(c, c.model.isa >= 6);
      return;
    case DEBUGCTL: // neither branch recording nor branch stepping
      require(c, c.model.isa >= 6 && low === 0);
      return;
    case IA32_MISC_ENABLE:
      require(c, c.model.family === 15);
      c.s[MSR_MISC_ENABLE] = low & ~(MISC_FIXED | MISC_PERFORMANCE);
      return;
    default: {
      const word = performanceWord(c.model, index >>> 0);
      require(c, word >= 0);
      c.s[word] = low;
      if (isCounter(word)) c.s[word + 1] = counterHigh(c.model, low, high);
    }
  }
}
