/**
 * What the command line needs of the process it runs in, as one injectable object: streams, environment, signals. The
 * commands never touch `process` themselves, so that specs call them in-process and see every byte.
 * It does not put a terminal into raw mode: Ctrl-C stays ours and prints the report so far.
 */
import type { ReadStream } from 'node:tty';

/** Bytes from the user to the guest. */
export interface InputSource {
  readonly isTTY: boolean;
  /** Starts delivering; the source must never keep the process alive. Answers how to stop. */
  attach(onBytes: (bytes: Uint8Array) => void): () => void;
}

export interface CliIo {
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdin: InputSource;
  /** False once the reader has gone away (a closed pipe). */
  stdout(data: string | Uint8Array): boolean;
  stderr(text: string): void;
  /** Calls `handler` on each SIGINT, SIGTERM or SIGHUP; answers how to stop listening. */
  onInterrupt(handler: (signal: string) => void): () => void;
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** The real process. */
export function processIo(): CliIo {
  let stdoutOpen = true;
  const gone = (error: NodeJS.ErrnoException): void => {
    if (error.code !== 'EPIPE') throw error;
    stdoutOpen = false;
  };
  process.stdout.on('error', gone);
  process.stderr.on('error', () => {});
  return {
    cwd: process.cwd(),
    env: process.env,
    stdin: { isTTY: process.stdin.isTTY === true, attach: attachStdin },
    stdout: (data) => {
      if (stdoutOpen) process.stdout.write(data);
      return stdoutOpen;
    },
    stderr: (text) => void process.stderr.write(text),
    onInterrupt: (handler) => {
      for (const signal of SIGNALS) process.on(signal, handler);
      return () => {
        for (const signal of SIGNALS) process.off(signal, handler);
      };
    },
  };
}

function attachStdin(onBytes: (bytes: Uint8Array) => void): () => void {
  const stdin: ReadStream = process.stdin;
  const onError = (): void => {};
  stdin.on('data', onBytes);
  stdin.on('error', onError);
  stdin.resume();
  stdin.unref?.();
  return () => {
    stdin.off('data', onBytes);
    stdin.pause();
    stdin.unref?.();
  };
}
