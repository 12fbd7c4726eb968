/** One workload of workloads.mjs on one checkout: `node workload.mjs NAME FOLDER` prints million guest instructions a second. */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { workloads } from './workloads.mjs';

const [name, folder] = process.argv.slice(2);
const guest = await import(pathToFileURL(join(folder, 'bench/guest.mjs')).href);
const kernel = guest.image(guest.loop(workloads[name]));
let best = 0;
for (let i = 0; i < 2; i++) {
  const report = await guest.run(kernel);
  best = Math.max(best, report.retired / report.wallSeconds / 1e6);
}
console.log(best.toFixed(3));
