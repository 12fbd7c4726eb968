/**
 * Proves that the boundary rule in eslint.config.mjs really constrains: each wrong import below must be reported, each right
 * one must pass. It lints virtual text under real file names with the workspace's own configuration, boundary rule only.
 * It does not lint the sources themselves (`npm run lint`).
 */
import { ESLint } from 'eslint';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { listPackages } from './packages.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
const RULE = '@nx/enforce-module-boundaries';
let eslint: ESLint;

beforeAll(() => {
  // The rule reads the project graph that nx cached; without one it skips itself with a warning.
  if (!existsSync(`${root}.nx/workspace-data/project-graph.json`)) {
    execFileSync(process.execPath, [`${root}node_modules/nx/dist/bin/nx.js`, 'show', 'projects'], { cwd: root });
  }
  eslint = new ESLint({
    cwd: root,
    ruleFilter: ({ ruleId }) => ruleId === RULE,
    // Without types the virtual text needs no TypeScript program, which keeps this spec fast.
    overrideConfig: { files: ['**/*.ts'], languageOptions: { parserOptions: { project: null, program: null } } },
  });
});

async function reports(filePath: string, specifier: string): Promise<string[]> {
  const text = `import * as it from '${specifier}';\nexport { it };\n`;
  const [result] = await eslint.lintText(text, { filePath: `${root}${filePath}` });
  return result.messages.map((message) => message.ruleId ?? message.message);
}

describe('the message', () => {
  it('says where to read on', async () => {
    const [result] = await eslint.lintText("export * from '@ringfence/monitor';\n", {
      filePath: `${root}packages/cpu/src/index.ts`,
    });
    expect(result.messages[0].message).toContain('docs/how-to/keep-the-boundaries.md');
  });
});

describe('a wrong import is reported', () => {
  it.each([
    ['a part imports a sibling by name', 'packages/policy-step-through/src/index.ts', '@ringfence/monitor'],
    [
      'a part imports a sibling by relative path',
      'packages/policy-step-through/src/index.ts',
      '../../monitor/src/index.js',
    ],
    ['the processor imports the MMU', 'packages/cpu/src/index.ts', '@ringfence/mmu'],
    ['a device imports the machine', 'packages/device-rtc/src/index.ts', '@ringfence/machine'],
    ['the machine imports a chip', 'packages/machine/src/index.ts', '@ringfence/device-rtc'],
    ['the sdk imports a part', 'packages/sdk/src/index.ts', '@ringfence/cpu'],
    ['the sdk imports a part by relative path', 'packages/sdk/src/index.ts', '../../cpu/src/index.js'],
    ['a spec of the sdk imports the testkit', 'packages/sdk/src/index.spec.ts', '@ringfence/testkit'],
    ['shipped code imports the testkit', 'packages/cpu/src/index.ts', '@ringfence/testkit'],
    ['a library imports a part', 'packages/virtio/src/index.ts', '@ringfence/device-ide'],
    ['the machine imports a library of parts', 'packages/machine/src/index.ts', '@ringfence/virtio'],
    ['an app imports a part past the preset', 'apps/runner/src/main.ts', '@ringfence/monitor'],
    ['a part imports an app by relative path', 'packages/cpu/src/index.ts', '../../../apps/runner/src/main.js'],
  ])('%s', async (_name, file, specifier) => {
    expect(await reports(file, specifier)).toEqual([RULE]);
  });
});

describe('a right import passes', () => {
  it.each([
    ['a part imports the sdk', 'packages/cpu/src/index.ts', '@ringfence/sdk'],
    ['a part imports a library', 'packages/device-virtio-blk/src/index.ts', '@ringfence/virtio'],
    ['a spec of a part imports the testkit', 'packages/cpu/src/index.spec.ts', '@ringfence/testkit'],
    ['the preset imports a part', 'packages/preset-pc/src/index.ts', '@ringfence/cpu'],
    ['an app imports the preset', 'apps/runner/src/main.ts', '@ringfence/preset-pc'],
    ['an app imports the machine', 'apps/harness/src/main.ts', '@ringfence/machine'],
  ])('%s', async (_name, file, specifier) => {
    expect(await reports(file, specifier)).toEqual([]);
  });
});

describe('every project', () => {
  it('carries exactly one layer tag, and its own', () => {
    for (const { dir } of listPackages()) {
      const { tags } = JSON.parse(readFileSync(`${root}${dir}/project.json`, 'utf8')) as { tags: string[] };
      const kind = dir.startsWith('apps/') ? 'app' : dir.slice('packages/'.length);
      const named = {
        sdk: 'sdk',
        testkit: 'testkit',
        machine: 'machine',
        trace: 'machine',
        virtio: 'library',
        'shared-folder': 'machine',
        'disk-image': 'machine',
        'user-network': 'machine',
        'guest-catalogue': 'machine',
        'preset-pc': 'preset',
        app: 'app',
      }[kind];
      expect(tags, dir).toEqual([`layer:${named ?? 'part'}`]);
    }
  });
});
