/** What modprobe reads, made from what modules say of themselves. */
import { describe, expect, it } from 'vitest';
import { moduleFolder } from './kernel-modules.js';

const kernelModule = (name: string, depends: string, ...more: string[]): Uint8Array =>
  Buffer.from(
    ['\x7fELF', `name=${name}`, `depends=${depends}`, 'vermagic=6.1.0-9-686 SMP', ...more, ''].join('\0'),
    'latin1',
  );

describe('a folder of kernel modules', () => {
  const entries = moduleFolder([
    kernelModule('virtio', ''),
    kernelModule('virtio_ring', 'virtio'),
    kernelModule('virtio_blk', 'virtio,virtio_ring', 'alias=virtio:d00000002v*', 'license=GPL'),
  ]);
  const text = (file: string): string => {
    const entry = entries.find(({ path }) => path === `lib/modules/6.1.0-9-686/${file}`);
    return entry?.kind === 'file' ? Buffer.from(entry.bytes).toString() : '';
  };

  it('is called as the kernel is', () => {
    expect(entries.map(({ path }) => path.replace('lib/modules/', ''))).toEqual([
      'lib/modules',
      '6.1.0-9-686',
      '6.1.0-9-686/virtio.ko',
      '6.1.0-9-686/virtio_ring.ko',
      '6.1.0-9-686/virtio_blk.ko',
      '6.1.0-9-686/modules.dep',
      '6.1.0-9-686/modules.alias',
    ]);
  });

  it('says what to load first, the last thing first', () => {
    expect(text('modules.dep')).toBe(
      'virtio.ko:\nvirtio_ring.ko: virtio.ko\nvirtio_blk.ko: virtio_ring.ko virtio.ko\n',
    );
  });

  it('says which devices a module is for', () => {
    expect(text('modules.alias')).toBe('alias virtio:d00000002v* virtio_blk\n');
  });

  it.each([
    ['something else', [Buffer.from('text')]],
    ['a module that lacks another', [kernelModule('a', 'b')]],
    ['modules of two kernels', [kernelModule('a', ''), Buffer.from('\x7fELF\0name=b\0vermagic=5.1 SMP\0', 'latin1')]],
  ])('refuses %s', (_name, modules) => {
    expect(() => moduleFolder(modules)).toThrow(expect.objectContaining({ code: 'RF_PACKAGE_MISMATCH' }));
  });

  it('is nothing without modules', () => {
    expect(moduleFolder([])).toEqual([]);
  });
});
