/**
 * The first file system of the guest `debian-busybox`: one static busybox, a console, and an /init that mounts what every
 * Linux has and then does as the kernel's command line says. It is not compressed: inflating it would cost the guest more
 * than reading it, and deflate's output differs from one zlib to the next, while these bytes must not.
 */
import { type CpioEntry, writeCpio } from './cpio.js';
import { moduleFolder } from './kernel-modules.js';

/** Modules of Debian's kernel for virtio devices, as their files are called. */
export const VIRTIO_MODULES = [
  ...['virtio', 'virtio_ring', 'virtio_pci_legacy_dev', 'virtio_pci_modern_dev', 'virtio_pci'],
  ...['virtio_blk', 'virtio_console', 'virtio-rng', 'failover', 'net_failover', 'virtio_net'],
  ...['9pnet', '9pnet_virtio', 'netfs', 'fscache', '9p'],
];

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
# Drivers for virtio devices, where there are any; file systems load theirs when they are mounted.
virtio=
for vendor in /sys/bus/pci/devices/*/vendor; do
  read -r id <"$vendor" && [ "$id" = 0x1af4 ] && virtio=yes
done
if [ -n "$virtio" ]; then
  modprobe virtio_pci
  for alias in /sys/bus/virtio/devices/*/modalias; do
    read -r name <"$alias" && modprobe "$name"
  done
fi
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

/** What `udhcpc` calls with what a DHCP server said in its environment (busybox, examples/udhcp). */
export const UDHCPC_SCRIPT = `#!/bin/sh
case $1 in
deconfig)
  ip addr flush dev "$interface"
  ip link set "$interface" up
  ;;
bound|renew)
  ip addr flush dev "$interface"
  ip addr add "$ip/$mask" dev "$interface"
  for gateway in $router; do
    ip route replace default via "$gateway" dev "$interface"
    break
  done
  : >/etc/resolv.conf
  [ -n "$domain" ] && echo "search $domain" >>/etc/resolv.conf
  for server in $dns; do
    echo "nameserver $server" >>/etc/resolv.conf
  done
  ;;
esac
exit 0
`;

const FOLDERS = ['bin', 'dev', 'etc', 'lib', 'mnt', 'proc', 'root', 'sbin', 'sys', 'tmp', 'usr', 'usr/bin', 'usr/sbin'];

/** The initramfs around a static busybox, with the kernel's modules. */
export function busyboxInitramfs(busybox: Uint8Array, ...modules: Uint8Array[]): Uint8Array {
  const entries: CpioEntry[] = [
    ...FOLDERS.map((path) => ({ kind: 'folder', path, mode: 0o755 }) as const),
    { kind: 'device', path: 'dev/console', mode: 0o600, major: 5, minor: 1 },
    { kind: 'file', path: 'bin/busybox', mode: 0o755, bytes: busybox },
    { kind: 'link', path: 'bin/sh', target: 'busybox' },
    ...moduleFolder(modules),
    { kind: 'folder', path: 'etc/udhcpc', mode: 0o755 },
    { kind: 'file', path: 'etc/udhcpc/default.script', mode: 0o755, bytes: Buffer.from(UDHCPC_SCRIPT) },
    { kind: 'file', path: 'init', mode: 0o755, bytes: Buffer.from(BUSYBOX_INIT) },
  ];
  return writeCpio(entries);
}
