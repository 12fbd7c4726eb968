/**
 * The monitor's figures, as plain counters, and their form in a report. Nothing decides by them.
 */
import type { MonitorReport } from '@ringfence/sdk';
import type { Pager } from './pager.js';

export class Counters {
  exits = 0;
  steps = 0;
  swaps = 0;
  emulations = 0;
  windowFaults = 0;
  private readonly reasons = new Map<string, Tally>();
  private readonly user = new Map<string, Tally>();

  reason(name: string): void {
    count(this.reasons, name);
  }

  userEmulation(why: string, times = 1): void {
    count(this.user, why, times);
  }

  report(policy: string, strategy: string, pager: Pager, relocations: number): MonitorReport {
    return {
      policy,
      exits: { total: this.exits, byReason: sorted(this.reasons) },
      steps: this.steps,
      swaps: this.swaps,
      emulations: this.emulations,
      userEmulations: sorted(this.user),
      windowFaults: this.windowFaults,
      relocations,
      shadow: {
        strategy,
        rootSwitches: pager.rootSwitches,
        hits: pager.hits,
        misses: pager.misses,
        fills: pager.fills,
        evictions: pager.evictions,
        traceWrites: pager.traceWrites,
      },
    };
  }
}

/** A count in a box of its own, so that counting rewrites no map entry. */
interface Tally {
  count: number;
}

function count(tallies: Map<string, Tally>, name: string, times = 1): void {
  const tally = tallies.get(name);
  if (tally === undefined) tallies.set(name, { count: times });
  else tally.count += times;
}

function sorted(tallies: ReadonlyMap<string, Tally>): Record<string, number> {
  const entries = [...tallies].map(([name, tally]) => [name, tally.count] as const);
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}
