/**
 * Records what this machine's processor does, form by form of the opcode table, into packages/cpu/vectors: one file a family and
 * PROVENANCE.md. x86-64 Linux and gcc only. Builds the packages first when started as `pnpm record-vectors`.
 *   pnpm record-vectors                     everything
 *   pnpm record-vectors --family alu,x87    these files only
 *   pnpm record-vectors --out D             into another folder
 * Cases that did not end by an exception (endless loops, system calls) are not vectors. Each vector is executed twice; one that comes
 * out differently the second time is reported and left out.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { release } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { opcodeRows } from '../../packages/cpu/dist/index.js';
import { familyOf, uncovered } from '../../packages/cpu/dist/testing/vector-families.js';
import { decodeVectors, encodeVectors, initialFx } from '../../packages/cpu/dist/testing/vector-file.js';
import { allForms } from '../../packages/cpu/dist/testing/vector-forms.js';
import { CASES, SEED, casesOf } from './forms.mjs';
import { NativeExecutor, nativeUnavailable } from './native.mjs';

function option(name, fallback) {
  const at = process.argv.indexOf(name);
  return at < 0 ? fallback : process.argv[at + 1];
}

const why = nativeUnavailable();
if (why !== undefined) throw new Error(`cannot record here: ${why}`);
const folder = option('--out', fileURLToPath(new URL('../../packages/cpu/vectors/', import.meta.url)));
const wanted = option('--family')?.split(',');
mkdirSync(folder, { recursive: true });

const same = (a, b) =>
  a.kind === b.kind &&
  a.vector === b.vector &&
  a.errorCode === b.errorCode &&
  (a.vector !== 14 || a.cr2 === b.cr2) &&
  a.eip === b.eip &&
  a.eflags === b.eflags &&
  ['regs', 'seg', 'changes', 'fx'].every(
    (name) => Buffer.compare(Buffer.from(a[name].buffer), Buffer.from(b[name].buffer)) === 0,
  );

const families = new Map();
for (const form of allForms(opcodeRows)) {
  if (uncovered(form.row) !== undefined) continue;
  const family = familyOf(form.row);
  if (wanted !== undefined && !wanted.includes(family)) continue;
  if (!families.has(family)) families.set(family, []);
  families.get(family).push(form);
}

const native = await NativeExecutor.start();
for (const [family, forms] of families) {
  const groups = [];
  let dropped = 0;
  for (let from = 0; from < forms.length; from += 32) {
    const part = forms.slice(from, from + 32).map((form) => ({ form, cases: casesOf(form) }));
    const all = part.flatMap(({ cases }) => cases);
    const [first, second] = [await native.run(all), await native.run(all)];
    let at = 0;
    for (const { form, cases } of part) {
      const vectors = [];
      for (const input of cases) {
        const [outcome, again] = [first[at], second[at]];
        at++;
        if (outcome.kind === 'trap' && same(outcome, again)) {
          vectors.push({ input: { ...input, fx: input.fx ?? initialFx() }, outcome });
          continue;
        }
        dropped++;
        const what = outcome.kind === 'trap' && again.kind === 'trap' ? 'differs the second time' : outcome.kind;
        console.log(`${form.key}: ${what}: ${Buffer.from(input.code).toString('hex')}`);
      }
      groups.push({ key: form.key, vectors });
      if (vectors.length < 60) console.log(`${form.key}: only ${vectors.length} cases`);
    }
  }
  const bytes = encodeVectors(groups);
  writeFileSync(join(folder, `${family}.vec`), bytes);
  console.log(`${family}: ${forms.length} forms, ${groups.reduce((n, g) => n + g.vectors.length, 0)} cases, ${dropped} dropped, ${bytes.length} bytes`); // prettier-ignore
}
await native.stop();
writeProvenance();

function writeProvenance() {
  const cpuinfo = readFileSync('/proc/cpuinfo', 'latin1').split('\n\n')[0];
  const field = (name) => new RegExp(`^${name}\\s*: (.*)$`, 'm').exec(cpuinfo)?.[1] ?? '?';
  const rows = [];
  let [forms, cases, bytes] = [0, 0, 0];
  for (const name of readdirSync(folder)
    .filter((each) => each.endsWith('.vec'))
    .sort()) {
    const file = readFileSync(join(folder, name));
    let [f, c] = [0, 0];
    for (const { vectors } of decodeVectors(file)) {
      f++;
      c += vectors.length;
    }
    rows.push(`| \`${name}\` | ${f} | ${c} | ${file.length} |`);
    [forms, cases, bytes] = [forms + f, cases + c, bytes + file.length];
  }
  const text = `# Where the vectors come from

Recorded by \`tools/silicon/record.mjs\` (our own programs, MIT) on a real processor; nothing in here was computed by Ringfence or taken
from elsewhere. The format is described in \`packages/cpu/src/testing/vector-file.ts\`; \`node tools/silicon/dump.mjs FILE --form X\` prints them.

- Processor: ${field('vendor_id')}, "${field('model name')}", family ${field('cpu family')}, model ${field('model')}, stepping ${field('stepping')}, in a virtual machine
- Flags: ${field('flags')}
- Kernel: Linux ${release()}, x86-64; code runs in 32-bit compatibility mode, CPL 3
- Date: ${new Date().toISOString().slice(0, 10)}
- Seed: \`${SEED}\`; each case's generator is seeded by it, the form's key and the case's number. At least ${CASES} cases are made for each form.

| file | forms | cases | bytes |
|---|---:|---:|---:|
${rows.join('\n')}
| **all** | ${forms} | ${cases} | ${bytes} |

## What the kernel and the processor do to the recordings

- Page faults of instruction fetches have bit 4 of the error code set, as Linux turns NX on; the replay takes it out.
- EFLAGS images of faults have RF set; the recorder takes it out.
- The x87's instruction and operand pointers are not part of the recorded state.
- UMIP is on and Linux emulates SGDT, SIDT, SMSW, SLDT and STR: they are not recorded.
- A case that makes a system call, loops for ever or executes in 64-bit mode is left out.
- What the processor does otherwise than the manual says: \`packages/cpu/src/testing/divergences.ts\`.
`;
  writeFileSync(join(folder, 'PROVENANCE.md'), text);
}
