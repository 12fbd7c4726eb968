/** The committed files under generated/ are what their generators print. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

describe('generated sources', () => {
  for (const name of ['alu', 'conditions', 'packed', 'shift']) {
    it(`generated/${name}.ts is up to date`, () => {
      const tool = fileURLToPath(new URL(`../../tools/generate-${name}.mjs`, import.meta.url));
      const printed = execFileSync(process.execPath, [tool, '--print'], { encoding: 'utf8' });
      const committed = readFileSync(new URL(`../generated/${name}.ts`, import.meta.url), 'utf8');
      expect(committed === printed, `run node packages/cpu/tools/generate-${name}.mjs`).toBe(true);
    });
  }
});
