/**
 * The public surface of the SDK: every contract between the parts of Ringfence, and the few plain-data structures that
 * hot paths share (memory, physical space, layout). Plugins import this and nothing else of ours.
 */
import 'reflect-metadata';

export { inject, injectable, type DependencyContainer } from 'tsyringe';
export { z } from 'zod';
export * from './apic.js';
export * from './block-device.js';
export * from './bus.js';
export * from './clock.js';
export * from './config.js';
export * from './container.js';
export * from './device.js';
export * from './dump.js';
export * from './errors.js';
export * from './executor.js';
export * from './firmware.js';
export * from './flat-start.js';
export * from './isa-dma.js';
export * from './layout.js';
export * from './loader.js';
export * from './memory.js';
export * from './mmu.js';
export * from './monitor.js';
export * from './network.js';
export * from './network-config.js';
export * from './observe.js';
export * from './page-table-frames.js';
export * from './pci.js';
export * from './pci-config.js';
export * from './physical-space.js';
export * from './platform-tables.js';
export * from './plugin.js';
export * from './processor.js';
export * from './shared-folder.js';
export * from './state.js';
export * from './tokens.js';
