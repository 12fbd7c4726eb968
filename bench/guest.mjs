/**
 * Small guests for benchmarks, put together byte by byte: a multiboot header with address fields, then code at 1 MB in
 * flat 32-bit protected mode, paging off. Every one ends through the debug-exit port. And one way to run them.
 */
import { createMachine, runMachine } from '../packages/machine/dist/index.js';
import { createRegistry } from '../packages/preset-pc/dist/index.js';
import { parseMachineConfig } from '../packages/sdk/dist/index.js';

const BASE = 0x100000;
const HEADER_BYTES = 32;
const END = [0xb0, 0x00, 0xe6, 0xf4, 0xfa, 0xf4, 0xeb, 0xfd]; // mov al,0; out 0xf4,al; cli; hlt; jmp back

export const le32 = (value) => [value & 255, (value >>> 8) & 255, (value >>> 16) & 255, (value >>> 24) & 255];

/** A kernel file that runs `code` and then ends the run. */
export function image(code) {
  const flags = 0x10000;
  const magic = 0x1badb002;
  const bytes = HEADER_BYTES + code.length + END.length;
  const header = [magic, flags, -(magic + flags), BASE, BASE, BASE + bytes, 0, BASE + HEADER_BYTES];
  return { name: 'benchmark', bytes: Uint8Array.from([...header.flatMap(le32), ...code, ...END]) };
}

/** `count` times round `body` (ESI or ECX is the counter, as `decrement` says) after `setup`. */
export function loop({ setup, body, decrement }) {
  const back = -(body.length + decrement.length + 2);
  if (back < -128) throw new Error('the loop is too long for a short jump');
  return [...setup, ...body, ...decrement, 0x75, back & 255]; // jnz
}

/** Runs a kernel to its end; answers the report. `monitor` is a policy's name or `none`. */
export async function run(kernel, { policy = 'none', core = 'interpreter' } = {}) {
  const monitor = policy === 'none' ? 'none' : { policy };
  const config = parseMachineConfig({ memory: '8M', serial: 'none', cpu: { core }, monitor });
  const machine = createMachine({ config, registry: createRegistry([]), kernel });
  const { report, outcome } = await runMachine(machine, { timeoutSeconds: 300 });
  if (outcome !== 'debug-exit')
    throw new Error(`the guest ended with ${outcome} ${report.detail ?? ''} ${report.error?.stack ?? ''}`);
  return report;
}

export const policyNames = () => createRegistry([]).names('policy');
