/**
 * Compares two outcomes of one case, native and ours, under what the manual leaves open: the flags that are undefined where the
 * sequence ended (the case's `taints`, by linear address), accuracies of its last instruction, memory that is not compared. Answers the
 * differences as short texts; none means that they agree. It decides nothing about what is undefined: see
 * packages/cpu/src/testing/undefined.ts and fuzz-semantics.mjs.
 */
import { AREAS, LDT_ENTRIES } from '../../packages/cpu/dist/testing/user-environment.js';
import { baseOf } from './address.mjs';

const NAMES = ['eax', 'ecx', 'edx', 'ebx', 'esp', 'ebp', 'esi', 'edi'];
const SEGMENTS = ['es', 'cs', 'ss', 'ds', 'fs', 'gs'];
const WITH_CODE = new Set([8, 10, 11, 12, 13, 14, 17]);
/** Fetch bit of a page fault's error code: native paging has execute-disable, ours has not. */
const FETCH = 0x10;
const ARITH = 0x8d5;
const CONDITIONS = 0x4700;
const FAR_EXACT = { f2xm1: 1, fyl2x: 1, fyl2xp1: 1, fptan: 1, fpatan: 1, fsin: 1, fcos: 1, fsincos: 1 };

const hex = (value, digits = 8) => (value >>> 0).toString(16).padStart(digits, '0');

const NOTHING_KNOWN = { flags: ARITH, c1: true, name: '' };

/** What is open where an outcome stopped, and the name of the instruction there: of the one that faulted, if one did. */
export function openAt(c, outcome) {
  const at = (baseOf(outcome.seg[1]) + outcome.eip) >>> 0;
  // INT3 points behind itself.
  for (const candidate of outcome.vector === 3 ? [at - 1, at] : [at]) {
    const open = c.taints?.get(candidate);
    if (open !== undefined) return open;
  }
  return NOTHING_KNOWN;
}

/** Memory differences within `bytes` below the stack pointer. */
function belowStack(bytes) {
  return (text, outcome) => {
    if (!text.startsWith('[')) return false;
    const at = Number.parseInt(text.slice(1, 9), 16);
    const wide = (outcome.seg[2] & 4) === 0 || LDT_ENTRIES[outcome.seg[2] >> 3]?.wide !== false;
    const base = baseOf(outcome.seg[2]);
    // A 16-bit stack may have wrapped.
    const depth = wide ? (base + outcome.regs[4] - at) >>> 0 : (outcome.regs[4] - (at - base)) & 0xffff;
    return depth <= bytes + 3;
  };
}
const matches = (pattern) => (text) => pattern.test(text);

/** Where silicon shows traces of an instruction that faulted, or another address of the same operand; each seen on the recorded processor. */
const IMAGES = new Set(['fxsave', 'fxrstor', 'fnsave', 'frstor', 'fldenv', 'fnstenv']);
const QUIRKS = [
  {
    why: 'a page fault in a long operand tells of another byte of it',
    when: (name, vector) => IMAGES.has(name) && vector === 14,
    hides: matches(/^(cr2|\[)/),
  },
  {
    why: 'ENTER that faults on a frame pointer has already written the stack below ESP',
    when: (name, vector) => name === 'enter' && vector >= 12,
    hides: belowStack(32 * 4),
  },
  {
    why: 'POPA that faults on its way has already loaded what it read, PUSHA stored what it could',
    when: (name, vector) => /^(popa|pusha)$/.test(name) && vector >= 12,
    hides: (text, outcome) => /^(e[a-d]x|e[bsd][pi])/.test(text) || belowStack(32)(text, outcome),
  },
  {
    why: 'a near CALL pushes before it looks at the limit of the segment; ours after, as the manual has it',
    when: (name, vector) => name === 'call' && vector >= 12,
    hides: matches(/^vector (12|14|17) 13$/),
  },
  {
    why: 'a far CALL that faults on its second push has already stored the first',
    when: (name, vector) => name === 'callf' && vector >= 12,
    hides: (text, outcome) => text.startsWith('cr2') || belowStack(8)(text, outcome),
  },
  {
    why: 'an MMX instruction that faults on memory has already left x87 mode',
    when: (name, vector) => /^(cvtt?p[sd]2pi|maskmovq)$/.test(name) && vector >= 12 && vector <= 17,
    hides: matches(/^(ftw|fsw|st\d)/),
  },
];
export const quirksSeen = new Map();

/** What a native outcome shows of memory, without what a quirk hides. */
export function honestChanges(c, native) {
  const { name } = openAt(c, native);
  const quirk = QUIRKS.find((each) => each.when(name, native.vector));
  const kept = [];
  for (let i = 0; i < native.changes.length; i += 2) {
    const [at, value] = [native.changes[i], native.changes[i + 1]];
    if (quirk?.hides(`[${hex(at)}]`, native) !== true) kept.push(at, value);
  }
  return Uint32Array.from(kept);
}

/** A null selector's RPL is lost on the way through the kernel. */
const selector = (value) => (value <= 3 ? 0 : value);

/** An x87 register of an FXSAVE image as a number that is close to continuous, for counting units in the last place. */
function ordered(fx, at) {
  const view = new DataView(fx.buffer, fx.byteOffset);
  const exponent = view.getUint16(at + 8, true);
  const value = (BigInt(exponent & 0x7fff) << 63n) + (view.getBigUint64(at, true) & 0x7fffffffffffffffn);
  return exponent & 0x8000 ? -value : value;
}

const isNan = (fx, at) => (((fx[at + 9] & 0x7f) << 8) | fx[at + 8]) === 0x7fff;

function relativeSingles(a, b, at, allowed) {
  const x = new DataView(a.buffer, a.byteOffset).getFloat32(at, true);
  const y = new DataView(b.buffer, b.byteOffset).getFloat32(at, true);
  return Math.abs(x - y) <= allowed * Math.max(Math.abs(x), Math.abs(y));
}

function compareFx(c, open1, a, b, report) {
  const u16 = (fx, at) => fx[at] | (fx[at + 1] << 8);
  const exact = c.final === undefined;
  const transcendental = FAR_EXACT[c.final] === 1;
  const approximate = /^r(cp|sqrt)/.test(c.final ?? '');
  if (u16(a, 0) !== u16(b, 0)) report(`fcw ${hex(u16(a, 0), 4)} ${hex(u16(b, 0), 4)}`);
  const open = (transcendental ? CONDITIONS & ~0x400 : 0) | (open1 ? 0x200 : 0);
  if (((u16(a, 2) ^ u16(b, 2)) & ~open) !== 0) report(`fsw ${hex(u16(a, 2), 4)} ${hex(u16(b, 2), 4)}`);
  if (a[4] !== b[4]) report(`ftw ${hex(a[4], 2)} ${hex(b[4], 2)}`);
  const mxcsr = (fx) => u16(fx, 24) | (u16(fx, 26) << 16);
  if (mxcsr(a) !== mxcsr(b)) report(`mxcsr ${hex(mxcsr(a))} ${hex(mxcsr(b))}`);
  for (let i = 0; i < 8; i++) {
    const at = 32 + i * 16;
    let same = true;
    for (let k = 0; k < 10; k++) same &&= a[at + k] === b[at + k];
    if (same) continue;
    if (transcendental && i < 2 && !isNan(a, at) && !isNan(b, at)) {
      const distance = ordered(a, at) - ordered(b, at);
      if (distance >= -1n && distance <= 1n) continue;
    }
    const text = (fx) => Buffer.from(fx.slice(at, at + 10).reverse()).toString('hex');
    report(`st${i} ${text(a)} ${text(b)}`);
  }
  for (let at = 160; at < 288; at += 4) {
    if (u16(a, at) === u16(b, at) && u16(a, at + 2) === u16(b, at + 2)) continue;
    if (!exact && approximate && relativeSingles(a, b, at, 3 * 2 ** -12)) continue;
    const text = (fx) => hex(u16(fx, at) | (u16(fx, at + 2) << 16));
    report(`xmm${(at - 160) >> 4}.${((at - 160) >> 2) & 3} ${text(a)} ${text(b)}`);
  }
}

function compareMemory(c, native, ours, report) {
  const ignored = (at) => (c.ignore ?? []).some((range) => at + 4 > range.at && at < range.at + range.bytes);
  const mine = new Map();
  for (let i = 0; i < ours.changes.length; i += 2) mine.set(ours.changes[i], ours.changes[i + 1]);
  for (let i = 0; i < native.changes.length; i += 2) {
    const [at, value] = [native.changes[i], native.changes[i + 1]];
    const other = mine.get(at);
    mine.delete(at);
    if (other !== value && !ignored(at))
      report(`[${hex(at)}] ${hex(value)} ${other === undefined ? 'unchanged' : hex(other)}`);
  }
  for (const [at, value] of mine) if (!ignored(at)) report(`[${hex(at)}] unchanged ${hex(value)}`);
}

/** Why an outcome says nothing about the processor, or undefined. */
export function incomparable(native, c) {
  if (native.kind === 'syscall' || native.kind === 'setup') return native.kind;
  if (native.kind === 'died') return `the executor died: ${native.reason.trim()}`;
  if (native.kind !== 'trap') return undefined;
  if (native.seg[1] === 0x33) return '64-bit code';
  if ((native.fx[26] & 2) !== 0) return 'MXCSR.MM, a bit that only AMD has';
  const at = (baseOf(native.seg[1]) + native.eip) >>> 0;
  if (c?.inData && at >= c.inData.from && at <= c.inData.to) return undefined;
  if (AREAS.some((area) => at >= area.at && at < area.at + area.bytes)) return 'ran into data';
  return undefined;
}

export function differences(c, native, ours) {
  const found = [];
  const open = openAt(c, native);
  const quirk = QUIRKS.find((each) => each.when(open.name, native.vector));
  const report = (text) => {
    if (quirk?.hides(text, native) === true) quirksSeen.set(quirk.why, (quirksSeen.get(quirk.why) ?? 0) + 1);
    else found.push(text);
  };
  if (native.kind !== ours.kind) return [`${native.kind} ${native.vector} / ${ours.kind} ${ours.vector}`];
  if (native.kind !== 'trap') return found;
  if (native.vector !== ours.vector) report(`vector ${native.vector} ${ours.vector}`);
  else {
    const clean = (outcome) => (outcome.vector === 14 ? outcome.errorCode & ~FETCH : outcome.errorCode);
    if (WITH_CODE.has(native.vector) && clean(native) !== clean(ours))
      report(`error ${hex(native.errorCode, 4)} ${hex(ours.errorCode, 4)}`);
    if (native.vector === 14 && native.cr2 !== ours.cr2) report(`cr2 ${hex(native.cr2)} ${hex(ours.cr2)}`);
  }
  if (native.eip !== ours.eip) report(`eip ${hex(native.eip)} ${hex(ours.eip)}`);
  const flags = (native.eflags ^ ours.eflags) & ~open.flags;
  if (flags !== 0) report(`eflags ${hex(native.eflags, 6)} ${hex(ours.eflags, 6)}`);
  for (let i = 0; i < 8; i++)
    if (native.regs[i] !== ours.regs[i]) report(`${NAMES[i]} ${hex(native.regs[i])} ${hex(ours.regs[i])}`);
  for (let i = 0; i < 6; i++) {
    if (selector(native.seg[i]) !== selector(ours.seg[i]))
      report(`${SEGMENTS[i]} ${hex(native.seg[i], 4)} ${hex(ours.seg[i], 4)}`);
  }
  compareFx(c, open.c1, native.fx, ours.fx, report);
  compareMemory(c, native, ours, report);
  return found;
}
