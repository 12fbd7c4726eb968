/**
 * Puts a generated source into packages/cpu/src/generated, or with `--print` prints it (the spec compares that with the
 * committed file).
 */
import { mkdirSync, writeFileSync } from 'node:fs';

export function writeGenerated(name, source) {
  if (process.argv.includes('--print')) {
    process.stdout.write(source);
    return;
  }
  const folder = new URL('../src/generated/', import.meta.url);
  mkdirSync(folder, { recursive: true });
  writeFileSync(new URL(name, folder), source);
}
