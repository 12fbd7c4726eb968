import { describe, expect, it } from 'vitest';
import { applyFlags } from './flags.js';
import { parseCount, parsePart, parseRegex, parseSeconds } from './part-option.js';

const refused = (code: string): unknown => expect.objectContaining({ code });

describe('applyFlags', () => {
  it('lets flags override a file, member by member', () => {
    const file = {
      kernel: '/k',
      memory: '8M',
      cpu: { model: 'i486', core: 'interpreter' },
      limits: { maxInstructions: 5, timeoutSeconds: 3 },
      monitor: { policy: 'step-through', protection: 'pdbr-reload' },
    };
    const flags = {
      memory: '32M',
      model: 'p6',
      timeout: '9.5',
      monitor: 'data-swap',
      shadowCache: 'tracked-lru,capacity=4',
    };
    expect(applyFlags(file, flags)).toEqual({
      kernel: '/k',
      memory: '32M',
      cpu: { model: 'p6', core: 'interpreter' },
      limits: { maxInstructions: 5, timeoutSeconds: 9.5 },
      monitor: {
        policy: 'data-swap',
        protection: 'pdbr-reload',
        shadowCache: { name: 'tracked-lru', capacity: 4 },
      },
    });
    expect(file.monitor.policy).toBe('step-through');
  });

  it('changes nothing without flags', () => {
    expect(applyFlags({ kernel: 'k' }, {})).toEqual({ kernel: 'k' });
  });

  it('turns a monitor off', () => {
    expect(applyFlags({ monitor: { policy: 'x' } }, { monitor: 'none' }).monitor).toBe('none');
  });

  it.each([[{ monitor: 'none', shadowCache: 'rebuild' }], [{ protection: 'wp-toggle' }], [{ sensitive: 'assist' }]])(
    'refuses monitor flags without a monitor: %j',
    (flags) => {
      expect(() => applyFlags({}, flags)).toThrow(refused('RF_CONTRADICTION'));
    },
  );

  it.each([
    [{ assist: 'some' }],
    [{ untilSerial: '(' }],
    [{ untilSerial: '' }],
    [{ maxInstructions: '0' }],
    [{ maxInstructions: 'many' }],
    [{ timeout: '-1' }],
    [{ monitor: '' }],
    [{ monitor: 'x', shadowCache: 'a,b' }],
  ])('refuses %j', (flags) => {
    expect(() => applyFlags({}, flags)).toThrow(refused('RF_BAD_USAGE'));
  });

  it('adds plugins to those of the file', () => {
    expect(applyFlags({ plugins: ['a'] }, { plugin: ['b'] }).plugins).toEqual(['a', 'b']);
  });
});

describe('flag values', () => {
  it('reads counts in the ways people write them', () => {
    expect(['7', '2e9', '2_000_000', '1.5e3'].map((text) => parseCount('-n', text))).toEqual([7, 2e9, 2e6, 1500]);
    for (const text of ['1.5', '-1', '1e400', ''])
      expect(() => parseCount('-n', text)).toThrow(refused('RF_BAD_USAGE'));
  });

  it('reads seconds', () => {
    expect(parseSeconds('-t', '0.5')).toBe(0.5);
    for (const text of ['0', '1e3', 'soon', ''])
      expect(() => parseSeconds('-t', text)).toThrow(refused('RF_BAD_USAGE'));
  });

  it('reads parts with options', () => {
    expect(parsePart('-p', 'flat,address=0x7c00,trace=true,label=x y')).toEqual({
      name: 'flat',
      address: 0x7c00,
      trace: true,
      label: 'x y',
    });
    for (const text of ['', ',a=1', 'n,', 'n,=1', 'n,a=1,a=2', 'n,name=m', 'a=1']) {
      expect(() => parsePart('-p', text), text).toThrow(refused('RF_BAD_USAGE'));
    }
  });

  it('makes ^ and $ match at lines', () => {
    expect(parseRegex('-r', '^login:$').test('boot\nlogin:\n')).toBe(true);
  });
});
