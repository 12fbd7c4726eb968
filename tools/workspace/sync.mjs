/**
 * `npm run sync`: writes the project references of every tsconfig.json from the `workspace:` dependencies in package.json,
 * so a dependency is declared in one place. `--check` writes nothing and exits 1 when a file is out of date.
 * It does not touch package.json and does not install.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import prettier from 'prettier';
import { listPackages, root } from './packages.mjs';

const check = process.argv.includes('--check');
const packages = listPackages();
const dirOf = new Map(packages.map((p) => [p.manifest.name, p.dir]));
const stale = [];
const style = await prettier.resolveConfig(join(root, 'tsconfig.json'));

async function put(file, config) {
  const path = join(root, file);
  const text = await prettier.format(JSON.stringify(config), { ...style, parser: 'json' });
  if (existsSync(path) && readFileSync(path, 'utf8') === text) return;
  stale.push(file);
  if (!check) writeFileSync(path, text);
}

for (const { dir, workspaceDeps, manifest } of packages) {
  const references = workspaceDeps.map((dep) => {
    if (!dirOf.has(dep)) throw new Error(`${manifest.name} depends on ${dep}, which is not in the workspace`);
    return { path: posix.relative(dir, dirOf.get(dep)) };
  });
  await put(`${dir}/tsconfig.json`, { extends: '../../tsconfig.base.json', references });
}
await put('tsconfig.json', { files: [], references: packages.map(({ dir }) => ({ path: dir })) });

if (stale.length) console.log(`${check ? 'out of date (run npm run sync)' : 'written'}: ${stale.join(', ')}`);
process.exitCode = check && stale.length ? 1 : 0;
