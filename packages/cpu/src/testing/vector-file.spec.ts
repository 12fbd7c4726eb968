/**
 * The file of vectors gives back what was put in, and the comparison sees every kind of difference, but for what the manual leaves open.
 * That the recorded vectors hold is shown in packages/cpu/test.
 */
import { describe, expect, it } from 'vitest';
import { CODE_BASE, DATA_BASE, ldtSelector, type UserOutcome } from './user-environment.js';
import { compareVector, newMasked } from './vector-compare.js';
import {
  BACKGROUND_REGS,
  BACKGROUND_SEG,
  decodeVectors,
  encodeVectors,
  initialFx,
  type Vector,
} from './vector-file.js';

/** `code` at CODE_BASE + 100h that changed nothing and ended well. */
function vector(code: readonly number[], outcome: Partial<UserOutcome> = {}) {
  const input = {
    code: Uint8Array.from(code),
    codeAt: CODE_BASE + 0x100,
    eip: CODE_BASE + 0x100,
    eflags: 0x202,
    regs: Uint32Array.from(BACKGROUND_REGS),
    seg: Uint16Array.from(BACKGROUND_SEG),
    patches: [{ at: DATA_BASE + 3, bytes: Uint8Array.of(1, 2, 3) }],
    fx: initialFx(),
  };
  const unchanged = {
    kind: 'trap' as const,
    vector: 3,
    errorCode: 0,
    cr2: 0,
    eip: input.eip + code.length + 1,
    eflags: input.eflags,
    regs: input.regs.slice(),
    seg: input.seg.slice(),
    fx: initialFx(),
    changes: new Uint32Array(0),
  };
  const all: UserOutcome = { ...unchanged, ...outcome };
  return { input, outcome: all };
}

/** The same outcome with one thing changed. */
function changed(outcome: UserOutcome, change: (copy: UserOutcome) => void): UserOutcome {
  const { regs, seg, fx, changes } = outcome;
  const copy = { ...outcome, regs: regs.slice(), seg: seg.slice(), fx: fx.slice(), changes: changes.slice() };
  change(copy);
  return copy;
}

describe('a file of vectors', () => {
  it('gives back what was put in', () => {
    const plain = vector([0x90]);
    const fault = vector([0x8b, 0x00], { vector: 14, errorCode: 4, cr2: 0xfffffff0, eip: CODE_BASE + 0x100 });
    const busy = vector([0xdd, 0x18]);
    busy.input.fx.set([0x7f, 0x02, 0x00, 0x38, 0x80], 0);
    busy.input.fx.set([1, 2, 3, 4, 5, 6, 7, 0x80, 0xff, 0x3f], 32);
    busy.outcome.fx.set([0x7f, 0x02, 0x00, 0x00, 0x00], 0);
    busy.outcome.fx.set([1, 2, 3, 4, 5, 6, 7, 0x80, 0xff, 0x3f], 32 + 7 * 16);
    busy.outcome.regs[7] = 0x80000000;
    busy.outcome.changes = Uint32Array.of(DATA_BASE + 0xf000, 0xffffffff);
    busy.input.seg[4] = ldtSelector('tiny');
    busy.outcome.seg[4] = 0;
    const groups = [
      { key: 'one', vectors: [plain, fault] },
      { key: 'two', vectors: [busy] },
    ];
    const back = [...decodeVectors(encodeVectors(groups))];
    const plainly = (value: unknown): unknown => JSON.parse(JSON.stringify(value));
    expect(plainly(back)).toEqual(plainly(groups));
  });

  it('is refused when it is something else', () => {
    const file = encodeVectors([]);
    file[file.length - 1] ^= 0xff;
    expect(() => [...decodeVectors(file)]).toThrow();
  });
});

describe('the comparison', () => {
  const nop = vector([0x90]);
  const compare = (v: Vector, change: (copy: UserOutcome) => void) =>
    compareVector(v, changed(v.outcome, change), newMasked());

  it('sees each part of an outcome', () => {
    expect(compare(nop, () => {})).toEqual([]);
    const changes: ((copy: UserOutcome) => void)[] = [
      (copy) => (copy.kind = 'hang'),
      (copy) => (copy.vector = 6),
      (copy) => (copy.errorCode = 8),
      (copy) => (copy.eip += 1),
      (copy) => (copy.eflags ^= 1),
      (copy) => (copy.regs[5] ^= 0x10),
      (copy) => (copy.seg[3] = 0x23),
      (copy) => (copy.fx[3] ^= 1),
      (copy) => (copy.fx[4] = 1),
      (copy) => (copy.fx[24] ^= 1),
      (copy) => (copy.fx[33] ^= 1),
      (copy) => (copy.fx[160 + 7 * 16] ^= 1),
      (copy) => (copy.changes = Uint32Array.of(DATA_BASE, 1)),
    ];
    for (const change of changes) expect(compare(nop, change), change.toString()).not.toEqual([]);
    const fault = vector([0x8b, 0x00], { vector: 14, errorCode: 4, cr2: 0x1000, eip: CODE_BASE + 0x100 });
    expect(compare(fault, (copy) => (copy.cr2 ^= 4))).not.toEqual([]);
  });

  it('leaves out what is undefined, and counts it', () => {
    const and = vector([0x21, 0xc8]);
    const masked = newMasked();
    const got = changed(and.outcome, (copy) => (copy.eflags ^= 0x10));
    expect(compareVector(and, got, masked)).toEqual([]);
    expect([...masked.flags.values()]).toEqual([1]);
    expect(compare(and, (copy) => (copy.eflags ^= 0x40))).not.toEqual([]);
    // fsin: one unit in the last place, not two
    const fsin = vector([0xd9, 0xfe]);
    fsin.outcome.fx.set([0, 0, 0, 0, 0, 0, 0, 0x80, 0xff, 0x3f], 32);
    expect(compare(fsin, (copy) => (copy.fx[32] ^= 1))).toEqual([]);
    expect(compare(fsin, (copy) => (copy.fx[32] ^= 2))).not.toEqual([]);
    // rcpss: the lowest lane within the bound
    const rcpss = vector([0xf3, 0x0f, 0x53, 0xc1]);
    rcpss.outcome.fx.set([0, 0, 0x80, 0x3f], 160);
    expect(compare(rcpss, (copy) => (copy.fx[161] = 0x08))).toEqual([]);
    expect(compare(rcpss, (copy) => (copy.fx[161] = 0x80))).not.toEqual([]);
  });
});
