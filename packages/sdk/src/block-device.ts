/**
 * Storage behind a drive: bytes by offset. Backends read and write synchronously, because a transfer must fall on the
 * same instruction in every run; errors of the host (a file that shrank, a full disk) come back as `false`, and the
 * drive tells its guest of a media error. What the guest has written belongs to the machine's state.
 * Who opens files, and in which formats, is a composition root's business.
 */
import type { Stateful } from './state.js';

export interface BlockDevice extends Stateful {
  /** For messages. */
  readonly name: string;
  /** Size in bytes, a multiple of 512; it does not change. */
  readonly bytes: number;
  readonly readOnly: boolean;
  /** Fills `into` from `offset`. False: the host could not; `into` is then undefined. Preconditions: within `bytes`. */
  read(offset: number, into: Uint8Array): boolean;
  /** False: the host could not, or `readOnly`. Preconditions: within `bytes`. */
  write(offset: number, from: Uint8Array): boolean;
  /** What was written is safe from a crash of the host afterwards, where the backend keeps it at all. */
  flush(): boolean;
}

/** A drive as the configuration describes it, with its storage opened. */
export interface Drive {
  readonly media: 'disk' | 'cdrom';
  /** Where it is connected. */
  readonly interface: 'ide' | 'virtio' | 'floppy';
  /** Position on its interface: 0 is the first. */
  readonly unit: number;
  /** A CD-ROM drive without a disc has none. */
  readonly storage: BlockDevice;
}

/** The capability to find one's drives. */
export interface DriveBay {
  drives(on: Drive['interface']): readonly Drive[];
}
