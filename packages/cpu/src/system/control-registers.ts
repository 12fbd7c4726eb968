/**
 * Writing CR0, CR3, CR4 and what follows from it: paging modes, privilege caches, breakpoints. SDM Vol. 3A, 2.5 "Control
 * Registers"; Vol. 2B, "MOV—Move to/from Control Registers". Reserved bits of CR0 are ignored (as P6 family parts do);
 * those of CR4 raise #GP(0). Callers have checked privilege.
 */
import {
  CPL,
  CR0,
  CR0_AM,
  CR0_CD,
  CR0_EM,
  CR0_ET,
  CR0_MP,
  CR0_NE,
  CR0_NW,
  CR0_PE,
  CR0_PG,
  CR0_TS,
  CR0_WP,
  CR4,
  CR4_DE,
  CR4_OSFXSR,
  CR4_OSXMMEXCPT,
  CR4_PAE,
  CR4_PCE,
  CR4_PGE,
  CR4_PSE,
  CR4_PVI,
  CR4_TSD,
  CR4_VME,
  FLAG_AC,
  FLAG_ID,
  FLAG_IF,
  FLAG_IOPL,
  FLAG_NT,
  FLAG_RF,
  FLAG_TF,
  FLAG_VIF,
  FLAG_VIP,
  FLAG_VM,
  FLAG_DF,
  FLAGS_ARITH,
  type Assist,
  type CpuModel,
} from '@ringfence/sdk';
import type { Cpu } from '../cpu.js';
import { refreshBreakpoints } from '../events/breakpoints.js';
import { refreshAll } from '../segments/derived.js';

const CR0_386 = CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_PG;
const CR0_486 = CR0_386 | CR0_NE | CR0_WP | CR0_AM | CR0_NW | CR0_CD;

/** EFLAGS bits that exist on a model with such an assist. */
export function writableFlags(model: CpuModel, assist: Assist): number {
  let mask = FLAGS_ARITH | FLAG_TF | FLAG_IF | FLAG_DF | FLAG_IOPL | FLAG_NT | FLAG_RF | FLAG_VM;
  if (model.isa >= 4) mask |= FLAG_AC;
  if (model.cpuid) mask |= FLAG_ID;
  if (model.features.vme || assist === 'vif') mask |= FLAG_VIF | FLAG_VIP;
  return mask;
}

/** CR4 bits that exist on a model; 0 means that there is no CR4. */
export function cr4Mask(model: CpuModel): number {
  const f = model.features;
  let mask = 0;
  if (f.tsc) mask |= CR4_TSD;
  if (f.de) mask |= CR4_DE;
  if (f.pse) mask |= CR4_PSE;
  if (f.pge) mask |= CR4_PGE;
  if (f.vme) mask |= CR4_VME | CR4_PVI;
  if (f.pae) mask |= CR4_PAE;
  if (model.isa >= 6) mask |= CR4_PCE;
  if (f.fxsr) mask |= CR4_OSFXSR;
  if (f.sse) mask |= CR4_OSXMMEXCPT;
  return mask;
}

export function writeCr0(c: Cpu, value: number): void {
  if ((value & CR0_PG) !== 0 && (value & CR0_PE) === 0) c.gp(0);
  if (c.model.isa >= 4 && (value & CR0_NW) !== 0 && (value & CR0_CD) === 0) c.gp(0);
  const s = c.s;
  const old = s[CR0];
  const next = (value & (c.model.isa >= 4 ? CR0_486 : CR0_386)) | CR0_ET;
  // Before anything changes: PDPTEs that this write loads may have reserved bits set.
  if (!c.mmu.writeCr0(next)) c.gp(0);
  s[CR0] = next;
  if (((old ^ next) & CR0_PE) !== 0) s[CPL] = 0;
  refreshAll(c);
  c.endBlock();
}

export function writeCr4(c: Cpu, value: number): void {
  const mask = cr4Mask(c.model);
  if ((value & ~mask) !== 0) c.gp(0);
  const old = c.s[CR4];
  if (!c.mmu.writeCr4(value)) c.gp(0);
  c.s[CR4] = value;
  if (((old ^ value) & CR4_DE) !== 0) refreshBreakpoints(c);
  c.endBlock();
}
