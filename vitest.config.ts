/**
 * The one vitest configuration: every spec of the workspace, run against sources (no build needed).
 * Node 24 only; started by tools/workspace/steps.mjs. It does not check types (`npm run typecheck`).
 */
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const packages = fileURLToPath(new URL('./packages', import.meta.url));

export default defineConfig({
  // tsyringe's `@inject(TOKEN)` is a legacy parameter decorator, as `experimentalDecorators` in tsconfig.base.json says.
  oxc: { decorator: { legacy: true } },
  resolve: {
    alias: [{ find: /^@ringfence\/([a-z0-9-]+)$/, replacement: `${packages}/$1/src/index.ts` }],
  },
  test: {
    include: ['{packages,apps,tools,examples,guests,bench}/**/*.spec.ts'],
    exclude: ['**/node_modules/**', '**/dist/**'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // On by default in vitest 5; it gave false passes after a change of this file.
    fsModuleCache: false,
    reporters: ['default', './tools/workspace/skip-reporter.ts'],
  },
});
