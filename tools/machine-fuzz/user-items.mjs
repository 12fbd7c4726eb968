/**
 * Random instructions of 32-bit code that any level may try: integer, string, stack, segment registers, x87, MMX, SSE, and the
 * sensitive ones. Each function emits one instruction, or a few that belong together.
 */
import { d16, d32 } from './assembler.mjs';
import * as L from './layout.mjs';
import { address, dataSelector, memory, readAddress, register, selector } from './operands.mjs';

const mem = (c, at) => memory(c.a, c.random, at ?? address(c.random));
const size = (r) => (r.chance(25) ? [0x66] : []);

function alu(c) {
  const { a, random: r } = c;
  const op = r.below(8) << 3;
  switch (r.below(4)) {
    case 0:
      return a.skippable(size(r), op | r.below(4), 0xc0 | (register(r) << 3) | register(r));
    case 1: {
      const m = mem(c);
      return a.skippable(m.prefix, size(r), op | r.below(4), m.rm(register(r)));
    }
    case 2: {
      const m = mem(c);
      return a.skippable(r.chance(15) ? 0xf0 : [], m.prefix, 0x83, m.rm(r.below(8)), r.byte());
    }
    default:
      return a.skippable(0x81, 0xc0 | (r.below(8) << 3) | register(r), d32(r.value()));
  }
}

function shift(c) {
  const { a, random: r } = c;
  if (r.chance(50)) return a.skippable(size(r), 0xc0 | r.below(2), 0xc0 | (r.below(8) << 3) | register(r), r.byte());
  const m = mem(c);
  a.skippable(m.prefix, r.pick([0xd0, 0xd1, 0xd2, 0xd3]), m.rm(r.below(8)));
}

function multiply(c) {
  const { a, random: r } = c;
  if (r.chance(20)) return a.skippable(0xf7, 0xc0 | register(r), d32(r.value()));
  if (r.chance(40)) return a.skippable(0xf6 | r.below(2), 0xc0 | ((2 + r.below(6)) << 3) | register(r));
  const m = mem(c);
  a.skippable(m.prefix, 0xf6 | r.below(2), m.rm(2 + r.below(6)));
}

/** Two-byte opcodes that take r/m and nothing behind. */
const EXTENDED = [0x40, 0x4c, 0x94, 0x9f, 0xaf, 0xb0, 0xb1, 0xb6, 0xb7, 0xbc, 0xbd, 0xbe, 0xbf, 0xc0, 0xc1, 0xa5, 0xad];
function extended(c) {
  const { a, random: r } = c;
  const op = r.pick(EXTENDED);
  if (r.chance(40)) return a.skippable(size(r), 0x0f, op, 0xc0 | (register(r) << 3) | register(r));
  const m = mem(c);
  const lock = [0xb0, 0xb1, 0xc0, 0xc1].includes(op) && r.chance(30) ? [0xf0] : [];
  a.skippable(lock, m.prefix, size(r), 0x0f, op, m.rm(register(r)));
}

function bits(c) {
  const { a, random: r } = c;
  if (r.chance(50)) {
    const m = mem(c);
    return a.skippable(m.prefix, 0x0f, 0xba, m.rm(4 + r.below(4)), r.byte());
  }
  a.skippable(0xb8, d32(r.below(64))); // mov eax: the bit's number, or it reaches anywhere
  const m = mem(c);
  a.skippable(m.prefix, 0x0f, r.pick([0xa3, 0xab, 0xb3, 0xbb]), m.rm(0));
}

function wide(c) {
  const { a, random: r } = c;
  const m = mem(c);
  if (r.chance(60)) return a.skippable(r.chance(40) ? 0xf0 : [], m.prefix, 0x0f, 0xc7, m.rm(1)); // cmpxchg8b
  a.skippable(m.prefix, r.pick([0x86, 0x87]), m.rm(register(r))); // xchg
}

const SIMPLE = [
  0x27, 0x2f, 0x37, 0x3f, 0x40, 0x41, 0x42, 0x48, 0x49, 0x4b, 0x90, 0x91, 0x93, 0x98, 0x99, 0x9e, 0x9f, 0xf5, 0xf8,
  0xf9, 0xfc, 0xfd, 0xd6,
];
function simple(c) {
  const { a, random: r } = c;
  switch (r.below(6)) {
    case 0:
      return a.skippable(r.pick([0xd4, 0xd5]), r.below(12));
    case 1:
      return a.skippable(0xb8 | register(r), d32(r.value()));
    case 2:
      return a.skippable(0x0f, 0xc8 | register(r)); // bswap
    default:
      return a.skippable(size(r), r.pick(SIMPLE));
  }
}

function move(c) {
  const { a, random: r } = c;
  const store = r.chance(50);
  const m = mem(c, store ? address(r) : readAddress(r));
  if (r.chance(20)) return a.skippable(m.prefix, 0xc7, m.rm(0), d32(r.value()));
  a.skippable(m.prefix, size(r), (store ? 0x88 : 0x8a) | r.below(2), m.rm(register(r)));
}

const STRINGS = [0xa4, 0xa5, 0xaa, 0xab, 0xac, 0xad, 0xa6, 0xa7, 0xae, 0xaf, 0x6c, 0x6e];
function strings(c) {
  const { a, random: r } = c;
  a.skippable(0xbe, d32(readAddress(r)));
  a.skippable(0xbf, d32(address(r)));
  a.skippable(0xb9, d32(r.chance(8) ? 900 : r.below(40)));
  const op = r.pick(STRINGS);
  if (op < 0x70) a.skippable(0xba, d32(0x3d4)); // ins, outs: a port that remembers nothing harmful
  if (r.chance(30)) a.skippable(0xfc | r.below(2));
  const segment = r.chance(15) ? [r.pick([0x64, 0x65, 0x2e])] : [];
  a.skippable(r.chance(70) ? r.pick([0xf2, 0xf3]) : [], segment, size(r), op);
}

function stack(c) {
  const { a, random: r } = c;
  switch (r.below(10)) {
    case 0: {
      const m = mem(c, readAddress(r));
      return a.skippable(m.prefix, 0xff, m.rm(6));
    }
    case 1: {
      const m = mem(c);
      return a.skippable(m.prefix, 0x8f, m.rm(0));
    }
    case 2:
      return a.skippable(0x60);
    case 3:
      return a.skippable(0x61);
    case 4:
      a.skippable(0x89, 0xe5); // mov ebp,esp: the frames that ENTER copies
      return a.skippable(0xc8, d16(r.below(32)), r.below(4));
    case 5:
      a.skippable(0x89, 0xe5); // mov ebp,esp
      return a.skippable(0xc9);
    case 6:
      return a.skippable(0x9c);
    case 7:
      return a.skippable(0x6a, r.byte());
    case 8:
      return a.skippable(r.pick([0x0e, 0x16, 0x1e, 0x06])); // push cs, ss, ds, es
    default:
      return a.skippable(size(r), (r.chance(50) ? 0x50 : 0x58) | register(r));
  }
}

/** PUSHFD, some bits the other way, POPFD. */
function flags(c) {
  const { a, random: r } = c;
  a.skippable(0x9c);
  const toggled = r.weighted([
    [4, 0x200],
    [4, 0x100],
    [3, 0x40000],
    [3, 0x3000],
    [2, 0x200000],
    [2, 0x100000],
    [2, 0x80000],
    [1, 0x4000],
    [1, 0x10000],
    [2, r.next() & 0x3cffff & ~0x20000],
  ]);
  a.skippable(0x81, 0x34, 0x24, d32(toggled)); // xor dword [esp],imm
  a.skippable(r.chance(15) ? 0x66 : [], 0x9d);
}

function segments(c) {
  const { a, random: r } = c;
  const reg = r.pick([0, 3, 4, 5]);
  const value = dataSelector(r, c.ring);
  switch (r.below(4)) {
    case 0:
      a.skippable(0xb8, d32(value));
      return a.skippable(0x8e, 0xc0 | (reg << 3));
    case 1:
      a.skippable(0x68, d32(value));
      return a.skippable([[0x07], [0x1f], [0x0f, 0xa1], [0x0f, 0xa9]][r.below(4)]);
    case 2: {
      // A far pointer in memory: lds, les, lfs, lgs.
      const at = L.PLAY + 0x100 + r.below(0x800);
      a.skippable(0xc7, 0x05, d32(at), d32(r.value()));
      a.skippable(0x66, 0xc7, 0x05, d32(at + 4), d16(value));
      return a.skippable([[0xc4], [0xc5], [0x0f, 0xb4], [0x0f, 0xb5]][r.below(4)], 0x05 | (register(r) << 3), d32(at));
    }
    default:
      // And use it.
      a.skippable(0xb8, d32(value));
      a.skippable(0x8e, 0xe0); // mov fs,ax
      return a.skippable(
        0x64,
        r.pick([0x89, 0x8b]),
        0x05 | (register(r) << 3),
        d32(r.pick([0, 0x10, 0x7e, 0xffe, L.PLAY])),
      );
  }
}

/** SS and what follows it: the shadow, and back. */
function stackSegment(c) {
  const { a, random: r } = c;
  const back = c.ring === 3 ? 0x23 : c.ring === 0 ? 0x10 : c.ring === 1 ? 0x61 : 0x72;
  a.skippable(0xbb, d32(back));
  const small = c.ring === 0 && r.chance(25);
  a.skippable(0xb8, d32(small ? L.SEL.stack16 : r.chance(60) ? back : selector(r)));
  a.skippable(0x8e, 0xd0); // mov ss,ax
  a.skippable(r.pick([[0x90], [0x9c], [0xcd, 0x31], [0x0f, 0xa2], [0x50]]));
  // Beyond the small segment: #SS.
  if (small) a.skippable(0x36, r.pick([0x89, 0x8b]), 0x05, d32(r.pick([0xffe, 0x1000, L.PLAY])));
  a.skippable(0x8e, 0xd3); // mov ss,bx
}

function sensitive(c) {
  const { a, random: r } = c;
  switch (r.below(8)) {
    case 0: {
      const m = mem(c);
      return a.skippable(m.prefix, 0x0f, 0x01, m.rm(r.pick([0, 1, 4]))); // sgdt, sidt, smsw
    }
    case 1: {
      const m = mem(c);
      return a.skippable(m.prefix, 0x0f, 0x00, m.rm(r.pick([0, 1]))); // sldt, str
    }
    case 2:
      return a.skippable(0x0f, 0x00 | r.below(2), 0xc0 | (r.pick([0, 1, 4, 5]) << 3) | register(r));
    case 3:
    case 4:
      a.skippable(0xb8, d32(selector(r)));
      return a.skippable(0x0f, r.pick([0x02, 0x03]), 0xc0 | (register(r) << 3)); // lar, lsl
    case 5:
      a.skippable(0xb8, d32(selector(r)));
      return a.skippable(0x0f, 0x00, 0xe0 | (r.below(2) << 3)); // verr, verw
    case 6:
      a.skippable(0xb8, d32(selector(r)));
      return a.skippable(0x63, 0xc0 | (register(r) << 3)); // arpl
    default:
      return a.skippable(0x8c, 0xc0 | (r.below(6) << 3) | register(r)); // mov r,sreg
  }
}

function info(c) {
  const { a, random: r } = c;
  switch (r.below(4)) {
    case 0:
      a.skippable(0xb8, d32(r.pick([0, 1, 2, 3, 0x80000000, 0x80000002, r.next()])));
      return a.skippable(0x0f, 0xa2);
    case 1:
      return a.skippable(0x0f, 0x31);
    case 2:
      a.skippable(0xb9, d32(r.below(3)));
      return a.skippable(0x0f, 0x33);
    default:
      return a.skippable(0x0f, r.pick([0x0b, 0x34, 0x35, 0x05, 0x09, 0x08])); // ud2, sysenter, sysexit, syscall, wbinvd, invd
  }
}

function software(c) {
  const { a, random: r } = c;
  switch (r.below(6)) {
    case 0:
      return a.skippable(0xcc);
    case 1:
      return a.skippable(0xce);
    case 2:
      return a.skippable(0xf1);
    case 3: {
      const m = mem(c);
      return a.skippable(m.prefix, 0x62, m.rm(register(r)));
    }
    default:
      return a.skippable(0xcd, r.pick([0x30, 0x31, 0x40, 0x41, 0x42, 0x7f, 0xf0, 0xff, 0x0d, 0x20, 0x03, 0x04]));
  }
}

function branchForward(c) {
  const { a, random: r } = c;
  // Over one to three whole items, by a short jump whose length is put in afterwards.
  const at = a.bytes.length;
  a.skippable(r.pick([0x70, 0x72, 0x74, 0x75, 0x78, 0x7a, 0x7c, 0x7e, 0xeb, 0xe2, 0xe3]), 0);
  for (let i = 1 + r.below(2); i > 0; i--) simple(c);
  a.bytes[at + 1] = a.bytes.length - at - 2;
}

function loop(c) {
  const { a, random: r } = c;
  a.skippable(0xb9, d32(1 + r.below(30)));
  const from = a.bytes.length;
  const m = { prefix: [], at: L.PLAY + r.below(0x2ffc) };
  a.skippable(0x01, 0x05 | (register(r) << 3), d32(m.at));
  if (r.chance(50)) a.skippable(0x40 | r.pick([0, 2, 3]));
  a.skippable(0xe2, (from - a.bytes.length - 2) & 255);
}

const PORTS = [0x21, 0x40, 0x42, 0x61, 0x64, 0x71, 0x92, 0x3d5, 0x3da, 0x3fd, 0xe9, 0x80, 0xf0, 0xcfc, 0x1234];
function ports(c) {
  const { a, random: r } = c;
  const port = r.pick(PORTS);
  if (r.chance(50) && port < 256) return a.skippable(size(r), 0xe4 | r.below(2), port);
  a.skippable(0xba, d32(port));
  a.skippable(size(r), 0xec | r.below(2));
}

function output(c) {
  const { a, random: r } = c;
  const [port, value] = r.weighted([
    [6, [0x3f8, 0x20 + r.below(90)]],
    [3, [0x20, r.pick([0x0a, 0x0b, 0x20, 0x60])]],
    [2, [0x21, r.pick([0, 0xb8])]],
    [3, [0x43, r.pick([0x00, 0xe2, 0xc2, 0xd0])]],
    [2, [0x70, r.pick([0, 2, 0x0a, 0x0b, 0x0c, 0x8f])]],
    [1, [0x71, r.pick([0x42, 0x02, 0x26, 0x2f, 0x72])]],
    [2, [0x92, r.pick([0, 2])]],
    [2, [0x3d4, r.below(20)]],
    [1, [0x3d5, r.byte()]],
    [2, [0xf0, 0]],
    [1, [0xe9, r.byte()]],
    [1, [0x61, r.below(4)]],
  ]);
  a.skippable(0xb0, value);
  if (port < 256 && r.chance(50)) return a.skippable(0xe6, port);
  a.skippable(0xba, d32(port));
  a.skippable(0xee);
}

/** Bytes of the code ahead are changed, maybe those of the very next instruction. */
function selfModify(c) {
  const { a, random: r } = c;
  const label = a.fresh('smc');
  const which = r.below(3);
  const parts = { label, plus: 1, size: 4, relative: false };
  if (which === 0) a.skippable(0xc6, 0x05, parts, r.byte());
  else if (which === 1) a.skippable(0xc7, 0x05, parts, d32(r.value()));
  else a.skippable(0x80, 0x05, parts, r.byte());
  for (let i = r.below(3); i > 0; i--) simple(c);
  a.label(label);
  a.skippable(0xb8 | register(r), d32(r.value()));
}

/** A few bytes of code somewhere else, and a call of it: in playground pages, beside descriptors, in the top page. */
function elsewhere(c) {
  const { a, random: r } = c;
  const within = r.pick([0, 0x20, 0x7fd, 0xffb, 0xffc, 0xffd, 0xffe]);
  const at = r.weighted([
    [6, L.PLAY + (r.below(L.PLAY_PAGES) << 12) + within],
    [2, L.PLAY_FRAMES + (r.below(L.PLAY_PAGES) << 12) + within],
    [2, L.LDT + 0x200 + r.below(0x400)],
    [1, L.GDT + 0x300 + r.below(0x100)],
    [1, L.LARGE + L.PLAY_FRAMES + within],
    [1, 0xfffff000 + r.below(0xff0)],
  ]);
  // Three small instructions and RET; written twice over, so that what ran there before has changed.
  const code = [0, 0, 0].map(() => r.pick([0x40, 0x43, 0x90, 0xf8, 0xf5, 0x98, 0x99, 0xfa, 0xf1, 0xcc]));
  a.skippable(0xc7, 0x05, d32(at), ...code, 0xc3);
  a.skippable(0xb8, d32(at));
  a.skippable(0xff, 0xd0);
  if (r.chance(50)) {
    a.skippable(0xc6, 0x05, d32(at), r.pick([0x42, 0xf9, 0x4b]));
    a.skippable(0xb8, d32(at));
    a.skippable(0xff, 0xd0);
  }
}

/** A stack in the playground or beside the LDT for a moment, with an event or two on it. */
function otherStack(c) {
  const { a, random: r } = c;
  const top = r.weighted([
    [6, L.PLAY + (r.below(L.PLAY_PAGES) << 12) + r.pick([0, 2, 4, 8, 0x10, 0x800, 0xffe])],
    [2, L.PLAY_FRAMES + (r.below(L.PLAY_PAGES) << 12) + r.pick([0, 6, 0x800])],
    [2, L.LDT + 0x400 + r.below(0x800)],
  ]);
  a.skippable(0x89, 0xe5); // mov ebp,esp
  a.skippable(0xbc, d32(top));
  for (let i = 1 + r.below(3); i > 0; i--) {
    a.skippable(r.pick([[0x60], [0x50], [0x9c], [0xcd, 0x31], [0x6a, 5], [0x58], [0x0f, 0xa0], [0xcc]]));
  }
  a.skippable(0x89, 0xec); // mov esp,ebp
}

export const integerItems = [
  [10, alu, 'alu'],
  [4, shift, 'shift'],
  [4, multiply, 'multiply'],
  [6, extended, 'extended'],
  [3, bits, 'bits'],
  [3, wide, 'wide'],
  [6, simple, 'simple'],
  [10, move, 'move'],
  [8, strings, 'strings'],
  [8, stack, 'stack'],
  [5, flags, 'flags'],
  [8, segments, 'segments'],
  [2, stackSegment, 'mov-ss'],
  [5, sensitive, 'sensitive'],
  [4, info, 'info'],
  [5, software, 'software-interrupt'],
  [4, branchForward, 'branch'],
  [2, loop, 'loop'],
  [3, ports, 'port-in'],
  [3, output, 'port-out'],
  [2, selfModify, 'self-modify'],
  [3, elsewhere, 'code-elsewhere'],
  [2, otherStack, 'other-stack'],
];
