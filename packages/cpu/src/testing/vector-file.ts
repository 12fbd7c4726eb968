/**
 * Vectors: what a real processor made of one instruction, and their file. A file holds one family, compressed as a whole; in it each
 * form by its key (vector-forms.ts) and its cases. A case says everything that differs from the fixed background: the environment of
 * user-environment.ts, registers BACKGROUND_REGS, segments BACKGROUND_SEG, the x87 and SSE as FNINIT and MXCSR = 1F80h leave them.
 * So a vector stands for itself; no generator is needed to understand it. It executes and compares nothing.
 *
 *   file     zstd of: "RFVEC1\n", count of forms, then per form: key (length, latin-1), count of cases, cases
 *   case     code (length, bytes), codeAt - CODE_BASE, EFLAGS, registers and segments that differ (mask, values),
 *            patches (count, then each: address - DATA_BASE, length, bytes), x87/SSE fields that differ (mask, bytes)
 *   outcome  vector, error code, CR2 if vector 14, EIP - EIP before (zigzag), EFLAGS xor EFLAGS before, registers and segments that
 *            changed, dwords of memory that changed (count, then each: (address - DATA_BASE) / 4, dword), x87/SSE fields that changed
 * Counts, lengths, offsets and masks are LEB128; registers and dwords are four bytes, selectors two, little endian.
 * The vector of a case that ended well is 3: the INT3 that surrounds its code.
 */
import { zstdCompressSync, zstdDecompressSync, constants } from 'node:zlib';
import {
  CODE_BASE,
  DATA_BASE,
  LDT_ENTRIES,
  USER_CS,
  USER_DS,
  type UserCase,
  type UserOutcome,
} from './user-environment.js';

const MAGIC = 'RFVEC1\n';
/** Registers that a case does not name, EAX to EDI. ESP lies in the middle of the data. */
export const BACKGROUND_REGS: readonly number[] = [
  0xa1a2a3a4,
  0xc1c2c3c4,
  0xd1d2d3d4,
  0xb1b2b3b4,
  DATA_BASE + 0x1000,
  0xe5e6e7e8,
  0x51525354,
  0x71727374,
];
/** ES CS SS DS FS GS. */
export const BACKGROUND_SEG: readonly number[] = [USER_DS, USER_CS, USER_DS, USER_DS, 0, 0];

export interface Vector {
  readonly input: UserCase;
  readonly outcome: UserOutcome;
}
export interface VectorGroup {
  /** The form's key. */
  readonly key: string;
  readonly vectors: readonly Vector[];
}

/** An FXSAVE image after FNINIT, MXCSR = 1F80h. */
export function initialFx(): Uint8Array {
  const fx = new Uint8Array(512);
  fx[0] = 0x7f;
  fx[1] = 0x03;
  fx[24] = 0x80;
  fx[25] = 0x1f;
  return fx;
}

/** Offset in CS of a linear address: what a case's EIP is. */
export function entryPoint(codeAt: number, cs: number): number {
  const base = (cs & 4) === 0 ? 0 : (LDT_ENTRIES[cs >> 3]?.base ?? 0);
  return (codeAt - base) >>> 0;
}

/** The fields of an FXSAVE image that have contents: control, status and tag word, MXCSR, R0-R7, XMM0-XMM7. */
export const FX_FIELDS = 20;
export function fxField(fx: Uint8Array, field: number): Uint8Array {
  if (field === 0) return fx.subarray(0, 2);
  if (field === 1) return fx.subarray(2, 4);
  if (field === 2) return fx.subarray(4, 5);
  if (field === 3) return fx.subarray(24, 28);
  if (field < 12) {
    // By the register's own number, so that a push does not move them all.
    const top = (fx[3] >> 3) & 7;
    const at = 32 + ((field - 4 - top) & 7) * 16;
    return fx.subarray(at, at + 10);
  }
  return fx.subarray(160 + (field - 12) * 16, 176 + (field - 12) * 16);
}
export const FX_NAMES: readonly string[] = [
  ...['fcw', 'fsw', 'ftw', 'mxcsr'],
  ...[0, 1, 2, 3, 4, 5, 6, 7].map((n) => `r${n}`),
  ...[0, 1, 2, 3, 4, 5, 6, 7].map((n) => `xmm${n}`),
];

class Writer {
  private bytes = new Uint8Array(1 << 20);
  private at = 0;

  byte(value: number): void {
    if (this.at === this.bytes.length) {
      const larger = new Uint8Array(this.bytes.length * 2);
      larger.set(this.bytes);
      this.bytes = larger;
    }
    this.bytes[this.at++] = value;
  }
  number(value: number): void {
    let rest = value >>> 0;
    for (; rest > 0x7f; rest >>>= 7) this.byte((rest & 0x7f) | 0x80);
    this.byte(rest);
  }
  raw(bytes: Iterable<number>): void {
    for (const byte of bytes) this.byte(byte);
  }
  word(value: number): void {
    this.byte(value & 0xff);
    this.byte((value >>> 8) & 0xff);
  }
  dword(value: number): void {
    this.word(value & 0xffff);
    this.word(value >>> 16);
  }
  /** The entries of `now` that differ from `was`. */
  changed(now: ArrayLike<number>, was: ArrayLike<number>, write: (value: number) => void): void {
    let mask = 0;
    for (let i = 0; i < was.length; i++) if (now[i] >>> 0 !== was[i] >>> 0) mask |= 1 << i;
    this.number(mask);
    for (let i = 0; i < was.length; i++) if ((mask >> i) & 1) write(now[i]);
  }
  fx(now: Uint8Array, was: Uint8Array): void {
    let mask = 0;
    for (let i = 0; i < FX_FIELDS; i++) if (Buffer.compare(fxField(now, i), fxField(was, i)) !== 0) mask |= 1 << i;
    this.number(mask);
    for (let i = 0; i < FX_FIELDS; i++) if ((mask >> i) & 1) this.raw(fxField(now, i));
  }
  taken(): Uint8Array {
    return this.bytes.subarray(0, this.at);
  }
}

class Reader {
  private at = 0;
  constructor(private readonly bytes: Uint8Array) {}

  byte(): number {
    if (this.at >= this.bytes.length) throw new Error('the file of vectors ends early');
    return this.bytes[this.at++];
  }
  number(): number {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.byte();
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value >>> 0;
    }
  }
  raw(count: number): Uint8Array {
    this.at += count;
    return this.bytes.subarray(this.at - count, this.at);
  }
  word(): number {
    return this.byte() | (this.byte() << 8);
  }
  dword(): number {
    return (this.word() | (this.word() << 16)) >>> 0;
  }
  changed<T extends Uint32Array | Uint16Array>(values: T, read: () => number): T {
    const mask = this.number();
    for (let i = 0; i < values.length; i++) if ((mask >> i) & 1) values[i] = read();
    return values;
  }
  fx(was: Uint8Array): Uint8Array {
    const mask = this.number();
    if (mask === 0) return was;
    const fx = was.slice();
    // The status word first: it says where R0-R7 lie. Those that did not change move with TOP.
    const registers = [0, 1, 2, 3, 4, 5, 6, 7].map((n) => fxField(was, 4 + n).slice());
    for (let i = 0; i < FX_FIELDS; i++) {
      if (i === 4) registers.forEach((register, n) => fxField(fx, 4 + n).set(register));
      if ((mask >> i) & 1) fxField(fx, i).set(this.raw(fxField(fx, i).length));
    }
    return fx;
  }
}

function writeVector(w: Writer, { input, outcome }: Vector): void {
  w.number(input.code.length);
  w.raw(input.code);
  w.number(input.codeAt - CODE_BASE);
  w.number(input.eflags);
  w.changed(input.regs, BACKGROUND_REGS, (value) => w.dword(value));
  w.changed(input.seg, BACKGROUND_SEG, (value) => w.word(value));
  w.number(input.patches.length);
  for (const patch of input.patches) {
    w.number(patch.at - DATA_BASE);
    w.number(patch.bytes.length);
    w.raw(patch.bytes);
  }
  const fx = input.fx ?? initialFx();
  w.fx(fx, initialFx());
  w.byte(outcome.vector);
  w.number(outcome.errorCode);
  if (outcome.vector === 14) w.dword(outcome.cr2);
  const moved = (outcome.eip - input.eip) | 0;
  w.number((moved << 1) ^ (moved >> 31));
  w.number(outcome.eflags ^ input.eflags);
  w.changed(outcome.regs, input.regs, (value) => w.dword(value));
  w.changed(outcome.seg, input.seg, (value) => w.word(value));
  w.number(outcome.changes.length / 2);
  for (let i = 0; i < outcome.changes.length; i += 2) {
    w.number((outcome.changes[i] - DATA_BASE) / 4);
    w.dword(outcome.changes[i + 1]);
  }
  w.fx(outcome.fx, fx);
}

function readVector(r: Reader): Vector {
  const dword = () => r.dword();
  const word = () => r.word();
  const code = r.raw(r.number());
  const codeAt = CODE_BASE + r.number();
  const eflags = r.number();
  const regs = r.changed(Uint32Array.from(BACKGROUND_REGS), dword);
  const seg = r.changed(Uint16Array.from(BACKGROUND_SEG), word);
  const patches: UserCase['patches'][number][] = [];
  for (let n = r.number(); n > 0; n--) {
    const at = DATA_BASE + r.number();
    patches.push({ at, bytes: r.raw(r.number()) });
  }
  const fx = r.fx(initialFx());
  const eip = entryPoint(codeAt, seg[1]);
  const input = { code, codeAt, eip, eflags, regs, seg, patches, fx };
  const vector = r.byte();
  const errorCode = r.number();
  const cr2 = vector === 14 ? r.dword() : 0;
  const moved = r.number();
  const outcome: UserOutcome = {
    kind: 'trap',
    vector,
    errorCode,
    cr2,
    eip: (eip + ((moved >>> 1) ^ -(moved & 1))) >>> 0,
    eflags: r.number() ^ eflags,
    regs: r.changed(regs.slice(), dword),
    seg: r.changed(seg.slice(), word),
    changes: new Uint32Array(r.number() * 2),
    fx,
  };
  for (let i = 0; i < outcome.changes.length; i += 2) {
    outcome.changes[i] = DATA_BASE + r.number() * 4;
    outcome.changes[i + 1] = r.dword();
  }
  outcome.fx = r.fx(fx);
  return { input, outcome };
}

/** The bytes of a file. */
export function encodeVectors(groups: readonly VectorGroup[]): Uint8Array {
  const w = new Writer();
  w.raw(Buffer.from(MAGIC, 'latin1'));
  w.number(groups.length);
  for (const { key, vectors } of groups) {
    w.number(key.length);
    w.raw(Buffer.from(key, 'latin1'));
    w.number(vectors.length);
    for (const vector of vectors) writeVector(w, vector);
  }
  const params = { [constants.ZSTD_c_compressionLevel]: 19, [constants.ZSTD_c_checksumFlag]: 1 };
  return zstdCompressSync(w.taken(), { params });
}

/** The contents of a file, form by form. */
export function* decodeVectors(file: Uint8Array): Generator<VectorGroup> {
  const plain = zstdDecompressSync(file);
  const r = new Reader(new Uint8Array(plain.buffer, plain.byteOffset, plain.length));
  const text = (count: number) => Buffer.from(r.raw(count)).toString('latin1');
  if (text(MAGIC.length) !== MAGIC) throw new Error('not a file of vectors');
  for (let forms = r.number(); forms > 0; forms--) {
    const key = text(r.number());
    const count = r.number();
    const vectors = new Array<Vector>(count);
    for (let i = 0; i < count; i++) vectors[i] = readVector(r);
    yield { key, vectors };
  }
}
