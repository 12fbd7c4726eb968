/**
 * Reads the kernel and the initrd, with a typed error for everything that can be wrong with a file before a loader looks
 * at its contents. Sizes are held against the guest's memory first, so that a file of many gigabytes is never read.
 */
import { readFileSync, statSync } from 'node:fs';
import { type ErrorCode, RingfenceError } from '@ringfence/sdk';

export interface InputFile {
  readonly bytes: Uint8Array;
  readonly name: string;
}

interface FileKind {
  readonly noun: string;
  readonly flag: string;
  readonly notFound: ErrorCode;
  readonly unreadable: ErrorCode;
  readonly tooLarge: ErrorCode;
}

const KERNEL: FileKind = {
  noun: 'kernel',
  flag: '--kernel',
  notFound: 'RF_KERNEL_NOT_FOUND',
  unreadable: 'RF_KERNEL_UNREADABLE',
  tooLarge: 'RF_KERNEL_TOO_LARGE',
};
const INITRD: FileKind = {
  noun: 'initrd',
  flag: '--initrd',
  notFound: 'RF_INITRD_NOT_FOUND',
  unreadable: 'RF_INITRD_NOT_FOUND',
  tooLarge: 'RF_INITRD_TOO_LARGE',
};

const FIRMWARE: FileKind = {
  noun: 'firmware image',
  flag: '--bios or --vga-bios',
  notFound: 'RF_FIRMWARE_NOT_FOUND',
  unreadable: 'RF_FIRMWARE_NOT_FOUND',
  tooLarge: 'RF_FIRMWARE_INVALID',
};
const MAX_FIRMWARE_BYTES = 16 * 1024 * 1024;

export const readFirmware = (path: string): InputFile => readInput(FIRMWARE, path, MAX_FIRMWARE_BYTES);
export const readKernel = (path: string, ramBytes: number): InputFile => readInput(KERNEL, path, ramBytes);
export const readInitrd = (path: string, ramBytes: number): InputFile => readInput(INITRD, path, ramBytes);

/** Kernel images may hold symbols that are never loaded, so a kernel gets more room than memory. */
const KERNEL_SLACK_BYTES = 512 * 1024 * 1024;

function readInput(kind: FileKind, path: string, ramBytes: number): InputFile {
  try {
    const stat = statSync(path);
    if (!stat.isFile())
      throw unreadable(kind, path, stat.isDirectory() ? 'it is a directory' : 'it is not a regular file');
    const limit = kind === KERNEL ? ramBytes + KERNEL_SLACK_BYTES : ramBytes;
    if (stat.size > limit) {
      throw new RingfenceError(kind.tooLarge, {
        message: `the ${kind.noun} ${path} (${stat.size} bytes) is larger than ${kind === FIRMWARE ? 'any' : "the guest's memory"} (${ramBytes} bytes)`,
        value: path,
        fix: kind === FIRMWARE ? 'use --bios seabios' : `give the guest more memory with -m, or a smaller ${kind.noun}`,
      });
    }
    return { bytes: readFileSync(path), name: path };
  } catch (cause) {
    if (cause instanceof RingfenceError) throw cause;
    const { code, message } = cause as NodeJS.ErrnoException;
    if (code !== 'ENOENT' && code !== 'ENOTDIR') throw unreadable(kind, path, message, cause);
    throw new RingfenceError(kind.notFound, {
      message: `there is no ${kind.noun} file ${path}`,
      value: path,
      fix: `check the path given with ${kind.flag} or in the configuration`,
      cause,
    });
  }
}

function unreadable(kind: FileKind, path: string, why: string, cause?: unknown): RingfenceError {
  return new RingfenceError(kind.unreadable, {
    message: `cannot read the ${kind.noun} ${path}: ${why}`,
    value: path,
    fix: `name a readable file with ${kind.flag}`,
    cause,
  });
}
