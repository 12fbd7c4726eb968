/**
 * Interpreter speed on a hot integer loop with memory accesses, bare: guest instructions per second, beside the same work
 * as a plain loop in this JavaScript engine (the yardstick that makes machines comparable) and, where a C compiler is
 * found, in native code. What we promise: 60 M guest instructions/s where native code does 12 G/s (docs/SPECIFICATION.md).
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { image, le32, loop, run } from './guest.mjs';

const INSTRUCTIONS_PER_ROUND = 10;
const DATA = 0x200000;

/** Ten instructions, one load and one store. */
function kernel(rounds) {
  return image(
    loop({
      setup: [0xbe, ...le32(DATA), 0xb9, ...le32(rounds), 0x31, 0xdb, 0x31, 0xd2], // esi, ecx, ebx = 0, edx = 0
      // prettier-ignore
      body: [
        ...[0x8b, 0x04, 0x9e], //                   mov eax, [esi + ebx*4]
        ...[0x01, 0xc8], //                         add eax, ecx
        ...[0x31, 0xd0], //                         xor eax, edx
        ...[0x89, 0x84, 0x9e, ...le32(0x1000)], //  mov [esi + ebx*4 + 0x1000], eax
        ...[0x8d, 0x14, 0x42], //                   lea edx, [edx + eax*2]
        ...[0xc1, 0xc2, 0x05], //                   rol edx, 5
        ...[0x43], //                               inc ebx
        ...[0x81, 0xe3, ...le32(0x3ff)], //         and ebx, 0x3ff
      ],
      decrement: [0x49], //                         dec ecx
    }),
  );
}

/** The same work; answers a value so that nothing can be left out. */
function yardstick(memory, rounds) {
  let index = 0;
  let mix = 0;
  for (let left = rounds | 0; left !== 0; left = (left - 1) | 0) {
    const value = ((memory[index] + left) | 0) ^ mix;
    memory[index + 1024] = value;
    mix = (mix + (value << 1)) | 0;
    mix = (mix << 5) | (mix >>> 27);
    index = (index + 1) & 1023;
  }
  return mix;
}

const NATIVE_SOURCE = `
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
static uint32_t memory[2048];
int main(int argc, char **argv) {
  uint32_t rounds = strtoul(argv[1], 0, 10), index = 0, mix = 0;
  struct timespec a, b;
  clock_gettime(CLOCK_MONOTONIC, &a);
  for (uint32_t left = rounds; left; left--) {
    uint32_t value = (memory[index] + left) ^ mix;
    memory[index + 1024] = value;
    mix += value << 1;
    mix = mix << 5 | mix >> 27;
    index = (index + 1) & 1023;
  }
  clock_gettime(CLOCK_MONOTONIC, &b);
  printf("%.9f %u\\n", (b.tv_sec - a.tv_sec) + (b.tv_nsec - a.tv_nsec) / 1e9, mix);
  return argc == 0;
}
`;

function native(rounds) {
  const folder = mkdtempSync(join(tmpdir(), 'ringfence-bench-'));
  try {
    writeFileSync(join(folder, 'y.c'), NATIVE_SOURCE);
    execFileSync('cc', ['-O2', '-o', join(folder, 'y'), join(folder, 'y.c')], { stdio: 'ignore' });
    return Number(execFileSync(join(folder, 'y'), [String(rounds)], { encoding: 'utf8' }).split(' ')[0]);
  } catch {
    return undefined;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const best = async (times, measure) => {
  let least = Infinity;
  for (let i = 0; i < times; i++) least = Math.min(least, await measure());
  return least;
};

const rate = (rounds, seconds) => (rounds * INSTRUCTIONS_PER_ROUND) / seconds / 1e6;
const line = (what, value, note = '') =>
  console.log(`${what.padEnd(34)} ${value.toFixed(1).padStart(10)} M instr/s  ${note}`);

const guestRounds = Number(process.argv[2] ?? 20_000_000);
const guest = rate(guestRounds, await best(3, async () => (await run(kernel(guestRounds))).wallSeconds));
const scriptRounds = 200_000_000;
const script = rate(
  scriptRounds,
  await best(3, () => {
    const begun = performance.now();
    yardstick(new Int32Array(2048), scriptRounds);
    return (performance.now() - begun) / 1000;
  }),
);
const nativeRounds = 500_000_000;
const nativeSeconds = await best(3, () => native(nativeRounds) ?? NaN);

line('guest, interpreter, bare', guest);
line('yardstick: the loop in JavaScript', script, `${(script / guest).toFixed(1)} times the guest`);
if (Number.isFinite(nativeSeconds)) {
  const speed = rate(nativeRounds, nativeSeconds);
  line('yardstick: the loop in C', speed, `${(speed / guest).toFixed(1)} times the guest (promised: at most 200)`);
} else console.log('yardstick: the loop in C: no C compiler (cc) here');
