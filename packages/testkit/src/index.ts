/**
 * Fakes and contract suites for Ringfence parts: what a spec needs to run one part alone, and one suite per interface
 * that every implementation passes, third parties' too. Uses the sdk and vitest, nothing else.
 */
export * from './device-contract.js';
export * from './device-kit.js';
export * from './fake-apic.js';
export * from './fake-board.js';
export * from './fake-bus.js';
export * from './fake-clock.js';
export * from './fake-lines.js';
export * from './fake-network.js';
export * from './flat-mmu.js';
export * from './golden.js';
export * from './memory.js';
export * from './mmu-contract.js';
export * from './policy-contract.js';
export * from './strategy-contracts.js';
export * from './virtio-driver.js';
