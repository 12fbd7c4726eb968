/** What a fuzzing run covered, in words: counts, exceptions, forms, and everything that was not compared with its reason. */
import { EXCLUDED, FINAL, LEFT_OUT } from './fuzz-semantics.mjs';
import { fuzzedRows } from './fuzz-table.mjs';
import { opcodeRows } from '../../packages/cpu/dist/table/index.js';

const NAMES = {
  0: '#DE', 1: '#DB', 3: 'ran to its end', 4: '#OF', 5: '#BR', 6: '#UD', 7: '#NM', 10: '#TS', 11: '#NP', 12: '#SS', 13: '#GP', 14: '#PF', 16: '#MF', 17: '#AC', 19: '#XM',
}; // prettier-ignore

export function report(counts, seconds, seed) {
  const lines = [''];
  const rate = Math.round(counts.instructions / seconds);
  lines.push(
    `seed ${seed}: ${counts.instructions} instructions in ${counts.sequences} sequences, ${counts.failures} differences; ${seconds.toFixed(0)} s, ${rate} instructions/s`,
  );
  const ends = Object.entries(counts.vectors).sort(([, a], [, b]) => b - a);
  lines.push(
    `ended by: ${ends.map(([vector, n]) => `${NAMES[vector] ?? `vector ${vector}`} ${n}`).join(', ')}${counts.hangs ? `, endless ${counts.hangs}` : ''}`,
  );
  const forms = Object.keys(counts.forms);
  const rows = fuzzedRows.filter(({ key }) => forms.some((form) => form === key || form.startsWith(key + ' ')));
  lines.push(
    `${rows.length} of ${fuzzedRows.length} rows generated, in ${forms.length} forms (${opcodeRows.length} rows in the table)`,
  );
  const missing = fuzzedRows.filter((each) => !rows.includes(each));
  // A short run leaves most out; a long one should leave none.
  if (missing.length > 0 && missing.length <= 40) lines.push(`not met: ${missing.map(({ key }) => key).join('; ')}`);
  lines.push(`flags undefined at the end, by the manual, in ${counts.masked} sequences`);
  const skipped = Object.entries(counts.skipped);
  if (skipped.length > 0) lines.push(`not compared: ${skipped.map(([reason, n]) => `${reason} ${n}`).join(', ')}`);
  if (counts.restarts) lines.push(`the native executor died ${counts.restarts} times`);
  for (const [reason, n] of Object.entries(counts.quirks ?? {})) lines.push(`let pass ${n} times: ${reason}`);
  for (const [names, reason] of EXCLUDED) lines.push(`never generated: ${names.join(' ')}: ${reason}`);
  for (const [names, reason] of FINAL) lines.push(`only at the end of a sequence: ${names.join(' ')}: ${reason}`);
  for (const [what, reason] of LEFT_OUT) lines.push(`left out: ${what}: ${reason}`);
  return lines.join('\n');
}
