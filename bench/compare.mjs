/**
 * The interpreter's speed here and at another commit, side by side in one run: `node bench/compare.mjs [commit] [pairs]`.
 * The other commit (the last landed one by default: HEAD) is checked out and built in a temporary folder. Each workload runs in a process
 * of its own, the two checkouts in turn, and the ratio is taken pair by pair, so that a machine whose speed drifts still
 * answers. Each checkout is driven through its own bench/guest.mjs. It measures; it does not judge.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { workloads } from './workloads.mjs';

const here = fileURLToPath(new URL('..', import.meta.url));
const [commit = 'HEAD', pairs = '7'] = process.argv.slice(2);

const middle = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];

function checkout(folder) {
  const quiet = { stdio: ['ignore', 'ignore', 'inherit'] };
  execFileSync('git', ['clone', '-q', '--no-checkout', here, folder], quiet);
  execFileSync(
    'git',
    [
      '-C',
      folder,
      'checkout',
      '-q',
      execFileSync('git', ['-C', here, 'rev-parse', commit], { encoding: 'utf8' }).trim(),
    ],
    quiet,
  );
  console.log(`building ${commit} …`);
  const install = `import { install } from ${JSON.stringify(pathToFileURL(join(folder, 'tools/workspace/install.mjs')).href)}; process.exitCode = await install();`;
  execFileSync(process.execPath, ['--input-type=module', '-e', install], { cwd: folder, ...quiet });
  execFileSync(process.execPath, ['tools/workspace/step.mjs', 'build'], { cwd: folder, ...quiet });
}

/** Million guest instructions a second. */
function measure(folder, name) {
  const program = fileURLToPath(new URL('workload.mjs', import.meta.url));
  return Number(execFileSync(process.execPath, [program, name, folder], { encoding: 'utf8' }));
}

const other = mkdtempSync(join(tmpdir(), 'ringfence-compare-'));
try {
  checkout(other);
  console.log(
    `${'workload'.padEnd(12)} ${'here'.padStart(9)} ${commit.slice(0, 9).padStart(9)}  M instr/s, medians of ${pairs} pairs; ratio here/there, least and most`,
  );
  for (const name of Object.keys(workloads)) {
    const rates = Array.from({ length: Number(pairs) }, (_, i) => {
      const first = i % 2 === 0;
      const a = measure(first ? here : other, name);
      const b = measure(first ? other : here, name);
      return first ? [a, b] : [b, a];
    });
    const ratios = rates.map(([a, b]) => a / b);
    const [ours, theirs] = [0, 1].map((side) =>
      middle(rates.map((pair) => pair[side]))
        .toFixed(1)
        .padStart(9),
    );
    const spread = `${Math.min(...ratios).toFixed(3)} to ${Math.max(...ratios).toFixed(3)}`;
    console.log(`${name.padEnd(12)} ${ours} ${theirs}  ${middle(ratios).toFixed(3)}  (${spread})`);
  }
} finally {
  rmSync(other, { recursive: true, force: true });
}
