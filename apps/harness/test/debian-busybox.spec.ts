/**
 * A stock Debian kernel, bare: boots to the /init of our initramfs, runs a script whose answers are known (the network inside
 * the process is among what it asks), and says with the script's own status how it ended. About 7.5 thousand million
 * instructions. Monitored boots are not its business.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ensureGuest } from './fetched-guest.js';
import { guestImage, runGuest } from './run-guest.js';

const SCRIPT = [
  'set -e',
  'mount | grep -c "type tmpfs"',
  'awk "BEGIN { print 1/3, 20/7, 355/113 }"',
  'seq 1000 > /tmp/a',
  'gzip -k /tmp/a && gunzip -c /tmp/a.gz | cmp - /tmp/a && echo same',
  'sha256sum < /tmp/a',
  'i=0; while [ $i -lt 20 ]; do (true) & i=$((i + 1)); done; wait; echo forked $i',
  // ACPICA in the kernel has run our tables: nothing to complain of, and the SCI is where they say.
  'dmesg | grep -cE "ACPI [A-Z ]*(Error|Warning|Exception)" || true',
  'grep -c "IO-APIC.*acpi" /proc/interrupts',
  'ip link set eth0 up',
  'udhcpc -n -q > /dev/null 2>&1',
  'ping -c 1 gateway | grep -c "1 packets received"',
  'wget -q -O - http://kernel.example/hello | sha256sum',
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
      network: { hosts: { 'kernel.example': '10.0.2.2' }, serve: { '/hello': guestImage('hello') } },
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
        '0',
        '1',
        '1',
        `${createHash('sha256')
          .update(readFileSync(guestImage('hello')))
          .digest('hex')}  -`,
        'init: the script ended with status 5',
      ].join('\n'),
    );
    expect(status).toBe((5 << 1) | 1);
  });
});
