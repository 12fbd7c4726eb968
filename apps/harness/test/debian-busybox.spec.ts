/**
 * A stock Debian kernel, bare: boots to the /init of our initramfs, runs a script whose answers are known, and says with
 * the script's own status how it ended. About 6.5 thousand million instructions. Monitored boots are not its business.
 */
import { describe, expect, it } from 'vitest';
import { ensureGuest } from './fetched-guest.js';
import { runGuest } from './run-guest.js';

const SCRIPT = [
  'set -e',
  'mount | grep -c "type tmpfs"',
  'awk "BEGIN { print 1/3, 20/7, 355/113 }"',
  'seq 1000 > /tmp/a',
  'gzip -k /tmp/a && gunzip -c /tmp/a.gz | cmp - /tmp/a && echo same',
  'sha256sum < /tmp/a',
  'i=0; while [ $i -lt 20 ]; do (true) & i=$((i + 1)); done; wait; echo forked $i',
  'exit 5',
].join('; ');

describe('debian-busybox', () => {
  it('boots and runs a script', { timeout: 15 * 60_000 }, async (context) => {
    const { guest: fetched, skip } = await ensureGuest('debian-busybox');
    if (fetched === undefined) return context.skip(skip);
    const { memory, append } = fetched.guest.run;
    const { status, serial, report, dump } = await runGuest(fetched.kernel, {
      initrd: fetched.initrd,
      memory,
      append: `${append} quiet -- "${SCRIPT.replaceAll('"', "'")}"`,
      limits: { timeoutSeconds: 800 },
    });
    const text = Buffer.from(serial).toString('latin1');
    expect(report, `${dump}\n${text.slice(-4000)}`).toMatchObject({ outcome: 'debug-exit' });
    expect(text.replaceAll('\r', '')).toContain(
      [
        '0.333333 2.85714 3.14159',
        'same',
        '67d4ff71d43921d5739f387da09746f405e425b07d727e4c69d029461d1f051f  -',
        'forked 20',
        'init: the script ended with status 5',
      ].join('\n'),
    );
    expect(status).toBe((5 << 1) | 1);
  });
});
