/** Folders of the host for a machine's guests, by the configuration's `shares`. */
export * from './host-folder.js';
export * from './open-shares.js';
