/** Messages that use, make and move things: Tlopen to Twrite, Treaddir, Treadlink, Tmkdir, Tunlinkat, Trename(at). */
import { FolderError, type FolderPath } from '@ringfence/sdk';
import { type Fid, type OpenMode, below } from './fids.js';
import { qidOf } from './qid.js';
import type { Handler, Session } from './server.js';
import { QID_BYTES, textBytes } from './wire.js';

/** Linux's flags of open(2), as 9P2000.L numbers them. */
const O_ACCMODE = 3;
const O_CREAT = 0o100;
const O_TRUNC = 0o1000;
const MODES: readonly (OpenMode | undefined)[] = ['read', 'write', 'both', undefined];
const AT_REMOVEDIR = 0x200;
/** Linux's d_type. */
const DT = { folder: 4, file: 8, link: 10 } as const;

export const open: Handler = (session, request, reply) => {
  const fid = session.fids.get(request.u32());
  const flags = request.u32();
  const { folder } = session;
  const entry = folder.look(fid.path);
  const mode = modeFor(session, fid, flags);
  if (entry.kind === 'link') throw new FolderError('ELOOP');
  if (entry.kind === 'folder' && mode !== 'read') throw new FolderError('EISDIR');
  if ((flags & O_TRUNC) !== 0 && mode !== 'read') folder.resize(fid.path, 0);
  fid.mode = mode;
  reply.qid(qidOf(fid.path, entry)).u32(session.room);
};

/** The fid of the folder becomes that of the new file, open. */
export const create: Handler = (session, request, reply) => {
  const { folder } = session;
  const fid = session.fids.get(request.u32());
  const path = below(fid.path, request.text());
  const flags = request.u32();
  const permissions = request.u32();
  const mode = modeFor(session, fid, flags | O_CREAT);
  folder.createFile(path, (permissions & 0o100) !== 0);
  fid.path = path;
  fid.mode = mode;
  reply.qid(qidOf(path, folder.look(path))).u32(session.room);
};

export const read: Handler = (session, request, reply) => {
  const { path, mode } = session.fids.get(request.u32());
  const offset = request.u64();
  const count = Math.min(request.u32(), session.room);
  if (mode !== 'read' && mode !== 'both') throw new FolderError('EBADF');
  const at = reply.length;
  reply.u32(0);
  const into = reply.room(count);
  const bytes = offset > Number.MAX_SAFE_INTEGER - count ? 0 : session.folder.read(path, offset, into);
  reply.length = at;
  reply.u32(bytes);
  reply.length += bytes;
};

export const write: Handler = ({ folder, fids }, request, reply) => {
  const { path, mode } = fids.get(request.u32());
  const offset = request.u64();
  const from = request.raw(request.u32());
  if (mode !== 'write' && mode !== 'both') throw new FolderError('EBADF');
  if (offset > Number.MAX_SAFE_INTEGER - from.length) throw new FolderError('EFBIG');
  reply.u32(folder.write(path, offset, from));
};

/** Entries are numbered in the folder's order as it was at its beginning; one that vanishes meanwhile is left out. */
export const readFolder: Handler = (session, request, reply) => {
  const { fids } = session;
  const { path, mode } = fids.get(request.u32());
  const first = request.u64();
  const count = Math.min(request.u32(), session.room);
  if (mode === 'closed') throw new FolderError('EBADF');
  const names = session.listing(path, first === 0);
  const at = reply.length;
  reply.u32(0);
  const start = reply.length;
  for (let i = first; i < names.length; i++) {
    if (reply.length - start + QID_BYTES + 9 + textBytes(names[i]) > count) break;
    const entry = entryAt(session, path, names[i]);
    if (entry === undefined) continue;
    reply
      .qid(entry.qid)
      .u64(i + 1)
      .u8(entry.type)
      .text(names[i]);
  }
  const end = reply.length;
  reply.length = at;
  reply.u32(end - start);
  reply.length = end;
};

export const link: Handler = ({ folder, fids, room }, request, reply) => {
  const target = folder.readLink(fids.get(request.u32()).path);
  if (textBytes(target) > room) throw new FolderError('ENAMETOOLONG');
  reply.text(target);
};

export const makeFolder: Handler = ({ folder, fids }, request, reply) => {
  const path = below(fids.get(request.u32()).path, request.text());
  folder.createFolder(path);
  reply.qid(qidOf(path, folder.look(path)));
};

export const unlink: Handler = ({ folder, fids }, request) => {
  const path = below(fids.get(request.u32()).path, request.text());
  folder.remove(path, (request.u32() & AT_REMOVEDIR) !== 0);
};

export const renameAt: Handler = (session, request) => {
  const from = below(session.fids.get(request.u32()).path, request.text());
  const to = below(session.fids.get(request.u32()).path, request.text());
  move(session, from, to);
};

export const rename: Handler = (session, request) => {
  const { path } = session.fids.get(request.u32());
  const to = below(session.fids.get(request.u32()).path, request.text());
  move(session, path, to);
};

function move({ folder, fids }: Session, from: FolderPath, to: FolderPath): void {
  folder.rename(from, to);
  fids.moved(from, to);
}

function modeFor({ folder }: Session, fid: Fid, flags: number): OpenMode {
  if (fid.mode !== 'closed') throw new FolderError('EBADF');
  const mode = MODES[flags & O_ACCMODE];
  if (mode === undefined) throw new FolderError('EINVAL');
  if (!folder.writable && (mode !== 'read' || (flags & (O_CREAT | O_TRUNC)) !== 0)) throw new FolderError('EROFS');
  return mode;
}

function entryAt({ folder }: Session, path: FolderPath, name: string) {
  try {
    const at = name === '.' ? path : name === '..' ? path.slice(0, -1) : below(path, name);
    const entry = folder.look(at);
    return { qid: qidOf(at, entry), type: DT[entry.kind] };
  } catch (error) {
    if (error instanceof FolderError) return undefined;
    throw error;
  }
}
