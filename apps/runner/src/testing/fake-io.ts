/**
 * A process for specs of the command line: collects what is written, feeds what is typed, raises signals on demand.
 */
import type { CliIo, InputListener } from '../io.js';

export interface FakeIo extends CliIo {
  readonly out: () => string;
  readonly err: () => string;
  /** As if the user typed. Only while the run has standard input attached. */
  type(text: string): void;
  interrupt(): void;
  /** As if standard input ended. */
  end(): void;
  readonly attached: () => boolean;
  /** Whether a terminal would be in raw mode now. */
  readonly raw: () => boolean;
}

export interface FakeIoOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly isTTY?: boolean;
  readonly stdoutIsTTY?: boolean;
}

export function fakeIo(options: FakeIoOptions = {}): FakeIo {
  const out: Buffer[] = [];
  let err = '';
  let listener: InputListener | undefined;
  const handlers = new Set<(signal: string) => void>();
  return {
    cwd: options.cwd ?? process.cwd(),
    env: options.env ?? {},
    stdin: {
      isTTY: options.isTTY ?? false,
      attach: (attached) => {
        listener = attached;
        return () => (listener = undefined);
      },
    },
    stdoutIsTTY: options.stdoutIsTTY ?? false,
    stdoutSize: () => ({ columns: 80, rows: 24 }),
    onResize: () => () => {},
    stdout: (data) => {
      out.push(Buffer.from(data as string));
      return true;
    },
    stdoutDrained: () => undefined,
    stderr: (text) => void (err += text),
    onInterrupt: (handler) => {
      handlers.add(handler);
      return () => handlers.delete(handler);
    },
    out: () => Buffer.concat(out).toString('latin1'),
    err: () => err,
    type: (text) => listener?.onBytes(Buffer.from(text)),
    interrupt: () => handlers.forEach((handler) => handler('SIGINT')),
    end: () => listener?.onEnd(),
    attached: () => listener !== undefined,
    raw: () => listener?.raw === true,
  };
}
