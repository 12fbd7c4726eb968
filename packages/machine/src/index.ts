/**
 * The machine: turns a configuration and a registry of parts into a PC that runs a guest, bare or under a monitor, and
 * drives it to an end. Knows the sdk only, never a concrete chip, core or monitor.
 */
export { createMachine } from './create.js';
export { runMachine } from './run.js';
export { PortSpace } from './port-space.js';
export { Sleeper } from './sleeper.js';
export { Scheduler } from './scheduler.js';
export type * from './types.js';
