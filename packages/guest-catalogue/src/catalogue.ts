/**
 * The guests that can be fetched, as data: which packages of Debian's archive they come from, which of their files are
 * kept, what is built from those, and how the guest is started. A new guest is a new entry. Nothing here does anything.
 */
import { unknownName } from '@ringfence/sdk';
import { busyboxInitramfs } from './busybox-initramfs.js';

export interface PackageSource {
  readonly package: string;
  /** For an empty package that only names the current one: which of its dependencies is meant. */
  readonly dependency?: RegExp;
  /** Debian's name of the architecture; `all` where it does not matter. */
  readonly architecture: 'i386' | 'amd64' | 'all';
  /** Name in our cache, and where in the package the file is. */
  readonly keep: readonly { readonly file: string; readonly from: RegExp }[];
}

export interface DerivedFile {
  readonly file: string;
  /** Kept files it is made of, in the order `build` takes them. */
  readonly of: readonly string[];
  readonly build: (...parts: Uint8Array[]) => Uint8Array;
}

export interface Guest {
  readonly name: string;
  readonly summary: string;
  readonly licence: string;
  readonly packages: readonly PackageSource[];
  readonly derived?: readonly DerivedFile[];
  /** Files by their names in the cache, and what the machine needs. */
  readonly run: {
    readonly kernel: string;
    readonly initrd?: string;
    readonly memory: string;
    readonly append: string;
  };
}

export const GUESTS: readonly Guest[] = [
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
        keep: [{ file: 'vmlinuz', from: /^\.\/boot\/vmlinuz-/ }],
      },
      { package: 'busybox-static', architecture: 'i386', keep: [{ file: 'busybox', from: /^\.\/bin\/busybox$/ }] },
    ],
    derived: [{ file: 'initramfs.cpio', of: ['busybox'], build: busyboxInitramfs }],
    run: { kernel: 'vmlinuz', initrd: 'initramfs.cpio', memory: '128M', append: 'console=ttyS0' },
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
