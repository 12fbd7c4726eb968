/** The option ROM in the tree is what its source gives. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { assemble, moduleOf, reasonNotToAssemble } from './build.mjs';

describe('the Linux boot ROM', () => {
  it('comes out of its source byte for byte', (context) => {
    const reason = reasonNotToAssemble();
    if (reason !== undefined) context.skip(`the ROM was not assembled: ${reason}`);
    const path = resolve(import.meta.dirname, '../../packages/device-fw-cfg/src/generated/linux-boot-rom.ts');
    expect(readFileSync(path, 'utf8')).toBe(moduleOf(assemble()));
  });
});
