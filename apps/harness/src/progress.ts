/**
 * Progress for people: a live list on a terminal (listr2), plain lines elsewhere (a CI log, a pipe). It shows; it decides
 * nothing.
 */
import { Listr } from 'listr2';
import { shortDigests } from './failures.js';
import type { GuestRecord, RunRecord } from './results.js';
import type { Observer } from './suite-run.js';

export interface Progress extends Observer {
  /** Resolves when the last frame has been drawn; call after the suite has ended. */
  done(): Promise<void>;
}

const seconds = (run: RunRecord): string => (run.report === undefined ? '' : ` ${run.report.wallSeconds.toFixed(2)} s`);

/** One line per run that failed, one per guest that is done. */
export function plainProgress(write: (line: string) => void): Progress {
  return {
    runDone: (guest, run) => {
      if (run.verdict === 'failed') write(`FAILED ${guest} ${run.variant}: ${shortDigests(run.faults[0])}`);
    },
    guestDone: (record) => write(guestLine(record)),
    done: async () => {},
  };
}

function guestLine({ guest, runs }: GuestRecord): string {
  const failed = runs.filter((run) => run.verdict === 'failed').length;
  const left = runs.filter((run) => run.verdict === 'not run').length;
  const ran = runs.length - left;
  const verdict = failed > 0 ? `${failed} of ${ran} runs FAILED` : `${ran} runs ok`;
  return `${guest}: ${verdict}${left > 0 ? `, ${left} not run` : ''}`;
}

/** A live list: one line per guest, with how many of its runs are done. */
export function liveProgress(guests: readonly string[], runsPerGuest: number): Progress {
  const rows = new Map(guests.map((guest) => [guest, createRow()]));
  const list = new Listr(
    guests.map((guest) => ({
      title: guest,
      task: async (_context: unknown, task: { title?: string; output?: string }) => {
        const row = rows.get(guest)!;
        row.show = (run) => (task.output = `${++row.seen}/${runsPerGuest} ${run.variant}${seconds(run)}`);
        const record = await row.finished;
        task.title = guestLine(record);
        const faults = record.runs.filter((run) => run.verdict === 'failed');
        if (faults.length > 0) throw new Error(shortDigests(`${faults[0].variant}: ${faults[0].faults[0]}`));
      },
    })),
    {
      concurrent: true,
      exitOnError: false,
      registerSignalListeners: false,
      rendererOptions: { collapseErrors: false },
    },
  );
  const ended = list.run().catch(() => {});
  return {
    runDone: (guest, run) => rows.get(guest)?.show(run),
    guestDone: (record) => rows.get(record.guest)?.finish(record),
    done: async () => void (await ended),
  };
}

interface Row {
  seen: number;
  show: (run: RunRecord) => void;
  finish: (record: GuestRecord) => void;
  readonly finished: Promise<GuestRecord>;
}

function createRow(): Row {
  const { promise, resolve } = Promise.withResolvers<GuestRecord>();
  return { seen: 0, show: () => {}, finish: resolve, finished: promise };
}
