/** Messages about what things are: Tgetattr, Tsetattr, Tstatfs. */
import { FolderError, type FolderEntry } from '@ringfence/sdk';
import { qidOf } from './qid.js';
import type { Handler, Session } from './server.js';

const S_IFREG = 0o100000;
const S_IFDIR = 0o040000;
const S_IFLNK = 0o120000;
const BLOCK = 4096;
const SECTOR = 512;
/** Mode, links, owner, device, size, blocks, three times, inode: P9_GETATTR_BASIC. */
const GETATTR_BASIC = 0x7ff;
const SETATTR_MODE = 0x1;
const SETATTR_SIZE = 0x8;
const V9FS_MAGIC = 0x01021997;
const NAME_BYTES = 255;

export const attributes: Handler = (session, request, reply) => {
  const { path } = session.fids.get(request.u32());
  const entry = session.folder.look(path);
  const bytes = entry.kind === 'folder' ? BLOCK : entry.bytes;
  const { seconds, nanoseconds } = entry.modified ?? { seconds: session.epoch, nanoseconds: 0 };
  reply.u64(GETATTR_BASIC).qid(qidOf(path, entry));
  reply.u32(modeOf(session, entry)).u32(0).u32(0);
  reply.u64(1).u64(0).u64(bytes).u64(BLOCK);
  reply.u64(Math.ceil(bytes / SECTOR));
  for (let time = 0; time < 3; time++) reply.u64(seconds).u64(nanoseconds); // read, modified, changed
  for (let absent = 0; absent < 4; absent++) reply.u64(0); // made, generation, version
};

/** Size and who may execute; owners and times are no business of the client's and are left as they are. */
export const setAttributes: Handler = ({ folder, fids }, request) => {
  const { path } = fids.get(request.u32());
  const valid = request.u32();
  const mode = request.u32();
  request.raw(8); // owner, group
  const bytes = request.u64();
  if (!folder.writable) throw new FolderError('EROFS');
  const { kind } = folder.look(path);
  if ((valid & SETATTR_SIZE) !== 0) {
    if (bytes > Number.MAX_SAFE_INTEGER) throw new FolderError('EFBIG');
    folder.resize(path, bytes);
  }
  if ((valid & SETATTR_MODE) !== 0 && kind === 'file') folder.setExecutable(path, (mode & 0o100) !== 0);
};

/** Numbers that say nothing of the host: no space in a share that cannot be written. */
export const statfs: Handler = ({ folder, fids }, request, reply) => {
  fids.get(request.u32());
  const blocks = 1 << 20;
  const free = folder.writable ? blocks / 2 : 0;
  reply.u32(V9FS_MAGIC).u32(BLOCK).u64(blocks).u64(free).u64(free);
  reply.u64(blocks).u64(free).u64(0).u32(NAME_BYTES);
};

function modeOf({ folder }: Session, { kind, executable }: FolderEntry): number {
  if (kind === 'link') return S_IFLNK | 0o777;
  const write = folder.writable ? 0o200 : 0;
  return kind === 'folder' ? S_IFDIR | 0o555 | write : S_IFREG | (executable ? 0o555 : 0o444) | write;
}
