/**
 * Where the lines of a trace go: standard output or a file, in large pieces. The file is made by `open`, when everything else has
 * been validated. A reader that goes away (`| head`) and a disk that is full are told once, to whoever produces the lines.
 */
import { closeSync, openSync, writeSync } from 'node:fs';
import type { RingfenceError } from '@ringfence/sdk';
import { unwritable } from './byte-output.js';
import type { CliIo } from './io.js';

const PIECE = 1 << 16;

export interface LineHooks {
  onError(error: RingfenceError): void;
  onGone(): void;
}

export class LineOutput {
  private pieces = '';
  private fd: number | undefined;
  private dead = false;

  constructor(
    private readonly path: string | undefined,
    private readonly io: CliIo,
    private readonly hooks: LineHooks,
  ) {}

  /** Throws RF_OUTPUT_UNWRITABLE. */
  open(): void {
    if (this.path === undefined) return;
    try {
      this.fd = openSync(this.path, 'w');
    } catch (cause) {
      throw unwritable(this.path, cause);
    }
  }

  line(text: string): void {
    this.pieces += text;
    this.pieces += '\n';
    if (this.pieces.length >= PIECE) this.flush();
  }

  flush(): void {
    const text = this.pieces;
    this.pieces = '';
    if (text === '' || this.dead) return;
    if (this.path === undefined) {
      if (this.io.stdout(text)) return;
      this.dead = true;
      this.hooks.onGone();
      return;
    }
    try {
      const bytes = Buffer.from(text);
      for (let at = 0; at < bytes.length;) at += writeSync(this.fd!, bytes, at);
    } catch (cause) {
      this.dead = true;
      this.hooks.onError(unwritable(this.path, cause));
    }
  }

  close(): void {
    this.flush();
    if (this.fd !== undefined) closeSync(this.fd);
    this.fd = undefined;
  }
}
