/**
 * The fuzzer finds bugs: an instruction broken on purpose is found and shrunk to that one instruction. And ours agrees with this machine
 * over a short run of a fixed seed. Both need an x86-64 Linux with gcc; elsewhere they are skipped, and say why. It runs the built packages.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { failureText, fuzz, type Failure } from './fuzz-run.mjs';
import { NativeExecutor, nativeUnavailable } from './native.mjs';
import { brokenOurs, makeOurs } from './ours.mjs';

const why = nativeUnavailable();
if (why !== undefined) console.log(`the fuzzer is not tested: ${why}`);

const start = {
  regs: new Uint32Array(8),
  eflags: 2,
  seg: Uint16Array.from([0x2b, 0x23, 0x2b, 0x2b, 0, 0]),
  patches: [],
};
const at = { codeAt: 0x110100, eip: 0x110100 };

describe.skipIf(why !== undefined)('the fuzzer', () => {
  let native: NativeExecutor;
  beforeAll(async () => {
    native = await NativeExecutor.start();
  });
  afterAll(() => native.stop());

  it('finds an instruction that is broken on purpose, and shrinks the case to it', async () => {
    // SAR of 32 bits by an immediate forgets the sign.
    const ours = brokenOurs('sar', 0xc1, (c, op) => {
      c.state[op.dst] = c.state[op.dst] >>> (op.imm & 31);
    });
    const found: Failure[] = [];
    const counts = await fuzz({
      native,
      ours,
      seed: 1,
      sequences: 6144,
      failures: 1,
      onFailure: (_number, failure) => found.push(failure),
    });
    expect(counts.failures).toBeGreaterThan(0);
    const [failure] = found;
    expect(failure.sequence.items.map((item) => item.key.split(' ').slice(0, 2).join(' '))).toEqual(['sar c1/7']);
    expect(failureText(failure, ['broken on purpose'])).toMatch(/^code {2}[0-9a-f]{8} {2}[0-9a-f]+ {2}sar /m);
  });

  it('finds no difference in a short run', async () => {
    const texts: string[] = [];
    const counts = await fuzz({
      native,
      ours: makeOurs(),
      seed: 20,
      instructions: 20_000,
      onFailure: (number, failure) => texts.push(failureText(failure, [`sequence ${number}`])),
    });
    expect(texts).toEqual([]);
    expect(counts.instructions).toBeGreaterThanOrEqual(20_000);
    expect(Object.keys(counts.vectors).length).toBeGreaterThan(8);
  });

  it('answers the same for the same case again, and says so when a case never ends', async () => {
    const [endless, add, again] = await native.run([
      { ...start, ...at, code: Uint8Array.from([0xeb, 0xfe]) },
      { ...start, ...at, code: Uint8Array.from([0x83, 0xc0, 0xff]) },
      { ...start, ...at, code: Uint8Array.from([0x83, 0xc0, 0xff]) },
    ]);
    expect(endless.kind).toBe('hang');
    expect(add).toMatchObject({ kind: 'trap', vector: 3, eip: 0x110104 });
    expect(add.regs[0]).toBe(0xffffffff);
    expect(again).toEqual(add);
  });

  it('goes on after a case that the executor dies of', async () => {
    const nop = { ...start, ...at, code: Uint8Array.from([0x90]) };
    const outcomes = await native.run([nop, { ...nop, codeAt: 0 }, nop]);
    expect(outcomes.map((each) => each.kind)).toEqual(['trap', 'died', 'trap']);
    expect(outcomes[1].reason).toContain('code outside of its pages');
    expect(native.restarts).toBeGreaterThan(0);
  });
});
