/**
 * SYSENTER and SYSEXIT (SDM Vol. 2B): flat segments made from one MSR, nothing saved, nothing checked in memory. TF stays,
 * so a single-stepped SYSENTER traps at its target.
 */
import {
  CPL,
  CR0,
  CR0_PE,
  CS,
  ECX,
  EDX,
  EFLAGS,
  EIP,
  ESP,
  FLAG_IF,
  FLAG_RF,
  FLAG_VM,
  MSR_SYSENTER_CS,
  MSR_SYSENTER_EIP,
  MSR_SYSENTER_ESP,
  SS,
} from '@ringfence/sdk';
import type { Cpu } from '../cpu.js';
import { END_BRANCHED } from '../core/fault.js';
import { setCpl } from '../segments/derived.js';
import { setSegment } from '../segments/load.js';
import type { OpcodeRow } from '../table/row.js';
import { anySize } from './rows.js';

const FLAT_CODE = 0xc09b;
const FLAT_DATA = 0xc093;

function flatten(c: Cpu, selector: number, cpl: number): void {
  setCpl(c, cpl);
  setSegment(c, CS, selector | cpl, 0, -1, FLAT_CODE | (cpl << 5));
  setSegment(c, SS, (selector + 8) | cpl, 0, -1, FLAT_DATA | (cpl << 5));
  c.end = END_BRANCHED;
}

function checkMsr(c: Cpu): number {
  const cs = c.s[MSR_SYSENTER_CS] & 0xfffc;
  if ((c.s[CR0] & CR0_PE) === 0 || cs === 0) c.gp(0);
  return cs;
}

export function sysenter(c: Cpu): void {
  const cs = checkMsr(c);
  const s = c.s;
  c.loadEflags(c.getEflags() & ~(FLAG_VM | FLAG_IF | FLAG_RF));
  s[ESP] = s[MSR_SYSENTER_ESP];
  s[EIP] = s[MSR_SYSENTER_EIP];
  flatten(c, cs, 0);
}

export function sysexit(c: Cpu): void {
  const cs = checkMsr(c);
  const s = c.s;
  if (s[CPL] !== 0 || (s[EFLAGS] & FLAG_VM) !== 0) c.gp(0);
  s[ESP] = s[ECX];
  s[EIP] = s[EDX];
  flatten(c, (cs + 16) & 0xfffc, 3);
}

export const sysenterRows: readonly OpcodeRow[] = [
  {
    mnemonic: 'sysenter',
    map: 2,
    opcode: 0x34,
    operands: [],
    handlers: anySize(sysenter),
    feature: 'sep',
    ends: true,
    system: true,
  },
  {
    mnemonic: 'sysexit',
    map: 2,
    opcode: 0x35,
    operands: [],
    handlers: anySize(sysexit),
    feature: 'sep',
    ends: true,
    system: true,
  },
];
