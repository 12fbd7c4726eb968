/**
 * A server of 9P2000.L over one shared folder (Plan 9 manual, section 5; the messages of the Linux variant as Linux, 9P
 * "9P2000.L" documents them). One client, requests one after the other, so there is nothing for Tflush to stop. What a
 * client sees is the same in every run: qids from paths, owner 0, modes by what may be done, times at the machine's epoch
 * (unless the share shows the host's). Refused: links and device files made by the client (EPERM), extended attributes and
 * authentication (EOPNOTSUPP). Locks are granted: there is nobody else. An open file that is removed is gone.
 */
import { FolderError, type FolderPath, LINUX_ERRNO, type SharedFolder } from '@ringfence/sdk';
import { Fids } from './fids.js';
import { attributes, setAttributes, statfs } from './attributes.js';
import { create, link, makeFolder, open, read, readFolder, rename, renameAt, unlink, write } from './files.js';
import { attach, clunk, remove, walk } from './walking.js';
import { Reader, Writer } from './wire.js';

/** Largest message, whatever the client would like. */
export const MOST_BYTES = 0x20000;
const LEAST_BYTES = 4096;
export const HEADER_BYTES = 7;
const VERSION = '9P2000.L';
const R_ERROR = 7;
const NO_TAG = 0xffff;

/** What a handler of one message works with. */
export interface Session {
  readonly folder: SharedFolder;
  readonly fids: Fids;
  /** Seconds since 1970 at which everything was modified, unless the folder says otherwise. */
  readonly epoch: number;
  /** Bytes of data that fit into a reply of this session. */
  readonly room: number;
  /** Names in a folder with `.` and `..`, looked up anew or as they last were. */
  listing(path: FolderPath, anew: boolean): readonly string[];
}

/** Reads the rest of a request and writes the rest of its reply. Throws `FolderError`. */
export type Handler = (session: Session, request: Reader, reply: Writer) => void;

const HANDLERS: Readonly<Record<number, Handler>> = {
  8: statfs,
  12: open,
  14: create,
  16: refuse('EPERM'), // Tsymlink
  18: refuse('EPERM'), // Tmknod
  20: rename,
  22: link,
  24: attributes,
  26: setAttributes,
  30: refuse('EOPNOTSUPP'), // Txattrwalk
  32: refuse('EOPNOTSUPP'), // Txattrcreate
  40: readFolder,
  50: ({ folder, fids }, request) => folder.sync(fids.get(request.u32()).path),
  52: ({ fids }, request, reply) => void (fids.get(request.u32()), reply.u8(0)), // Tlock: granted
  54: getLock,
  70: refuse('EPERM'), // Tlink
  72: makeFolder,
  74: renameAt,
  76: unlink,
  102: refuse('EOPNOTSUPP'), // Tauth
  104: attach,
  108: () => {}, // Tflush: that request was answered already
  110: walk,
  116: read,
  118: write,
  120: clunk,
  122: remove,
};
const T_VERSION = 100;

export class NineServer implements Session {
  readonly fids = new Fids();
  /** 0 until a version is agreed. */
  messageBytes = 0;
  /** The folder listed last, so that a long one is not listed again for each piece. Derived: not saved. */
  private listed: { readonly of: string; readonly names: readonly string[] } | undefined;

  constructor(
    readonly folder: SharedFolder,
    readonly epoch: number,
  ) {}

  get room(): number {
    return Math.max(0, this.messageBytes - HEADER_BYTES - 17);
  }

  reset(): void {
    this.fids.clear();
    this.messageBytes = 0;
    this.listed = undefined;
  }

  listing(path: FolderPath, anew: boolean): readonly string[] {
    const of = path.join('/');
    if (anew || this.listed?.of !== of) this.listed = { of, names: ['.', '..', ...this.folder.list(path)] };
    return this.listed.names;
  }

  /** Answers the bytes of the reply, written to `into`, which has MOST_BYTES. */
  answer(request: Uint8Array, into: Uint8Array): number {
    const reader = new Reader(request);
    let tag = NO_TAG;
    try {
      if (reader.u32() > request.length) throw new FolderError('EPROTO');
      const type = reader.u8();
      tag = reader.u16();
      const reply = new Writer(into, HEADER_BYTES);
      if (type === T_VERSION) this.version(reader, reply);
      else {
        if (this.messageBytes === 0) throw new FolderError('EPROTO');
        const handler = HANDLERS[type];
        if (handler === undefined) throw new FolderError('EOPNOTSUPP');
        handler(this, reader, reply);
      }
      return finish(into, reply.length, type + 1, tag);
    } catch (error) {
      if (!(error instanceof FolderError)) throw error;
      const reply = new Writer(into, HEADER_BYTES).u32(LINUX_ERRNO[error.errno]);
      return finish(into, reply.length, R_ERROR, tag);
    }
  }

  /** Begins a session: whatever the client held is forgotten (version(5)). */
  private version(request: Reader, reply: Writer): void {
    const bytes = Math.min(MOST_BYTES, request.u32());
    const agreed = request.text() === VERSION && bytes >= LEAST_BYTES;
    this.fids.clear();
    this.messageBytes = agreed ? bytes : 0;
    reply.u32(bytes).text(agreed ? VERSION : 'unknown');
  }
}

function finish(into: Uint8Array, length: number, type: number, tag: number): number {
  new Writer(into).u32(length).u8(type).u16(tag);
  return length;
}

function refuse(errno: keyof typeof LINUX_ERRNO): Handler {
  return () => {
    throw new FolderError(errno);
  };
}

/** Tgetlock: nobody holds any lock. */
function getLock({ fids }: Session, request: Reader, reply: Writer): void {
  const F_UNLCK = 2;
  fids.get(request.u32());
  request.u8();
  const [start, length, process] = [request.u64(), request.u64(), request.u32()];
  reply.u8(F_UNLCK).u64(start).u64(length).u32(process).text('');
}
