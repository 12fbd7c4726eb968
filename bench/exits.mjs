/**
 * What an exit costs: a guest that does nothing but CPUID, which exits every time under a monitor, run bare and under each
 * policy. Printed: exits per second, microseconds an exit, and how many times slower than bare the loop is.
 */
import { image, le32, loop, policyNames, run } from './guest.mjs';

const count = Number(process.argv[2] ?? 300_000);
const kernel = image(
  loop({
    setup: [0xbe, ...le32(count)], // mov esi, count
    body: [0x31, 0xc0, 0x0f, 0xa2], // xor eax, eax; cpuid
    decrement: [0x4e], // dec esi
  }),
);

/** The better of two: the first also compiles. */
async function best(policy) {
  const [first, second] = [await run(kernel, { policy }), await run(kernel, { policy })];
  return first.wallSeconds < second.wallSeconds ? first : second;
}

const bare = await best('none');
console.log(`${'bare'.padEnd(18)} ${(count / bare.wallSeconds / 1e6).toFixed(2).padStart(8)} M CPUID/s`);
for (const policy of policyNames()) {
  const { wallSeconds, monitor } = await best(policy);
  const exits = monitor.exits.total;
  const perSecond = (exits / wallSeconds / 1e6).toFixed(2).padStart(8);
  const micros = ((wallSeconds / exits) * 1e6).toFixed(2);
  console.log(
    `${policy.padEnd(18)} ${perSecond} M exits/s  ${micros} us each  ${(wallSeconds / bare.wallSeconds).toFixed(1)} times bare`,
  );
}
