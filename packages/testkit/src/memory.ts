/** Memory for a spec: some RAM at physical 0, and a physical space that maps it. */
import { MachineMemory, PhysicalSpace } from '@ringfence/sdk';

export interface TestMemory {
  readonly memory: MachineMemory;
  readonly space: PhysicalSpace;
}

/** A machine's memory with all of guest RAM mapped as RAM; monitor frames exist in the memory and are not mapped. */
export function makeMemory(ramBytes = 1024 * 1024, monitorBytes = 0): TestMemory {
  const memory = new MachineMemory(ramBytes, monitorBytes);
  const space = new PhysicalSpace(memory);
  space.mapRam(0, ramBytes);
  return { memory, space };
}
