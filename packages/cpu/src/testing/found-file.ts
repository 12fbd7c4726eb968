/**
 * A vector that the fuzzer found and shrank, as text that a person can read and a spec can replay (found.spec.ts). Lines:
 *
 *   # what it is about, where it comes from
 *   in    name=value ...             registers, segments, x87 and SSE fields that are not zero (flat segments are left out)
 *   in    [linear]=bytes             memory that differs from the base pattern
 *   code  linear  bytes  text        one instruction, the text by iced-x86
 *   out   #vector error=... cr2=...  how it ended; then name=value of what the processor left, where it differs from the beginning
 *   out   [linear]=dword             memory that changed
 *   open  eflags=mask fsw=mask       bits that the manual leaves undefined at that point
 *
 * Values are hexadecimal; st0 is sign and exponent, then significand; xmm0 the whole register, highest byte first. It disassembles
 * nothing (the text comes with the bytes) and runs nothing.
 */
import { USER_CS, USER_DS, type UserCase, type UserOutcome } from './user-environment.js';

export interface Found {
  readonly title: readonly string[];
  readonly input: UserCase;
  readonly outcome: UserOutcome;
  readonly openFlags: number;
  readonly openFsw: number;
}

/** One instruction's bytes and their text, in order. */
export interface CodeLine {
  readonly bytes: Uint8Array;
  readonly text: string;
}

const REGISTERS = ['eax', 'ecx', 'edx', 'ebx', 'esp', 'ebp', 'esi', 'edi'];
const SEGMENTS = ['es', 'cs', 'ss', 'ds', 'fs', 'gs'];
const FLAT = [USER_DS, USER_CS, USER_DS, USER_DS, 0, 0];
/** Name, place in an FXSAVE image, bytes. */
const FX: readonly (readonly [string, number, number])[] = [
  ['fcw', 0, 2],
  ['fsw', 2, 2],
  ['ftw', 4, 1],
  ['mxcsr', 24, 4],
  ...Array.from({ length: 8 }, (_, i) => [`st${i}`, 32 + i * 16, 10] as const),
  ...Array.from({ length: 8 }, (_, i) => [`xmm${i}`, 160 + i * 16, 16] as const),
];

const hex = (value: number, digits = 8) => (value >>> 0).toString(16).padStart(digits, '0');
const hexBytes = (bytes: ArrayLike<number>) => Array.from(bytes, (byte) => hex(byte, 2)).join('');
/** Most significant byte first. */
const hexField = (bytes: Uint8Array) => hexBytes(bytes.slice().reverse());

function initialFx(): Uint8Array {
  const fx = new Uint8Array(512);
  fx.set([0x7f, 0x03]);
  fx.set([0x80, 0x1f], 24);
  return fx;
}

const field = (fx: Uint8Array, at: number, bytes: number) => fx.subarray(at, at + bytes);
const same = (a: Uint8Array, b: Uint8Array) => a.every((byte, i) => byte === b[i]);

export function formatFound(found: Found, code: readonly CodeLine[]): string {
  const { input, outcome } = found;
  const lines = found.title.map((text) => `# ${text}`);
  const given = [`eip=${hex(input.eip)}`, `eflags=${hex(input.eflags, 6)}`];
  REGISTERS.forEach((name, i) => {
    if (input.regs[i] !== 0) given.push(`${name}=${hex(input.regs[i])}`);
  });
  SEGMENTS.forEach((name, i) => {
    if (input.seg[i] !== FLAT[i]) given.push(`${name}=${hex(input.seg[i], 4)}`);
  });
  lines.push(`in    ${given.join(' ')}`);
  const begin = input.fx ?? initialFx();
  const floating = FX.filter(([, at, bytes]) => !same(field(begin, at, bytes), field(initialFx(), at, bytes)));
  if (floating.length > 0) {
    lines.push(
      `in    ${floating.map(([name, at, bytes]) => `${name}=${hexField(field(begin, at, bytes))}`).join(' ')}`,
    );
  }
  for (const { at, bytes } of input.patches) lines.push(`in    [${hex(at)}]=${hexBytes(bytes)}`);
  let at = input.codeAt;
  for (const { bytes, text } of code) {
    lines.push(`code  ${hex(at)}  ${hexBytes(bytes)}  ${text}`);
    at += bytes.length;
  }
  const error = outcome.errorCode === 0 ? '' : ` error=${hex(outcome.errorCode, 4)}`;
  const cr2 = outcome.vector === 14 ? ` cr2=${hex(outcome.cr2)}` : '';
  const left = [`eip=${hex(outcome.eip)}`, `eflags=${hex(outcome.eflags & ~found.openFlags, 6)}`];
  REGISTERS.forEach((name, i) => {
    if (outcome.regs[i] !== input.regs[i]) left.push(`${name}=${hex(outcome.regs[i])}`);
  });
  SEGMENTS.forEach((name, i) => {
    if (outcome.seg[i] !== input.seg[i]) left.push(`${name}=${hex(outcome.seg[i], 4)}`);
  });
  lines.push(`out   #${outcome.vector}${error}${cr2} ${left.join(' ')}`);
  const end = outcome.fx.slice();
  end[2] &= ~found.openFsw;
  end[3] &= ~(found.openFsw >> 8);
  const changed = FX.filter(([, at, bytes]) => !same(field(end, at, bytes), field(begin, at, bytes)));
  if (changed.length > 0) {
    lines.push(`out   ${changed.map(([name, at, bytes]) => `${name}=${hexField(field(end, at, bytes))}`).join(' ')}`);
  }
  for (let i = 0; i < outcome.changes.length; i += 2) {
    lines.push(`out   [${hex(outcome.changes[i])}]=${hex(outcome.changes[i + 1])}`);
  }
  if (found.openFlags !== 0 || found.openFsw !== 0) {
    lines.push(`open  eflags=${hex(found.openFlags, 6)} fsw=${hex(found.openFsw, 4)}`);
  }
  return lines.join('\n') + '\n';
}

const parseBytes = (text: string) => Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));

/** Sets one `name=value` in registers, segments or the FXSAVE image; answers false for a name it does not know. */
function assign(name: string, text: string, regs: Uint32Array, seg: Uint16Array, fx: Uint8Array): boolean {
  const value = Number.parseInt(text, 16);
  const place = FX.find(([each]) => each === name);
  if (REGISTERS.includes(name)) regs[REGISTERS.indexOf(name)] = value;
  else if (SEGMENTS.includes(name)) seg[SEGMENTS.indexOf(name)] = value;
  else if (place !== undefined) fx.set(parseBytes(text).reverse(), place[1]);
  else return false;
  return true;
}

export function parseFound(text: string): Found {
  const title: string[] = [];
  const code: number[] = [];
  const patches: { at: number; bytes: Uint8Array }[] = [];
  const changes: number[] = [];
  const regs = new Uint32Array(8);
  const seg = Uint16Array.from(FLAT);
  const fx = initialFx();
  const plain: Record<string, Record<string, number>> = { in: {}, out: {}, open: {} };
  let codeAt = -1;
  let ended: { regs: Uint32Array; seg: Uint16Array; fx: Uint8Array; vector: number } | undefined;
  for (const line of text.split('\n')) {
    const [kind, ...words] = line.trim().split(/\s+/);
    if (kind === '#') title.push(words.join(' '));
    if (kind === 'code') {
      if (codeAt < 0) codeAt = Number.parseInt(words[0], 16);
      code.push(...parseBytes(words[1]));
    }
    if (kind !== 'in' && kind !== 'out' && kind !== 'open') continue;
    if (kind === 'out') ended ??= { regs: regs.slice(), seg: seg.slice(), fx: fx.slice(), vector: -1 };
    const into = kind === 'out' && ended !== undefined ? ended : { regs, seg, fx };
    for (const word of words) {
      const [name, value] = word.split('=');
      if (name.startsWith('#') && ended !== undefined) ended.vector = Number(name.slice(1));
      else if (name.startsWith('[')) {
        const at = Number.parseInt(name.slice(1, -1), 16);
        if (kind === 'in') patches.push({ at, bytes: parseBytes(value) });
        else changes.push(at, Number.parseInt(value, 16));
      } else if (kind === 'open' || !assign(name, value, into.regs, into.seg, into.fx)) {
        plain[kind][name] = Number.parseInt(value, 16);
      }
    }
  }
  if (ended === undefined || codeAt < 0) throw new Error('not a vector file');
  return {
    title,
    input: {
      code: Uint8Array.from(code),
      codeAt,
      regs,
      eip: plain.in.eip,
      eflags: plain.in.eflags,
      seg,
      patches,
      fx,
    },
    outcome: {
      kind: 'trap',
      vector: ended.vector,
      errorCode: plain.out.error ?? 0,
      cr2: plain.out.cr2 ?? 0,
      regs: ended.regs,
      eip: plain.out.eip,
      eflags: plain.out.eflags,
      seg: ended.seg,
      fx: ended.fx,
      changes: Uint32Array.from(changes),
    },
    openFlags: plain.open.eflags ?? 0,
    openFsw: plain.open.fsw ?? 0,
  };
}

/** Runs nothing: what an outcome looks like in a file, without what is open and with error code and CR2 only where they mean something. */
export function comparable(found: Found, outcome: UserOutcome): string {
  const vector = outcome.vector;
  return formatFound(
    { ...found, title: [], outcome: { ...outcome, errorCode: vector >= 8 ? outcome.errorCode : 0 } },
    [],
  );
}
