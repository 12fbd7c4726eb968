/** `--share`, `--device` and `--virtio-console`: how they become parts of a configuration, and what is refused. */
import { describe, expect, it } from 'vitest';
import { absolutePaths } from './config-file.js';
import { applyFlags } from './flags.js';
import { parseShare } from './share-flags.js';

describe('share flags', () => {
  it('become shares, behind those of the file', () => {
    const flags = { share: ['host=./a', 'work=/b,rw,times=host'] };
    expect(applyFlags({ shares: [{ tag: 'z', path: 'z' }] }, absolutePaths(flags, '/here')).shares).toEqual([
      { tag: 'z', path: 'z' },
      { tag: 'host', path: '/here/a' },
      { tag: 'work', path: '/b', writable: true, times: 'host' },
    ]);
    expect(absolutePaths({ shares: [{ tag: 'a', path: 'd' }, 7] }, '/here')).toEqual({
      shares: [{ tag: 'a', path: '/here/d' }, 7],
    });
    expect(applyFlags({}, {}).shares).toBeUndefined();
  });

  it.each(['', 'host', 'host=', '=a', 'host=a,write', 'host=a,rw,ro', 'host=a,rw,rw', 'host=a,'])(
    'refuse %j',
    (text) => {
      expect(() => parseShare(text)).toThrow(expect.objectContaining({ code: 'RF_BAD_USAGE' }) as Error);
    },
  );
});

describe('device flags', () => {
  it('name devices with their options, over those of the file', () => {
    const flags = { device: ['virtio-rng,seed=7', 'other'] };
    expect(applyFlags({ devices: { vga: false, 'virtio-rng': { seed: 1 } } }, flags).devices).toEqual({
      vga: false,
      'virtio-rng': { seed: 7 },
      other: {},
    });
  });
});

describe('the virtio console flag', () => {
  it('is a console target like the others', () => {
    const flags = absolutePaths({ virtioConsole: 'file:out.log' }, '/here');
    expect(applyFlags({}, flags).virtioConsole).toBe('file:/here/out.log');
  });
});
