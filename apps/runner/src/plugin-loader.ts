/**
 * Imports plugin modules by path or package name. A module's default export, or its export `plugin`, is a plugin or an
 * array of them. Its shape and SDK version are checked by the registry when it is added.
 * A plugin runs with all rights of this process: loading one is trusting it.
 */
import { readFileSync } from 'node:fs';
import { createRequire, findPackageJSON } from 'node:module';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Plugin, RingfenceError } from '@ringfence/sdk';

/** Loads each module; names are resolved as from a file in one of the folders `from`, first come first served. */
export async function loadPlugins(modules: readonly string[], from: readonly string[]): Promise<Plugin[]> {
  const plugins: Plugin[] = [];
  for (const name of modules) plugins.push(...pluginsOf(name, await importModule(name, from)));
  return plugins;
}

async function importModule(name: string, from: readonly string[]): Promise<Record<string, unknown>> {
  const local = isAbsolute(name) || /^\.{1,2}([\\/]|$)/.test(name);
  const file = firstOf(from, (folder) => resolveModule(local ? resolve(folder, name) : name, folder));
  if (file === undefined) {
    throw new RingfenceError('RF_PLUGIN_NOT_FOUND', {
      message: `there is no plugin module "${name}" (looked from ${from.join(' and ')})`,
      value: name,
      fix: local ? 'check the path' : `install it (npm install ${name}) or write ./${name} for a file`,
    });
  }
  try {
    return (await import(pathToFileURL(file).href)) as Record<string, unknown>;
  } catch (cause) {
    throw new RingfenceError('RF_PLUGIN_INVALID', {
      message: `plugin module "${name}" cannot be imported: ${cause instanceof Error ? cause.message : String(cause)}`,
      value: name,
      fix: 'run it with RINGFENCE_DEBUG=1 to see where it fails',
      cause,
    });
  }
}

function pluginsOf(name: string, module: Record<string, unknown>): Plugin[] {
  const exported = module.default ?? module.plugin;
  const list: unknown[] = Array.isArray(exported) ? exported : [exported];
  const shaped = list.every((item) => typeof item === 'object' && item !== null && 'name' in item && 'parts' in item);
  if (list.length === 0 || !shaped) {
    throw new RingfenceError('RF_PLUGIN_INVALID', {
      message: `plugin module "${name}" exports no plugin`,
      value: name,
      fix: 'export default definePlugin({ name, sdk, parts }) from it',
    });
  }
  return list as Plugin[];
}

function firstOf<T, R>(items: readonly T[], attempt: (item: T) => R | undefined): R | undefined {
  for (const item of items) {
    const result = attempt(item);
    if (result !== undefined) return result;
  }
  return undefined;
}

/** As `require.resolve`, which does not know a package that exports for `import` only: that one by its manifest. */
function resolveModule(specifier: string, folder: string): string | undefined {
  const base = join(folder, 'noop.js');
  try {
    return createRequire(base).resolve(specifier);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_PACKAGE_PATH_NOT_EXPORTED') return undefined;
  }
  const manifest = findPackageJSON(specifier, pathToFileURL(base));
  if (manifest === undefined) return undefined;
  const { exports } = JSON.parse(readFileSync(manifest, 'utf8')) as { exports?: { '.'?: { import?: unknown } } };
  const target = exports?.['.']?.import;
  return typeof target === 'string' ? join(dirname(manifest), target) : undefined;
}
