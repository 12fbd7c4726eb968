/**
 * The guest's consoles as byte channels: `stdio`, `file:PATH` or `none`, for the serial line and the debug port.
 * Bytes pass through untouched. Only the serial line has input, and only from standard input; such input arrives when
 * it arrives, so a run with input is not repeatable.
 */
import { type ByteChannel, RingfenceError } from '@ringfence/sdk';
import { type ByteOutput, fileOutput, stdoutOutput } from './byte-output.js';
import type { CliIo } from './io.js';

export type ConsoleTarget =
  { readonly kind: 'stdio' } | { readonly kind: 'none' } | { readonly kind: 'file'; path: string };

/** Parses `stdio`, `file:PATH` or `none`; throws RF_BAD_USAGE. */
export function parseConsoleTarget(what: string, text: string): ConsoleTarget {
  if (text === 'stdio' || text === 'none') return { kind: text };
  if (text.startsWith('file:') && text.length > 5) return { kind: 'file', path: text.slice(5) };
  throw new RingfenceError('RF_BAD_USAGE', {
    message: `${what} "${text}" is not stdio, file:PATH or none`,
    value: text,
    fix: `write e.g. --${what} stdio or --${what} file:${what}.log`,
  });
}

export interface ConsoleChannel extends ByteChannel {
  readonly output: ByteOutput | undefined;
  /** Bytes for the guest to receive. */
  feed(bytes: Uint8Array): void;
  /** No more bytes will come. */
  end(): void;
  /** Whether more bytes may come. */
  readonly open: () => boolean;
}

export interface ConsoleHooks {
  /** A file could not be written. */
  onError(error: RingfenceError): void;
  /** The reader of standard output has gone. */
  onGone(): void;
}

export function createConsole(target: ConsoleTarget, io: CliIo, hooks: ConsoleHooks): ConsoleChannel {
  const output = outputOf(target, io, hooks);
  let pending: number[] = [];
  let at = 0;
  let ended = false;
  let listener = (): void => {};
  return {
    output,
    send: (byte) => output?.write(byte),
    receive: () => {
      if (at < pending.length) return pending[at++];
      if (at > 0) [pending, at] = [[], 0];
      return -1;
    },
    onReceive: (callback) => {
      listener = callback;
      if (at < pending.length) callback();
    },
    feed: (bytes) => {
      for (const byte of bytes) pending.push(byte);
      listener();
    },
    end: () => {
      ended = true;
      listener();
    },
    open: () => !ended,
  };
}

function outputOf(target: ConsoleTarget, io: CliIo, hooks: ConsoleHooks): ByteOutput | undefined {
  if (target.kind === 'none') return undefined;
  if (target.kind === 'file') return fileOutput(target.path, (error) => hooks.onError(error));
  return stdoutOutput(
    (bytes) => io.stdout(bytes),
    () => hooks.onGone(),
  );
}

/** Opens all outputs or none. */
export function openOutputs(outputs: readonly (ByteOutput | undefined)[]): void {
  const opened: ByteOutput[] = [];
  try {
    for (const output of outputs) {
      output?.open();
      if (output !== undefined) opened.push(output);
    }
  } catch (error) {
    for (const output of opened) output.discard();
    throw error;
  }
}
