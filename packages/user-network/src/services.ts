/**
 * The TCP services of the gateway: echo (RFC 862), discard (RFC 863) and a web server (RFC 9112) for a fixed set of files.
 * The web server answers GET and HEAD by exact path, one request a connection; `/` lists the files unless one is called so.
 * Does not do ranges, keep-alive, content types beyond a few, or anything written.
 */
import { RingfenceError, type StateRecord } from '@ringfence/sdk';
import { concat } from './internet.js';
import type { TcpConnection } from './tcp-connection.js';
import { MAX_WINDOW, type TcpService } from './tcp-contract.js';

export type ServedFiles = ReadonlyMap<string, Uint8Array>;

type Fields = StateRecord['data'];

/** A service whose state can be saved. */
export interface SavedService extends TcpService {
  save(): Fields;
}

const MAX_REQUEST = 8192;

/** What comes in goes out again, and the window is what the way out takes. */
export class EchoService implements SavedService {
  room(connection: TcpConnection): number {
    return connection.room;
  }

  receive(connection: TcpConnection, data: Uint8Array): void {
    connection.write(data);
  }

  finished(connection: TcpConnection): void {
    connection.close();
  }

  writable(): void {}

  closed(): void {}

  save(): Fields {
    return {};
  }
}

export class DiscardService implements SavedService {
  room(): number {
    return MAX_WINDOW;
  }

  receive(): void {}

  finished(connection: TcpConnection): void {
    connection.close();
  }

  writable(): void {}

  closed(): void {}

  save(): Fields {
    return {};
  }
}

export class HttpService implements SavedService {
  /** The head of the request as far as it has come; Latin-1. */
  private request = '';
  /** The file on its way, '' before and without one. */
  private path = '';
  private offset = 0;
  private answered = false;

  constructor(private readonly files: ServedFiles) {}

  static restore(files: ServedFiles, data: Fields): HttpService {
    const { request, path, offset, answered } = data;
    const service = new HttpService(files);
    const size = path === '' ? 0 : typeof path === 'string' ? files.get(path)?.length : undefined;
    const fits = typeof offset === 'number' && size !== undefined && offset >= 0 && offset <= size;
    if (!fits || typeof request !== 'string' || typeof path !== 'string' || typeof answered !== 'boolean') {
      throw new RingfenceError('RF_BAD_STATE', {
        message: 'the saved network sends a file that this one does not serve alike',
        value: path,
        fix: 'load it into a machine with the same configuration',
      });
    }
    return Object.assign(service, { request, path, offset, answered });
  }

  save(): Fields {
    const { request, path, offset, answered } = this;
    return { request, path, offset, answered };
  }

  room(): number {
    return MAX_WINDOW;
  }

  receive(connection: TcpConnection, data: Uint8Array): void {
    if (this.answered) return; // a body, or a second request: nobody reads it
    this.request += String.fromCharCode(...data.subarray(0, MAX_REQUEST));
    const end = /\r?\n\r?\n/.exec(this.request);
    if (end !== null) this.answer(connection, this.request.slice(0, end.index));
    else if (this.request.length >= MAX_REQUEST) this.status(connection, '431 Request Header Fields Too Large');
  }

  finished(connection: TcpConnection): void {
    if (!this.answered) connection.close();
  }

  writable(connection: TcpConnection): void {
    if (!this.answered || this.path === '') return;
    const file = this.files.get(this.path)!;
    const bytes = Math.min(connection.room, file.length - this.offset);
    // The offset first: a write may call back here.
    const start = this.offset;
    this.offset += bytes;
    if (bytes > 0) connection.write(file.subarray(start, start + bytes));
    if (this.offset === file.length) connection.close();
  }

  closed(): void {}

  private answer(connection: TcpConnection, head: string): void {
    const [method, target, version] = head.split(/\r?\n/, 1)[0].split(' ');
    if (version === undefined || !version.startsWith('HTTP/1.')) return this.status(connection, '400 Bad Request');
    if (method !== 'GET' && method !== 'HEAD')
      return this.status(connection, '405 Method Not Allowed', 'Allow: GET, HEAD\r\n');
    const path = pathOf(target);
    const file = path === undefined ? undefined : this.files.get(path);
    if (path === undefined || file === undefined) return this.status(connection, '404 Not Found');
    this.reply(connection, '200 OK', contentType(path), file.length);
    if (method === 'HEAD') return connection.close();
    this.path = path;
    this.writable(connection);
  }

  private status(connection: TcpConnection, status: string, extra = ''): void {
    const body = new TextEncoder().encode(`${status}\n`);
    this.reply(connection, status, 'text/plain', body.length, extra);
    connection.write(body);
    connection.close();
  }

  private reply(connection: TcpConnection, status: string, type: string, length: number, extra = ''): void {
    this.answered = true;
    this.request = '';
    const head = `HTTP/1.1 ${status}\r\nContent-Type: ${type}\r\nContent-Length: ${length}\r\n${extra}Connection: close\r\n\r\n`;
    connection.write(new TextEncoder().encode(head));
  }
}

/** The path of a request's target, decoded and without its query; undefined when it is none. */
function pathOf(target: string): string | undefined {
  const path = target.replace(/^http:\/\/[^/]*/i, '').split('?', 1)[0];
  try {
    return path.startsWith('/') ? decodeURIComponent(path) : undefined;
  } catch {
    return undefined;
  }
}

function contentType(path: string): string {
  if (/\.(txt|md|log|sh|conf)$|^\/$/.test(path)) return 'text/plain; charset=utf-8';
  return path.endsWith('.html') ? 'text/html; charset=utf-8' : 'application/octet-stream';
}

/** `files` and, if there is none, an index at `/`. */
export function withIndex(files: ServedFiles): ServedFiles {
  if (files.has('/')) return files;
  const lines = [...files].map(([path, { length }]) => `${String(length).padStart(12)} ${path}\n`).sort();
  return new Map([...files, ['/', concat(...lines.map((line) => new TextEncoder().encode(line)))]]);
}
