/**
 * The guests that can be fetched, as data: which packages of Debian's archive they come from, which of their files are
 * kept, what is built from those, and how the guest is started. A new guest is a new entry. Nothing here does anything.
 */
import { unknownName } from '@ringfence/sdk';
import { VIRTIO_MODULES, busyboxInitramfs } from './busybox-initramfs.js';
import { grubDisk, isolinuxDisc } from './media/debian-media.js';

export interface PackageSource {
  readonly package: string;
  /** For an empty package that only names the current one: which of its dependencies is meant. */
  readonly dependency?: RegExp;
  /** Debian's name of the architecture; `all` where it does not matter. */
  readonly architecture: 'i386' | 'amd64' | 'all';
  /** Name in our cache, and where in the package the file is; `archive`: all of its files, as one tar archive. */
  readonly keep: readonly { readonly file: string; readonly from: RegExp | 'archive' }[];
}

export interface DerivedFile {
  readonly file: string;
  /** Kept files it is made of, in the order `build` takes them; `guest/file` for one of a guest in `uses`. */
  readonly of: readonly string[];
  readonly build: (...parts: Uint8Array[]) => Uint8Array;
}

/** How a guest is started: files by their names in the cache, and what the machine needs. */
export interface GuestStart {
  /** Without a kernel it is booted from its drives by firmware. */
  readonly kernel?: string;
  readonly initrd?: string;
  readonly drives?: readonly { readonly file: string; readonly media: 'disk' | 'cdrom' }[];
  readonly memory: string;
  readonly append: string;
}

export interface Guest {
  readonly name: string;
  readonly summary: string;
  readonly licence: string;
  readonly packages: readonly PackageSource[];
  /** Names of guests of whose files something is derived; they are fetched too. */
  readonly uses?: readonly string[];
  readonly derived?: readonly DerivedFile[];
  /** Absent: it is no guest but files for the board, such as firmware. */
  readonly run?: GuestStart;
}

export const SEABIOS = { guest: 'seabios', bios: 'bios-256k.bin', vgaBios: 'vgabios-stdvga.bin' } as const;

export const GUESTS: readonly Guest[] = [
  {
    name: SEABIOS.guest,
    summary: 'the firmware of `--bios seabios`: BIOS and video BIOS, no guest of its own',
    licence: 'LGPL-3',
    packages: [
      {
        package: 'seabios',
        architecture: 'all',
        keep: [
          { file: SEABIOS.bios, from: /\/seabios\/bios-256k\.bin$/ },
          { file: SEABIOS.vgaBios, from: /\/seabios\/vgabios-stdvga\.bin$/ },
        ],
      },
    ],
  },
  {
    name: 'memtest86',
    summary: 'memtest86+, a memory tester without an operating system',
    licence: 'GPL-2',
    packages: [
      {
        package: 'memtest86+',
        architecture: 'amd64',
        keep: [{ file: 'memtest86+ia32.bin', from: /\/memtest86\+ia32\.bin$/ }],
      },
    ],
    run: { kernel: 'memtest86+ia32.bin', memory: '8M', append: 'console=ttyS0,115200' },
  },
  {
    name: 'debian-busybox',
    summary: "Debian's kernel for processors without PAE, and a busybox shell on the serial line",
    licence: 'GPL-2',
    packages: [
      {
        package: 'linux-image-686',
        dependency: /^linux-image-\d[^ ]*-686$/,
        architecture: 'i386',
        keep: [
          { file: 'vmlinuz', from: /^\.\/boot\/vmlinuz-/ },
          ...VIRTIO_MODULES.map((name) => ({ file: `${name}.ko`, from: new RegExp(`/kernel/.*/${name}\\.ko$`) })),
        ],
      },
      { package: 'busybox-static', architecture: 'i386', keep: [{ file: 'busybox', from: /^\.\/bin\/busybox$/ }] },
    ],
    derived: [
      {
        file: 'initramfs.cpio',
        of: ['busybox', ...VIRTIO_MODULES.map((name) => `${name}.ko`)],
        build: busyboxInitramfs,
      },
    ],
    run: { kernel: 'vmlinuz', initrd: 'initramfs.cpio', memory: '128M', append: 'console=ttyS0' },
  },
  {
    name: 'debian-disk',
    summary: 'debian-busybox on a disk with GRUB, booted by SeaBIOS',
    licence: 'GPL-2, GPL-3',
    packages: [{ package: 'grub-pc-bin', architecture: 'i386', keep: [{ file: 'grub-pc-bin.tar', from: 'archive' }] }],
    uses: ['debian-busybox'],
    derived: [
      {
        file: 'disk.img',
        of: ['grub-pc-bin.tar', 'debian-busybox/vmlinuz', 'debian-busybox/initramfs.cpio'],
        build: grubDisk,
      },
    ],
    run: { drives: [{ file: 'disk.img', media: 'disk' }], memory: '128M', append: '' },
  },
  {
    name: 'debian-cd',
    summary: 'debian-busybox on a CD-ROM with isolinux, booted by SeaBIOS',
    licence: 'GPL-2',
    packages: [
      {
        package: 'isolinux',
        architecture: 'all',
        keep: [{ file: 'isolinux.bin', from: /\/ISOLINUX\/isolinux\.bin$/ }],
      },
      {
        package: 'syslinux-common',
        architecture: 'all',
        keep: [{ file: 'ldlinux.c32', from: /\/modules\/bios\/ldlinux\.c32$/ }],
      },
    ],
    uses: ['debian-busybox'],
    derived: [
      {
        file: 'cd.iso',
        of: ['isolinux.bin', 'ldlinux.c32', 'debian-busybox/vmlinuz', 'debian-busybox/initramfs.cpio'],
        build: isolinuxDisc,
      },
    ],
    run: { drives: [{ file: 'cd.iso', media: 'cdrom' }], memory: '128M', append: '' },
  },
  {
    name: 'debian-installer',
    summary: "Debian's network installer in text mode",
    licence: 'GPL-2 and others',
    packages: [
      {
        package: 'debian-installer-12-netboot-i386',
        architecture: 'all',
        keep: [
          { file: 'linux', from: /\/i386\/text\/debian-installer\/i386\/linux$/ },
          { file: 'initrd.gz', from: /\/i386\/text\/debian-installer\/i386\/initrd\.gz$/ },
        ],
      },
    ],
    run: { kernel: 'linux', initrd: 'initrd.gz', memory: '512M', append: 'console=ttyS0 vga=normal' },
  },
];

/** Throws RF_UNKNOWN_NAME with the nearest name. */
export function findGuest(name: string, guests: readonly Guest[] = GUESTS): Guest {
  const found = guests.find((guest) => guest.name === name);
  if (found !== undefined) return found;
  throw unknownName(
    'guest',
    name,
    guests.map((guest) => guest.name),
  );
}
