/**
 * The first file system of the guest `debian-busybox`: one static busybox, a console, and an /init that mounts what every
 * Linux has and then does as the kernel's command line says. It is not compressed: inflating it would cost the guest more
 * than reading it, and deflate's output differs from one zlib to the next, while these bytes must not.
 */
import { type CpioEntry, writeCpio } from './cpio.js';

/**
 * The kernel hands /init every argument after `--` (Linux, Documentation/admin-guide/kernel-parameters.rst). A script that
 * fails says so in the exit status of the run too, through the debug-exit port; a machine without one just powers off.
 */
export const BUSYBOX_INIT = `#!/bin/sh
# The first process of the guest debian-busybox (made by Ringfence).
#   init=PROGRAM [-- ARGS]   becomes PROGRAM
#   -- "COMMANDS"            runs COMMANDS in a shell, then powers off
#   otherwise                a shell on the console; leaving it powers off
export PATH=/sbin:/bin:/usr/sbin:/usr/bin HOME=/root TERM=vt100
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sysfs /sys
/bin/busybox mount -t devtmpfs devtmpfs /dev
/bin/busybox mount -t tmpfs tmpfs /tmp
/bin/busybox --install -s
program=
for word in $(cat /proc/cmdline); do
  case $word in
    --) break ;;
    init=*) program=\${word#init=} ;;
  esac
done
cd /root
[ -n "$program" ] && exec "$program" "$@"
if [ $# -gt 0 ]; then
  sh -c "$*"
  status=$?
  echo "init: the script ended with status $status"
  if [ $status -ne 0 ] && [ -c /dev/port ]; then
    printf "\\\\x$(printf %x $status)" | dd of=/dev/port bs=1 seek=244 conv=notrunc 2>/dev/null
  fi
  poweroff -f
fi
echo 'debian-busybox: a shell on the console; exit powers off'
setsid cttyhack sh
poweroff -f
`;

const FOLDERS = ['bin', 'dev', 'etc', 'proc', 'root', 'sbin', 'sys', 'tmp', 'usr', 'usr/bin', 'usr/sbin'];

/** The initramfs around a static busybox. */
export function busyboxInitramfs(busybox: Uint8Array): Uint8Array {
  const entries: CpioEntry[] = [
    ...FOLDERS.map((path) => ({ kind: 'folder', path, mode: 0o755 }) as const),
    { kind: 'device', path: 'dev/console', mode: 0o600, major: 5, minor: 1 },
    { kind: 'file', path: 'bin/busybox', mode: 0o755, bytes: busybox },
    { kind: 'link', path: 'bin/sh', target: 'busybox' },
    { kind: 'file', path: 'init', mode: 0o755, bytes: Buffer.from(BUSYBOX_INIT) },
  ];
  return writeCpio(entries);
}
