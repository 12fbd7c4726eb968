/** What the local APIC asks of a processor model, for specs. */
import type { CpuModel } from '@ringfence/sdk';

const model = (family: number, isa: number): CpuModel => ({ family, isa }) as CpuModel;
export const PENTIUM = model(5, 5);
export const P6 = model(6, 6);
export const PENTIUM4 = model(15, 6);
