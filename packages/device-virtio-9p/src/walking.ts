/** Messages that lead to things and let go of them: Tattach, Twalk, Tclunk, Tremove. */
import { FolderError, type FolderPath } from '@ringfence/sdk';
import { below } from './fids.js';
import { qidOf } from './qid.js';
import type { Handler } from './server.js';
import type { Qid } from './wire.js';

const MOST_STEPS = 16;

export const attach: Handler = ({ folder, fids }, request, reply) => {
  const fid = request.u32();
  request.u32(); // afid
  request.text(); // who
  const tree = request.text();
  if (tree !== '' && tree !== '/') throw new FolderError('ENOENT');
  const entry = folder.look([]);
  fids.add(fid, []);
  reply.qid(qidOf([], entry));
};

/** Walks as far as it can; only when the first step fails it is an error (walk(5)). The new fid is there after all steps. */
export const walk: Handler = ({ folder, fids }, request, reply) => {
  const fid = request.u32();
  const from = fids.get(fid);
  const newFid = request.u32();
  const steps = request.u16();
  if (steps > MOST_STEPS) throw new FolderError('EINVAL');
  const names = Array.from({ length: steps }, () => request.text());
  let path: FolderPath = from.path;
  const qids: Qid[] = [];
  try {
    for (const name of names) {
      const next: FolderPath = name === '..' ? path.slice(0, -1) : name === '.' ? path : below(path, name);
      if (folder.look(path).kind !== 'folder') throw new FolderError('ENOTDIR');
      qids.push(qidOf(next, folder.look(next)));
      path = next;
    }
  } catch (error) {
    if (qids.length === 0) throw error;
  }
  if (qids.length === names.length) {
    if (newFid === fid) from.path = path;
    else fids.add(newFid, path);
  }
  reply.u16(qids.length);
  for (const qid of qids) reply.qid(qid);
};

export const clunk: Handler = ({ fids }, request) => {
  const fid = request.u32();
  fids.get(fid);
  fids.remove(fid);
};

/** Whether the thing goes or not, the fid does (remove(5)). */
export const remove: Handler = ({ folder, fids }, request) => {
  const fid = request.u32();
  const { path } = fids.get(fid);
  fids.remove(fid);
  folder.remove(path, folder.look(path).kind === 'folder');
};
