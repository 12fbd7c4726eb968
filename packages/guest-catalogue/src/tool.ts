/**
 * Runs a program of the host and answers what it printed. The signal that ends a fetch ends the program too; what it
 * says when it fails becomes a typed error. Programs are an interface so that specs need neither network nor Debian.
 */
import { spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { RingfenceError } from '@ringfence/sdk';

export interface ToolOptions {
  readonly cwd?: string;
  readonly signal?: AbortSignal;
  /** Standard output goes to this file. */
  readonly into?: string;
}

/** Answers standard output. Rejects with ToolFailed, or with RF_NO_PACKAGE_CLIENT when there is no such program. */
export type RunTool = (command: string, args: readonly string[], options?: ToolOptions) => Promise<string>;

export class ToolFailed extends Error {
  constructor(
    command: string,
    /** Standard error. */
    readonly said: string,
  ) {
    const lines = said.trim().split('\n');
    const line = lines.find((each) => each.startsWith('E:')) ?? lines.at(-1) ?? '';
    super(`\`${command}\` failed${line === '' ? '' : `: ${line}`}`);
  }
}

/** Nothing a package client prints is longer; more is a program gone wrong. */
const MAX_TEXT = 1 << 26;

export const runTool: RunTool = (command, args, { cwd, signal, into } = {}) =>
  new Promise((resolve, reject) => {
    const env = { ...process.env, LC_ALL: 'C' };
    const child = spawn(command, args, { cwd, signal, env, stdio: ['ignore', 'pipe', 'pipe'] });
    const out: Buffer[] = [];
    let outBytes = 0;
    let said = '';
    let failure: Error | undefined;
    let file: ReturnType<typeof createWriteStream> | undefined;
    if (into === undefined) {
      child.stdout.on('data', (bytes: Buffer) => {
        if ((outBytes += bytes.length) <= MAX_TEXT) out.push(bytes);
      });
    } else {
      file = createWriteStream(into);
      file.on('error', (error) => {
        failure = error;
        child.kill();
      });
      child.stdout.pipe(file);
    }
    child.stderr.on('data', (bytes: Buffer) => {
      if (said.length < MAX_TEXT) said += bytes.toString();
    });
    child.on('error', (error: NodeJS.ErrnoException) => {
      failure = error.code === 'ENOENT' ? noProgram(command, error) : error;
      if (child.pid === undefined) reject(failure);
    });
    child.on('close', (status) => {
      const end = (): void => {
        if (failure !== undefined) reject(failure);
        else if (status !== 0) reject(new ToolFailed(command, said));
        else resolve(Buffer.concat(out).toString());
      };
      if (file === undefined || file.closed) end();
      else file.once('close', end);
    });
  });

function noProgram(command: string, cause: Error): RingfenceError {
  return new RingfenceError('RF_NO_PACKAGE_CLIENT', {
    message: `there is no \`${command}\` on this system`,
    value: command,
    fix: "guests come through Debian's package client: run this on Debian or Ubuntu, or copy a filled guest cache here",
    cause,
  });
}
