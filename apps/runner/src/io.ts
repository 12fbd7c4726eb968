/**
 * What the command line needs of the process it runs in, as one injectable object: streams, environment, signals. The
 * commands never touch `process` themselves, so that specs call them in-process and see every byte.
 * A terminal in raw mode is given back as it was on every way out of the process but SIGKILL.
 */
import type { ReadStream } from 'node:tty';

/** Bytes from the user to the guest. */
export interface InputSource {
  readonly isTTY: boolean;
  /** Starts delivering; the source must never keep the process alive. Answers how to stop. */
  attach(listener: InputListener): () => void;
}

export interface InputListener {
  readonly onBytes: (bytes: Uint8Array) => void;
  /** No more will come. */
  readonly onEnd: () => void;
  /** Have a terminal send each key as it is struck and act on none; nothing for what is no terminal. */
  readonly raw: boolean;
}

export interface CliIo {
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdin: InputSource;
  /** Whether standard output is a terminal, which can be drawn on. */
  readonly stdoutIsTTY: boolean;
  /** How many characters the terminal has; 80 by 24 where nobody can tell. */
  stdoutSize(): { readonly columns: number; readonly rows: number };
  /** Calls `handler` when the terminal has another size; answers how to stop listening. */
  onResize(handler: () => void): () => void;
  /** False once the reader has gone away (a closed pipe). */
  stdout(data: string | Uint8Array): boolean;
  /** Undefined while standard output takes more; else it is full, and this ends once it is not, or has gone away. */
  stdoutDrained(): Promise<void> | undefined;
  stderr(text: string): void;
  /** Calls `handler` on each SIGINT, SIGTERM or SIGHUP; answers how to stop listening. */
  onInterrupt(handler: (signal: string) => void): () => void;
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** The real process. */
export function processIo(): CliIo {
  let stdoutOpen = true;
  let draining: Promise<void> | undefined;
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
    stdoutIsTTY: process.stdout.isTTY === true,
    stdoutSize: () => ({ columns: process.stdout.columns || 80, rows: process.stdout.rows || 24 }),
    onResize: (handler) => {
      process.stdout.on('resize', handler);
      return () => process.stdout.off('resize', handler);
    },
    stdout: (data) => {
      if (stdoutOpen) process.stdout.write(data);
      return stdoutOpen;
    },
    stdoutDrained: () => {
      if (!stdoutOpen || !process.stdout.writableNeedDrain) return undefined;
      draining ??= new Promise((resolve) => {
        const done = (): void => {
          process.stdout.off('drain', done).off('error', done);
          draining = undefined;
          resolve();
        };
        process.stdout.on('drain', done).on('error', done);
      });
      return draining;
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

function attachStdin({ onBytes, onEnd, raw }: InputListener): () => void {
  const stdin: ReadStream = process.stdin;
  // A terminal that goes away gives an error, not an end.
  const onError = (): void => onEnd();
  stdin.on('data', onBytes);
  stdin.on('end', onEnd);
  stdin.on('error', onError);
  const cooked = raw && stdin.isTTY ? makeRaw(stdin) : (): void => {};
  stdin.resume();
  stdin.unref?.();
  return () => {
    cooked();
    stdin.off('data', onBytes);
    stdin.off('end', onEnd);
    stdin.pause();
    stdin.unref?.();
  };
}

/** Answers how to put the terminal back, which also happens when the process ends by itself or by a fault. */
function makeRaw(terminal: ReadStream): () => void {
  // Whoever stops and continues us (a shell's job control) leaves the terminal as it likes it.
  const enter = (): void => void attempt(() => terminal.setRawMode(true));
  const leave = (): void => void attempt(() => terminal.setRawMode(false));
  enter();
  process.on('SIGCONT', enter);
  process.on('exit', leave);
  return () => {
    process.off('SIGCONT', enter);
    process.off('exit', leave);
    leave();
  };
}

/** A terminal that has gone away refuses every change of mode; there is nothing left to put back then. */
function attempt(change: () => void): void {
  try {
    change();
  } catch {
    // gone
  }
}
