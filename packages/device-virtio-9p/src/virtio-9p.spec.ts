/** 9P2000.L over the transport, on a folder in memory: sessions, walks, files, and requests that are none. */
import { FolderError, type FolderEntry, type FolderPath, type SharedFolder } from '@ringfence/sdk';
import { VirtioDriver, deviceContract, makeDeviceKit, type DeviceKit } from '@ringfence/testkit';
import { describe, expect, it } from 'vitest';
import { Virtio9p, virtio9p } from './index.js';
import { Reader, Writer } from './wire.js';

const RINGS = 0x1000;
const REQUEST = 0x10000;
const REPLY = 0x14000;
const REPLY_BYTES = 0x4000;
const T = { statfs: 8, open: 12, create: 14, symlink: 16, rename: 20, readlink: 22, getattr: 24, setattr: 26 } as const;
const T2 = { xattr: 30, readdir: 40, fsync: 50, lock: 52, getlock: 54, mkdir: 72, renameat: 74, unlinkat: 76 } as const;
const T3 = { version: 100, auth: 102, attach: 104, flush: 108, walk: 110, read: 116, write: 118, clunk: 120 } as const;
const [ENOENT, EBADF, EINVAL, EMFILE, EROFS, EPERM, EPROTO, EOPNOTSUPP] = [2, 9, 22, 24, 30, 1, 71, 95];

/** A tree in memory: a text is a file, `->x` a link, an object a folder. */
type Tree = { [name: string]: Tree | string };

class TreeFolder implements SharedFolder {
  readonly tag = 'host';
  constructor(
    readonly tree: Tree,
    readonly writable = false,
  ) {}

  private at(path: FolderPath): Tree | string {
    let found: Tree | string = this.tree;
    for (const name of path) {
      const next: Tree | string | undefined = typeof found === 'object' ? found[name] : undefined;
      if (next === undefined) throw new FolderError('ENOENT');
      found = next;
    }
    return found;
  }
  private set(path: FolderPath, value: Tree | string | undefined): void {
    const above = this.at(path.slice(0, -1)) as Tree;
    if (value === undefined) delete above[path.at(-1)!];
    else above[path.at(-1)!] = value;
  }
  look(path: FolderPath): FolderEntry {
    const it = this.at(path);
    const kind = typeof it === 'object' ? 'folder' : it.startsWith('->') ? 'link' : 'file';
    return { kind, bytes: typeof it === 'string' ? it.length : 0, executable: false, modified: undefined };
  }
  list(path: FolderPath): string[] {
    return Object.keys(this.at(path)).sort();
  }
  readLink(path: FolderPath): string {
    return (this.at(path) as string).slice(2);
  }
  read(path: FolderPath, offset: number, into: Uint8Array): number {
    const bytes = Buffer.from(this.at(path) as string).subarray(offset, offset + into.length);
    into.set(bytes);
    return bytes.length;
  }
  write(path: FolderPath, offset: number, from: Uint8Array): number {
    const text = this.at(path) as string;
    this.set(path, text.slice(0, offset) + Buffer.from(from).toString() + text.slice(offset + from.length));
    return from.length;
  }
  sync(): void {}
  createFile(path: FolderPath): void {
    this.set(path, '');
  }
  createFolder(path: FolderPath): void {
    this.set(path, {});
  }
  remove(path: FolderPath): void {
    if (!this.writable) throw new FolderError('EROFS');
    this.at(path);
    this.set(path, undefined);
  }
  rename(from: FolderPath, to: FolderPath): void {
    const moved = this.at(from);
    this.set(from, undefined);
    this.set(to, moved);
  }
  resize(path: FolderPath, bytes: number): void {
    this.set(path, (this.at(path) as string).slice(0, bytes));
  }
  setExecutable(): void {}
}

const make = (kit: DeviceKit, folder: SharedFolder): Virtio9p =>
  new Virtio9p(kit.pci, kit.windows, kit.dma, kit.clock, kit.board, { list: () => [folder] });

const TREE = (): Tree => ({ 'a.txt': 'hello, guest', dir: { b: 'B', c: 'C' }, link: '->/etc/passwd' });

function setUp(folder: SharedFolder = new TreeFolder(TREE())) {
  const kit = makeDeviceKit();
  const device = make(kit, folder);
  device.reset();
  const driver = new VirtioDriver(kit, '10.0', 'modern');
  const [queue] = driver.start(1, RINGS);
  const { ram } = kit.dma;
  /** Sends bytes as they are; the reply's type, and a reader behind its header. */
  const exchange = (bytes: Uint8Array, room = REPLY_BYTES): { type: number; tag: number; body: Reader } => {
    ram.set(bytes, REQUEST);
    queue.add([
      { address: REQUEST, bytes: bytes.length },
      { address: REPLY, bytes: room, write: true },
    ]);
    queue.notify();
    kit.clock.advance(1_000_000);
    const [used] = queue.used();
    const body = new Reader(ram.slice(REPLY, REPLY + used.bytes));
    expect(body.u32()).toBe(used.bytes);
    return { type: body.u8(), tag: body.u16(), body };
  };
  const call = (type: number, write: (to: Writer) => unknown) => {
    const bytes = new Uint8Array(8192);
    const writer = new Writer(bytes, 7);
    write(writer);
    new Writer(bytes).u32(writer.length).u8(type).u16(5);
    return exchange(bytes.subarray(0, writer.length));
  };
  /** A call that succeeds. */
  const ok = (type: number, write: (to: Writer) => unknown): Reader => {
    const reply = call(type, write);
    expect([reply.type, reply.tag], `errno ${reply.type === 7 ? reply.body.u32() : ''}`).toEqual([type + 1, 5]);
    return reply.body;
  };
  const fails = (type: number, write: (to: Writer) => unknown): number => {
    const reply = call(type, write);
    expect([reply.type, reply.tag]).toEqual([7, 5]);
    return reply.body.u32();
  };
  const begin = (): void => {
    ok(T3.version, (to) => to.u32(8192).text('9P2000.L'));
    ok(T3.attach, (to) => to.u32(0).u32(0xffffffff).text('root').text('').u32(0));
  };
  const walk = (fid: number, newFid: number, ...names: string[]) => {
    const write = (to: Writer): void => {
      to.u32(fid).u32(newFid).u16(names.length);
      for (const name of names) to.text(name);
    };
    return { ok: () => ok(T3.walk, write), fails: () => fails(T3.walk, write) };
  };
  const openFid = (fid: number, flags: number) => (to: Writer) => to.u32(fid).u32(flags);
  const readAt = (fid: number, offset: number, count: number): string => {
    const body = ok(T3.read, (to) => to.u32(fid).u64(offset).u32(count));
    return Buffer.from(body.raw(body.u32())).toString();
  };
  return { kit, device, driver, queue, exchange, call, ok, fails, begin, walk, openFid, readAt };
}

const qidType = (body: Reader): number => {
  const type = body.u8();
  body.raw(12);
  return type;
};

describe('the device', () => {
  it('tells its tag', () => {
    const { kit, driver } = setUp();
    expect(kit.pci.configRead('10.0', 0)).toBe(0x10091af4);
    expect(driver.config(0, 2)).toBe(4);
    expect(Buffer.from([2, 3, 4, 5].map((at) => driver.config(at, 1))).toString()).toBe('host');
  });

  it('stands once for each share', () => {
    const kit = makeDeviceKit();
    const folders = { list: () => [new TreeFolder({}), new TreeFolder({})] };
    new Virtio9p(kit.pci, kit.windows, kit.dma, kit.clock, kit.board, folders);
    expect([...kit.pci.functions.keys()]).toEqual(['10.0', '11.0']);
  });
});

describe('a session', () => {
  it('agrees on a version and a size', () => {
    const { ok } = setUp();
    const agree = (bytes: number, version: string): [number, string] => {
      const body = ok(T3.version, (to) => to.u32(bytes).text(version));
      return [body.u32(), body.text()];
    };
    expect(agree(8192, '9P2000.L')).toEqual([8192, '9P2000.L']);
    expect(agree(0xffffffff, '9P2000.L')).toEqual([0x20000, '9P2000.L']);
    expect(agree(8192, '9P2000')[1]).toBe('unknown');
    expect(agree(100, '9P2000.L')[1]).toBe('unknown');
  });

  it('is nothing before that, and forgets its fids by it', () => {
    const { fails, begin, ok, walk } = setUp();
    expect(fails(T3.attach, (to) => to.u32(0).u32(0).text('').text('').u32(0))).toBe(EPROTO);
    begin();
    walk(0, 1).ok();
    ok(T3.version, (to) => to.u32(8192).text('9P2000.L'));
    expect(fails(T3.clunk, (to) => to.u32(1))).toBe(EBADF);
  });

  it('walks as far as it goes', () => {
    const { begin, walk, fails } = setUp();
    begin();
    const body = walk(0, 1, 'dir', 'b').ok();
    expect([body.u16(), qidType(body), qidType(body)]).toEqual([2, 0x80, 0]);
    expect(walk(0, 2, 'none').fails()).toBe(ENOENT);
    expect(walk(0, 2, 'dir', 'none').ok().u16()).toBe(1);
    expect(fails(T3.clunk, (to) => to.u32(2))).toBe(EBADF); // not made
    expect(walk(0, 1).fails()).toBe(EBADF); // in use
    expect(walk(0, 2, '..', '..', 'dir', '..', 'a.txt').ok().u16()).toBe(5);
    for (const name of ['', 'a/b', '../x', 'nul\0']) expect(walk(0, 3, name).fails(), name).toBe(EINVAL);
  });

  it('gives the same thing the same qid, in every run', () => {
    const qids = [setUp(), setUp(new TreeFolder({ z: '', 'a.txt': 'other' }))].map(({ begin, walk }) => {
      begin();
      const body = walk(0, 1, 'a.txt').ok();
      body.u16();
      return Buffer.from(body.raw(13)).toString('hex');
    });
    expect(qids[0]).toBe(qids[1]);
  });

  it('bounds what a client holds', () => {
    const { begin, walk } = setUp();
    begin();
    for (let fid = 1; fid < 1024; fid++) walk(0, fid).ok();
    expect(walk(0, 5000).fails()).toBe(EMFILE);
  });
});

describe('reading', () => {
  it('reads files', () => {
    const { begin, walk, ok, openFid, readAt, fails } = setUp();
    begin();
    walk(0, 1, 'a.txt').ok();
    expect(fails(T3.read, (to) => to.u32(1).u64(0).u32(10))).toBe(EBADF);
    ok(T.open, openFid(1, 0));
    expect([readAt(1, 0, 5), readAt(1, 7, 100), readAt(1, 100, 5)]).toEqual(['hello', 'guest', '']);
    expect(readAt(1, 2 ** 60, 5)).toBe('');
    expect(fails(T.open, openFid(1, 0))).toBe(EBADF); // open already
    expect(fails(T3.write, (to) => to.u32(1).u64(0).u32(0))).toBe(EBADF);
  });

  it('never sends more than was agreed', () => {
    const { begin, walk, ok, openFid, readAt } = setUp(new TreeFolder({ big: 'x'.repeat(50_000) }));
    begin();
    walk(0, 1, 'big').ok();
    ok(T.open, openFid(1, 0));
    expect(readAt(1, 0, 0xffffffff)).toHaveLength(8192 - 24);
  });

  it('lists folders, in pieces', () => {
    const { begin, walk, ok, openFid } = setUp();
    begin();
    walk(0, 1).ok();
    ok(T.open, openFid(1, 0));
    const names: string[] = [];
    for (let at = 0; ;) {
      const body = ok(T2.readdir, (to) => to.u32(1).u64(at).u32(60));
      const bytes = body.u32();
      if (bytes === 0) break;
      const entries = new Reader(body.raw(bytes));
      for (let left = bytes; left > 0;) {
        entries.raw(13);
        at = entries.u64();
        const type = entries.u8();
        const name = entries.text();
        names.push(`${name}:${type}`);
        left -= 13 + 8 + 1 + 2 + name.length;
      }
    }
    expect(names).toEqual(['.:4', '..:4', 'a.txt:8', 'dir:4', 'link:10']);
  });

  it('tells what things are, with times of the machine', () => {
    const { begin, walk, ok, kit } = setUp();
    begin();
    walk(0, 1, 'a.txt').ok();
    const body = ok(T.getattr, (to) => to.u32(1).u64(0x7ff));
    expect(body.u64()).toBe(0x7ff);
    expect(qidType(body)).toBe(0);
    expect([body.u32().toString(8), body.u32(), body.u32(), body.u64()]).toEqual(['100444', 0, 0, 1]);
    body.u64();
    expect([body.u64(), body.u64(), body.u64()]).toEqual([12, 4096, 1]);
    expect([body.u64(), body.u64()]).toEqual([kit.board.epochSeconds, 0]);
    walk(0, 2, 'link').ok();
    expect(ok(T.readlink, (to) => to.u32(2)).text()).toBe('/etc/passwd');
    expect(ok(T.statfs, (to) => to.u32(0)).u32()).toBe(0x01021997);
  });

  it('changes nothing', () => {
    const folder = new TreeFolder(TREE());
    const { begin, walk, fails, openFid } = setUp(folder);
    begin();
    walk(0, 1, 'a.txt').ok();
    for (const flags of [1, 2, 0o1000]) expect(fails(T.open, openFid(1, flags))).toBe(EROFS);
    expect(fails(T.create, (to) => to.u32(0).text('n').u32(1).u32(0o644).u32(0))).toBe(EROFS);
    expect(fails(T.setattr, (to) => to.u32(1).u32(8).u32(0).u32(0).u32(0).u64(0))).toBe(EROFS);
    expect(fails(T2.unlinkat, (to) => to.u32(0).text('a.txt').u32(0))).toBe(EROFS);
    expect(folder.tree).toEqual(TREE());
  });

  it('refuses what it does not have', () => {
    const { begin, fails, call, ok } = setUp();
    begin();
    expect(fails(T.symlink, (to) => to.u32(0).text('l').text('/etc').u32(0))).toBe(EPERM);
    expect(fails(70, (to) => to.u32(0).u32(0).text('l'))).toBe(EPERM);
    expect(fails(T2.xattr, (to) => to.u32(0).u32(1).text('security.x'))).toBe(EOPNOTSUPP);
    expect(fails(T3.auth, (to) => to)).toBe(EOPNOTSUPP);
    expect(fails(250, (to) => to)).toBe(EOPNOTSUPP);
    expect(call(T3.flush, (to) => to.u16(9)).type).toBe(109);
    expect(ok(T2.lock, (to) => to.u32(0).u8(0).u32(0).u64(0).u64(0).u32(1).text('c')).u8()).toBe(0);
    expect(ok(T2.getlock, (to) => to.u32(0).u8(0).u64(0).u64(0).u32(1).text('c')).u8()).toBe(2);
  });
});

describe('writing', () => {
  it('makes, writes, moves and removes', () => {
    const folder = new TreeFolder(TREE(), true);
    const { begin, walk, ok, openFid, readAt, fails } = setUp(folder);
    begin();
    walk(0, 1, 'dir').ok();
    ok(T.create, (to) => to.u32(1).text('new').u32(2).u32(0o644).u32(0));
    ok(T3.write, (to) => to.u32(1).u64(0).u32(4).room(4).set(Buffer.from('text')));
    ok(T2.fsync, (to) => to.u32(1).u32(0));
    expect(folder.tree.dir).toEqual({ b: 'B', c: 'C', new: 'text' });
    walk(0, 2).ok();
    ok(T2.renameat, (to) => to.u32(2).text('dir').u32(2).text('moved'));
    expect(readAt(1, 1, 10)).toBe('ext'); // the open file has moved along
    ok(T.rename, (to) => to.u32(1).u32(0).text('top'));
    expect(folder.tree.top).toBe('text');
    ok(T.setattr, (to) => to.u32(1).u32(8).u32(0).u32(0).u32(0).u64(2).u64(0).u64(0).u64(0).u64(0));
    ok(T2.mkdir, (to) => to.u32(0).text('made').u32(0o755).u32(0));
    ok(T2.unlinkat, (to) => to.u32(0).text('a.txt').u32(0));
    expect(folder.tree).toEqual({ moved: { b: 'B', c: 'C' }, link: '->/etc/passwd', made: {}, top: 'te' });
    walk(0, 3, 'made').ok();
    ok(122, (to) => to.u32(3)); // Tremove
    expect(fails(T3.clunk, (to) => to.u32(3))).toBe(EBADF);
    expect(folder.tree.made).toBeUndefined();
    expect(openFid).toBeDefined();
  });
});

describe('a hostile client', () => {
  it('gets an error for a message cut short anywhere', () => {
    const { begin, exchange } = setUp();
    begin();
    for (const type of [8, 12, 14, 20, 22, 24, 26, 40, 50, 52, 54, 72, 74, 76, 100, 104, 110, 116, 118, 120, 122]) {
      for (let extra = 0; extra < 4; extra++) {
        const bytes = new Uint8Array(7 + extra);
        new Writer(bytes)
          .u32(7 + extra)
          .u8(type)
          .u16(1);
        expect(exchange(bytes).type, `${type}+${extra}`).toBe(7);
      }
    }
  });

  it('gets an error for lengths that lie', () => {
    const { begin, walk, fails, exchange, ok, openFid } = setUp(new TreeFolder(TREE(), true));
    begin();
    walk(0, 1, 'a.txt').ok();
    ok(T.open, openFid(1, 2));
    expect(fails(T3.write, (to) => to.u32(1).u64(0).u32(0xffffffff).u32(1))).toBe(EPROTO);
    expect(fails(T3.walk, (to) => to.u32(0).u32(9).u16(3).u16(0xffff))).toBe(EPROTO);
    expect(fails(T3.walk, (to) => to.u32(0).u32(9).u16(17))).toBe(EINVAL);
    const long = new Uint8Array(7);
    new Writer(long).u32(1000).u8(T3.clunk).u16(1);
    expect(exchange(long).type).toBe(7);
  });

  it.each([
    [
      'a request without a header',
      [
        { address: REQUEST, bytes: 6 },
        { address: REPLY, bytes: 100, write: true },
      ],
    ],
    [
      'a request of megabytes',
      [
        { address: REQUEST, bytes: 1 << 20 },
        { address: REPLY, bytes: 100, write: true },
      ],
    ],
    [
      'no room for a reply',
      [
        { address: REQUEST, bytes: 7 },
        { address: REPLY, bytes: 10, write: true },
      ],
    ],
  ])('must reset the device: %s', (_name, segments) => {
    const { kit, driver, queue } = setUp();
    queue.add(segments);
    queue.notify();
    kit.clock.advance(1_000_000);
    expect(driver.status & 0x40).toBe(0x40);
  });

  it('may say anything: every message has one reply of bounded size', () => {
    const { begin, ok, exchange } = setUp(new TreeFolder(TREE(), true));
    let state = 7;
    const random = (bound: number): number => {
      state = Math.imul(state, 1664525) + 1013904223;
      return (state >>> 8) % bound;
    };
    begin();
    for (let round = 0; round < 3000; round++) {
      const bytes = new Uint8Array(7 + random(60));
      for (let i = 7; i < bytes.length; i++) bytes[i] = random(3) === 0 ? random(256) : random(3);
      const type = random(4) === 0 ? random(256) : 8 + 2 * random(58);
      new Writer(bytes).u32(bytes.length).u8(type).u16(5);
      const reply = exchange(bytes);
      expect([type + 1, 7]).toContain(reply.type);
      if (type === T3.version) begin();
    }
    ok(T3.version, (to) => to.u32(8192).text('9P2000.L'));
  });
});

deviceContract('virtio-9p', {
  make: (kit) => make(kit, new TreeFolder(TREE())),
  resources: virtio9p.resources,
  exercise: (_device, kit) => {
    const [queue] = new VirtioDriver(kit, '10.0', 'modern').start(1, RINGS);
    const send = (type: number, write: (to: Writer) => unknown): void => {
      const bytes = new Uint8Array(100);
      const writer = new Writer(bytes, 7);
      write(writer);
      new Writer(bytes).u32(writer.length).u8(type).u16(1);
      kit.dma.ram.set(bytes, REQUEST);
      queue.add([
        { address: REQUEST, bytes: writer.length },
        { address: REPLY, bytes: 100, write: true },
      ]);
      queue.notify();
      kit.clock.advance(100_000);
    };
    send(T3.version, (to) => to.u32(8192).text('9P2000.L'));
    send(T3.attach, (to) => to.u32(0).u32(0xffffffff).text('').text('').u32(0));
    send(T3.walk, (to) => to.u32(0).u32(7).u16(2).text('dir').text('b'));
    send(T.open, (to) => to.u32(7).u32(0));
  },
});
