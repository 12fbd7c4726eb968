/**
 * The workspace listing: which packages exist and how they depend on each other, read from their package.json.
 * Everything that must know "all packages" (tsconfig references, tests) asks here, so a new package is found by its folder.
 * It does not install, build or check anything.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../..', import.meta.url)).replace(/[\\/]$/, '');

/** Every package as `{ dir, manifest, workspaceDeps }`, `dir` relative to the root, sorted by it. */
export function listPackages() {
  const found = [];
  for (const parent of ['packages', 'apps']) {
    for (const name of readdirSync(join(root, parent)).sort()) {
      const file = join(root, parent, name, 'package.json');
      if (!existsSync(file)) continue;
      const manifest = JSON.parse(readFileSync(file, 'utf8'));
      const all = { ...manifest.dependencies, ...manifest.devDependencies };
      const workspaceDeps = Object.keys(all).filter((dep) => all[dep].startsWith('workspace:'));
      found.push({ dir: `${parent}/${name}`, manifest, workspaceDeps: workspaceDeps.sort() });
    }
  }
  return found;
}
