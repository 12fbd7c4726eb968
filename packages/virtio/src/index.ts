/** Virtio over PCI for the packages of virtio devices: a library, not a part. */
export { DescriptorChain, MAX_CHAIN } from './chain.js';
export * from './model.js';
export { SplitQueue } from './split-queue.js';
export { VirtioPci, type VirtioBoard } from './virtio-pci.js';
