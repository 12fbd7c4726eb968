/** `--drive`, `--hda`, `--cdrom`: how they become `drives`, and what is refused. */
import { describe, expect, it } from 'vitest';
import { absolutePaths } from './config-file.js';
import { driveFlags } from './drive-flags.js';
import { applyFlags } from './flags.js';

describe('drive flags', () => {
  it('become drives, behind those of the file', () => {
    const flags = { hda: 'a.img', cdrom: 'c.iso', drive: ['file=b.img,format=qcow2,unit=1,snapshot=off'] };
    expect(applyFlags({ drives: [{ file: 'z' }] }, flags).drives).toEqual([
      { file: 'z' },
      { file: 'a.img', unit: 0 },
      { file: 'c.iso', media: 'cdrom', unit: 2 },
      { file: 'b.img', format: 'qcow2', unit: 1, snapshot: 'off' },
    ]);
    expect(applyFlags({}, {}).drives).toBeUndefined();
  });

  it('name files relative to where they were given', () => {
    expect(absolutePaths({ drive: ['media=cdrom,file=x/b.iso', 'file=/c'], hda: 'a' }, '/here')).toEqual({
      drive: ['media=cdrom,file=/here/x/b.iso', 'file=/c'],
      hda: '/here/a',
    });
    expect(absolutePaths({ drives: [{ file: 'd' }, 7] }, '/here')).toEqual({ drives: [{ file: '/here/d' }, 7] });
  });

  it.each(['disk.img', 'file=', 'media=disk', 'file=a,file=b', 'file=a,size=3', ''])('refuse %j', (text) => {
    expect(() => driveFlags({ drive: [text] })).toThrow(expect.objectContaining({ code: 'RF_BAD_USAGE' }) as Error);
  });
});
