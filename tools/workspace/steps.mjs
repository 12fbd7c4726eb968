/**
 * The steps that `npm start`, `npm test` and the single `npm run <step>` scripts are made of. Each runs one tool over the
 * whole workspace in one process, which on two cores is several times faster than one process per package; nx caches them.
 * Each resolves to an exit status. What a step checks is written beside it.
 */
import { delimiter, dirname, join } from 'node:path';
import { findNode24, nodeTooOldMessage, run } from './node24.mjs';
import { root } from './packages.mjs';

/** Runs a JavaScript tool of node_modules under Node 24, which also stands first on PATH for whatever the tool starts. */
export async function tool(script, args, env = {}) {
  const node = findNode24();
  if (!node) {
    console.error(nodeTooOldMessage());
    return 2;
  }
  const path = [dirname(node), join(root, 'node_modules/.bin'), process.env.PATH].join(delimiter);
  return run(node, [join(root, script), ...args], { cwd: root, env: { ...process.env, PATH: path, ...env } });
}

const nx = (target) =>
  tool('node_modules/nx/dist/bin/nx.js', ['run', `workspace:${target}`, '--outputStyle=stream'], {
    NX_DAEMON: 'false',
    NX_TUI: 'false',
  });

export const steps = {
  /** tsc -b: every package's dist, incremental. */
  build: () => tool('node_modules/typescript/bin/tsc', ['-b', 'tsconfig.json']),
  /** ESLint with types, prettier's layout, and the layer boundaries; cached by nx over all sources. */
  lint: () => nx('lint'),
  /** Repairs what ESLint and prettier can repair by themselves. Extra arguments: the files, else all. */
  fix: async (args = []) => {
    const files = args.length ? args : ['.'];
    const linted = await tool('node_modules/eslint/bin/eslint.js', ['--fix', '--no-warn-ignored', ...files]);
    const written = await tool('node_modules/prettier/bin/prettier.cjs', ['--log-level=warn', '--write', ...files]);
    return linted || written;
  },
  /** The type checker over sources, specs and tools as one program; cached by nx. */
  typecheck: () => nx('typecheck'),
  /** Random instruction sequences, this machine against the interpreter; arguments: tools/silicon/fuzz.mjs. Builds first. */
  fuzz: async (args = []) => (await steps.build()) || tool('tools/silicon/fuzz.mjs', args),
  /** Vectors of every instruction form, recorded on this machine; arguments: tools/silicon/record.mjs. Builds first. */
  'record-vectors': async (args = []) => (await steps.build()) || tool('tools/silicon/record.mjs', args),
  /** The project references agree with package.json. */
  references: () => tool('tools/workspace/sync.mjs', ['--check']),
  /** Every *.spec.ts, against sources. Extra arguments go to vitest (a file filter, `-t name`). */
  vitest: (args = []) => tool('node_modules/vitest/vitest.mjs', ['run', ...args]),
};
