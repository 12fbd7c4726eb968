// Records what a disassembler that is not ours (ACPICA's `iasl`, Debian package acpica-tools) makes of our ACPI tables:
// packages/platform-tables/goldens/*.dsl, one file a table of the specs' board, each with the SHA-256 of the table's bytes, which
// table-goldens.spec.ts compares. DSDT is also compiled again, which must give no error.
//
//   npm run build && node tools/acpi/disassemble.mjs [PATH-TO-IASL]
//
// Run it after a change of the tables and look at the difference.

import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const goldens = join(root, 'packages/platform-tables/goldens');
const iasl = process.argv[2] ?? 'iasl';

const { acpiFiles, splitTables } = await import(join(root, 'packages/platform-tables/dist/acpi.js'));
const { TEST_BOARD } = await import(join(root, 'packages/platform-tables/dist/testing/board.js'));

const work = mkdtempSync(join(tmpdir(), 'ringfence-acpi-'));
try {
  for (const { signature, bytes } of splitTables(acpiFiles(TEST_BOARD))) {
    const file = join(work, `${signature}.aml`);
    writeFileSync(file, bytes);
    execFileSync(iasl, ['-d', file], { stdio: 'pipe' });
    const listing = readFileSync(join(work, `${signature}.dsl`), 'utf8');
    if (signature === 'DSDT')
      execFileSync(iasl, ['-p', join(work, 'again'), join(work, 'DSDT.dsl')], { stdio: 'pipe' });
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    writeFileSync(join(goldens, `${signature}.dsl`), `// sha256 ${sha256}\n${shorten(listing)}`);
  }
} finally {
  rmSync(work, { recursive: true, force: true });
}

/** Without dates, paths and hex dumps; packages and lists of names on one line. */
function shorten(listing) {
  return listing
    .replace(/^\/\*[\s\S]*?\*\/\n/, '')
    .replace(/,? *\/\/ (Range|Align|Length|Gran|Transl|Address)[^\n]*\n\s*/g, ', ')
    .replace(/[ \t]*\/\/ [^\n]*/g, '')
    .replace(/\nRaw Table Data[\s\S]*/, '\n')
    .replace(/\{([^{}]*)\}/g, (whole, inner) => {
      const line = inner
        .replace(/\/\*.*?\*\//g, '')
        .replace(/\s+/g, ' ')
        .trim();
      return line.length < 70 && !line.includes('(') ? `{ ${line} }` : whole;
    })
    .replace(/\n\s*(\{ [^\n]* \})/g, ' $1')
    .replace(/[ \t]+$/gm, '')
    .replace(/\n{2,}/g, '\n');
}
