/**
 * Loaders put a kernel into guest memory and say in what processor state it starts. A loader recognises its format,
 * checks the whole file before anything runs, and throws RF_KERNEL_* or RF_INITRD_* for what it cannot take.
 */
import type { FirmwareKernel } from './firmware.js';

export interface LoadRequest {
  /** The kernel file's bytes and its name for messages. */
  readonly kernel: Uint8Array;
  readonly kernelName: string;
  readonly initrd?: Uint8Array;
  readonly initrdName?: string;
  readonly commandLine: string;
  readonly ramBytes: number;
  /** Loader-specific options from the configuration (flat: `address`, `entry`). */
  readonly options: Readonly<Record<string, unknown>>;
}

/** A piece of guest-physical memory to fill before the start. */
export interface LoadSegment {
  readonly address: number;
  readonly bytes: Uint8Array;
}

/** A segment register's starting contents; access as packed in layout.ts (AR_*), limit in bytes. */
export interface SegmentImage {
  readonly selector: number;
  readonly base: number;
  readonly limit: number;
  readonly access: number;
}

/** The processor's state at the first instruction. What is absent keeps its reset value. */
export interface EntryState {
  /** Indexed by EAX..EDI of layout.ts. */
  readonly registers: Readonly<Partial<Record<number, number>>>;
  readonly eip: number;
  readonly eflags: number;
  readonly cr0: number;
  /** Indexed by ES..GS of layout.ts. */
  readonly segments: Readonly<Partial<Record<number, SegmentImage>>>;
  readonly gdt?: { readonly base: number; readonly limit: number };
}

export interface LoadedImage {
  readonly segments: readonly LoadSegment[];
  readonly entry: EntryState;
}

export interface Loader {
  /** Whether the file looks like this loader's format (magic numbers only). */
  recognises(kernel: Uint8Array): boolean;
  load(request: LoadRequest): LoadedImage;
  /** The kernel as firmware starts it, by its real-mode entry; absent in a format that has none. Throws as `load`. */
  forFirmware?(request: LoadRequest): FirmwareKernel;
}
