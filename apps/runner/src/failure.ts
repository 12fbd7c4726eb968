/**
 * How every command of ours ends badly: one line on stderr, `RF_CODE: message. Fix: ...`, and an exit status by who is
 * to blame. A stack trace is shown only with RINGFENCE_DEBUG=1.
 */
import type { CommanderError } from 'commander';
import { nearestName, RingfenceError } from '@ringfence/sdk';
import type { CliIo } from './io.js';

export const STATUS_USAGE = 2;
export const STATUS_INTERNAL = 70;
export const STATUS_INTERRUPTED = 130;

/** The user ended a command before it had begun its work; nothing is to be said any more. */
export class Interrupted extends Error {}

/** Prints the error and answers the exit status. */
export function reportFailure(error: unknown, io: CliIo): number {
  const typed = error instanceof RingfenceError ? error : internalError(error);
  io.stderr(`${typed.toLine().replace(/\s*[\r\n]+\s*/g, ' ')}\n`);
  if (io.env.RINGFENCE_DEBUG === '1') io.stderr(`${stackOf(error)}\n`);
  return typed.blame === 'usage' ? STATUS_USAGE : STATUS_INTERNAL;
}

function internalError(cause: unknown): RingfenceError {
  const text = cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause);
  return new RingfenceError('RF_INTERNAL', {
    message: `a fault of Ringfence itself: ${text}`,
    fix: 'run again with RINGFENCE_DEBUG=1 and report what it prints, with your configuration and kernel',
    cause,
  });
}

function stackOf(error: unknown): string {
  const parts: string[] = [];
  for (let at: unknown = error; at instanceof Error; at = at.cause) parts.push(at.stack ?? String(at));
  return parts.join('\ncaused by: ');
}

/** A commander parse error as ours, with the nearest option or command that exists. */
export function usageError(error: CommanderError, known: readonly string[]): RingfenceError {
  if (error.code === 'commander.help') {
    return new RingfenceError('RF_BAD_USAGE', { message: 'no command was given', fix: 'see ringfence --help' });
  }
  const message = error.message
    .split('\n')[0]
    .replace(/^error: /, '')
    .replace(/\.$/, '');
  const given = /unknown (?:option|command) '([^'=]+)/.exec(message)?.[1];
  const nearest = given === undefined ? undefined : nearestName(given, known);
  const hint = nearest === undefined ? '' : `did you mean ${nearest}? `;
  return new RingfenceError('RF_BAD_USAGE', { message, value: given, fix: `${hint}see ringfence --help` });
}
