/**
 * What a person reads on stderr each time a guest starts again (`--on-reset restart`): why, when, and after a triple fault
 * the registers. A guest that resets without end does not fill a log: after the first few there is silence, and the
 * summary has the count.
 */
import type { ResetEvent } from '@ringfence/machine';

const SHOWN = 10;
const DUMPS = 3;

export function resetNotes(write: (text: string) => void): (event: ResetEvent) => void {
  let dumps = 0;
  return ({ reason, retired, resets, dump }) => {
    if (resets > SHOWN) return;
    const shown = dump !== undefined && ++dumps <= DUMPS ? `${dump.trimEnd()}\n` : '';
    const last = resets === SHOWN ? '; further resets are only counted' : '';
    write(`\n${shown}ringfence: reset ${resets} after ${retired} instructions (${reason})${last}\n`);
  };
}
