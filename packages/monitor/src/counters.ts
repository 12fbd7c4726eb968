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
  private readonly reasons = new Map<string, number>();
  private readonly user = new Map<string, number>();

  reason(name: string): void {
    this.reasons.set(name, (this.reasons.get(name) ?? 0) + 1);
  }

  userEmulation(why: string): void {
    this.user.set(why, (this.user.get(why) ?? 0) + 1);
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

function sorted(counts: ReadonlyMap<string, number>): Record<string, number> {
  return Object.fromEntries([...counts].sort(([a], [b]) => (a < b ? -1 : 1)));
}
