/**
 * The one vitest configuration, in two projects. `unit`: the specs beside the sources, run against sources, no build needed.
 * `system`: the tests of the apps and of the machine fuzzer, whole guests on the whole machine, and of the processor, every recorded vector. They run against the
 * built packages as users get them: vitest turns imports of a source module into property look-ups, which makes an interpreter ten
 * times slower.
 * Node 24 only; started by tools/workspace/steps.mjs. It does not check types (`npm run typecheck`).
 */
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const packages = fileURLToPath(new URL('./packages', import.meta.url));
const everything = ['**/node_modules/**', '**/dist/**'];
// Not one nested brace pattern: `**` within braces matches nothing.
const system = ['{apps,packages}/*/test/**/*.spec.ts', 'tools/machine-fuzz/*.spec.ts'];

/** What a package's system tests share with its sources is built too. */
const BUILT = { find: /^\.\.\/src\/testing\/index\.js$/, replacement: '../dist/testing/index.js' };

function packagesAt(entry: string): { alias: { find: RegExp; replacement: string }[] } {
  return { alias: [{ find: /^@ringfence\/([a-z0-9-]+)$/, replacement: `${packages}/$1/${entry}` }] };
}

export default defineConfig({
  // tsyringe's `@inject(TOKEN)` is a legacy parameter decorator, as `experimentalDecorators` in tsconfig.base.json says.
  oxc: { decorator: { legacy: true } },
  test: {
    pool: 'forks',
    maxWorkers: 2,
    // On by default in vitest 5; it gave false passes after a change of this file.
    fsModuleCache: false,
    reporters: ['default', './tools/workspace/skip-reporter.ts'],
    projects: [
      {
        extends: true,
        resolve: packagesAt('src/index.ts'),
        test: {
          name: 'unit',
          include: ['{packages,apps,tools,examples,guests,bench}/**/*.spec.ts'],
          exclude: [...everything, ...system],
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        extends: true,
        resolve: { alias: [...packagesAt('dist/index.js').alias, BUILT] },
        test: {
          name: 'system',
          include: system,
          exclude: everything,
          testTimeout: 60_000,
          hookTimeout: 60_000,
          server: { deps: { external: [/\/packages\/[^/]+\/dist\//] } },
        },
      },
    ],
  },
});
