/** The flags of `trace` and `diff-trace`: ranges, addresses, sides, and what is refused. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RingfenceError } from '@ringfence/sdk';
import { describe, expect, it } from 'vitest';
import { LineOutput } from './line-output.js';
import { sideChange } from './side-config.js';
import { fakeIo } from './testing/fake-io.js';
import { parseAddress, planTrace, type TraceFlags } from './trace-flags.js';

const coded = (code: string): unknown => expect.objectContaining({ code });

describe('flags of ringfence trace', () => {
  it('default to the whole run as text', () => {
    expect(planTrace({})).toEqual({
      from: 0,
      to: Infinity,
      around: undefined,
      context: 16,
      hits: 1,
      output: undefined,
      format: 'text',
    });
  });

  it('take counts from 0, in every spelling', () => {
    expect(planTrace({ from: '0', to: '2e6' })).toMatchObject({ from: 0, to: 2_000_000 });
    expect(planTrace({ from: '1_000', to: '1000' })).toMatchObject({ from: 1000, to: 1000 });
  });

  it.each([
    ['0x101234', { kind: 'linear', linear: 0x101234 }],
    ['FFFFFFF0', { kind: 'linear', linear: 0xfffffff0 }],
    ['0010:00101234', { kind: 'far', selector: 0x10, offset: 0x101234 }],
    ['f000:0xfff0', { kind: 'far', selector: 0xf000, offset: 0xfff0 }],
  ])('read the address %s', (text, address) => {
    expect(parseAddress(text, () => undefined)).toEqual(address);
  });

  it('ask for symbols first', () => {
    const symbol = (name: string) => (name === 'add' ? 0x1000 : undefined);
    expect(planTrace({ around: 'add' }, symbol).around).toEqual({ kind: 'linear', linear: 0x1000 });
    expect(planTrace({ around: 'add' }).around).toEqual({ kind: 'linear', linear: 0xadd });
  });

  it.each([
    [{ from: '-1' }, 'RF_BAD_USAGE'],
    [{ from: '1.5' }, 'RF_BAD_USAGE'],
    [{ to: 'end' }, 'RF_BAD_USAGE'],
    [{ from: '10', to: '9' }, 'RF_BAD_USAGE'],
    [{ around: 'main+' }, 'RF_BAD_USAGE'],
    [{ around: '123456789' }, 'RF_BAD_USAGE'],
    [{ around: '12345:0' }, 'RF_BAD_USAGE'],
    [{ around: '1000', hits: '0' }, 'RF_BAD_USAGE'],
    [{ around: '1000', context: '2e6' }, 'RF_BAD_USAGE'],
    [{ context: '3' }, 'RF_CONTRADICTION'],
    [{ hits: '3' }, 'RF_CONTRADICTION'],
    [{ format: 'json' }, 'RF_BAD_USAGE'],
  ] as [TraceFlags, string][])('refuse %j', (flags, code) => {
    expect(() => planTrace(flags)).toThrow(coded(code));
  });
});

describe('--a and --b', () => {
  const change = (...pairs: string[]) => sideChange('--a', pairs, '/work')({ kernel: '/k', monitor: 'none' });

  it.each([
    [['monitor.policy=data-swap'], { monitor: { policy: 'data-swap' } }],
    [['monitor=data-swap'], { monitor: { policy: 'data-swap' } }],
    [['monitor=none'], { monitor: 'none' }],
    [['monitor.policy=none'], { monitor: 'none' }],
    [
      ['monitor=step-through', 'monitor.shadowCache=tracked-lru,capacity=4'],
      { monitor: { policy: 'step-through', shadowCache: { name: 'tracked-lru', capacity: 4 } } },
    ],
    [['cpu.model=pentium4'], { cpu: { model: 'pentium4' } }],
    [['append=a=b c'], { append: 'a=b c' }],
    [['kernel=k.elf'], { kernel: '/work/k.elf' }],
    [['devices={vga: false}'], { devices: { vga: false } }],
  ])('%j', (pairs, expected) => {
    expect(change(...pairs)).toEqual({ kernel: '/k', monitor: 'none', ...expected });
  });

  it.each(['append', '=x', 'a b=c', 'devices={'])('refuse %s', (pair) => {
    expect(() => change(pair)).toThrow(coded('RF_BAD_USAGE'));
  });
});

describe('line output', () => {
  it('writes whole lines to a file', () => {
    const folder = mkdtempSync(join(tmpdir(), 'rf-lines-'));
    const output = new LineOutput(join(folder, 'a'), fakeIo(), { onError: () => {}, onGone: () => {} });
    output.open();
    for (let i = 0; i < 20_000; i++) output.line(`line ${i}`);
    output.close();
    expect(readFileSync(join(folder, 'a'), 'utf8').trimEnd().split('\n')).toHaveLength(20_000);
    rmSync(folder, { recursive: true });
  });

  it.runIf(process.platform === 'linux')('tells once that the disk is full, or the reader gone', () => {
    const errors: RingfenceError[] = [];
    let gone = 0;
    const hooks = { onError: (error: RingfenceError) => void errors.push(error), onGone: () => void gone++ };
    const full = new LineOutput('/dev/full', fakeIo(), hooks);
    full.open();
    const closed = new LineOutput(undefined, { ...fakeIo(), stdout: () => false }, hooks);
    for (const output of [full, closed]) {
      for (let i = 0; i < 3; i++) {
        output.line('x');
        output.flush();
      }
      output.close();
    }
    expect(errors).toEqual([coded('RF_OUTPUT_UNWRITABLE')]);
    expect(gone).toBe(1);
  });

  it('refuses a place that cannot be', () => {
    const output = new LineOutput('/no/such/folder/a', fakeIo(), { onError: () => {}, onGone: () => {} });
    expect(() => output.open()).toThrow(coded('RF_OUTPUT_UNWRITABLE'));
  });
});
