/**
 * `npm run build | lint | fix | typecheck | vitest`: one step of tools/workspace/steps.mjs by name, extra arguments passed on.
 * It does not install; run `npm start` or `npm test` once first.
 */
import { steps } from './steps.mjs';

const [name, ...args] = process.argv.slice(2);
if (!Object.hasOwn(steps, name)) {
  console.error(`no step "${name}"; there are: ${Object.keys(steps).join(', ')}`);
  process.exitCode = 2;
} else {
  process.exitCode = await steps[name](args);
}
