/** Disk images for a machine's drives: raw files and qcow2, behind overlays, by the configuration's `drives`. */
export * from './drives.js';
export * from './open-drives.js';
export * from './qcow2.js';
export * from './raw-file.js';
