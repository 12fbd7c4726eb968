/**
 * The committed images are what their sources give. Where the recorded toolchain is present they are rebuilt and compared
 * byte for byte; elsewhere the hashes of the manifest are checked, and the comparison is skipped with its reason.
 */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { buildAll, differences, guestNames, readManifest, reasonNotToCompare } from '../tools/guests/build.mjs';

const here = import.meta.dirname;
const { images } = readManifest();

describe('guest images', () => {
  it('are those of the manifest', () => {
    const present = ['images', 'bad'].flatMap((folder) =>
      readdirSync(join(here, folder)).map((name) => `${folder}/${name}`),
    );
    const expected = [...Object.keys(images), 'images/manifest.json'];
    expect(present.sort()).toEqual(expected.sort());
    for (const [name, { bytes, sha256 }] of Object.entries(images)) {
      const content = readFileSync(join(here, name));
      expect({ name, bytes: content.length }).toEqual({ name, bytes });
      expect(createHash('sha256').update(content).digest('hex'), name).toBe(sha256);
    }
  });

  it('are each in the suite', () => {
    const suite = readFileSync(join(here, 'suite.yaml'), 'utf8');
    const kernels = [...suite.matchAll(/^ +- name: (\w+)\n +summary: .*\n +kernel: images\/(\w+)\.elf$/gm)];
    expect(kernels.map(([, name, image]) => [name, image])).toEqual(guestNames.map((name) => [name, name]));
  });

  it('come out of their sources byte for byte', (context) => {
    const reason = reasonNotToCompare();
    if (reason !== undefined) context.skip(`the guests were not rebuilt: ${reason}`);
    expect(differences(buildAll())).toEqual([]);
  });
});
