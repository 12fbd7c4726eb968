/**
 * What a fuzzing run really did: exceptions and interrupts the bare guests took (by vector and mode), blocks executed of those
 * generated, kinds of instructions tried in executed blocks, the monitors' exits by reason. A fuzzer whose numbers are zero
 * where it matters proves nothing.
 */
import { BLOCK_SEEN, MARKS } from './layout.mjs';

const EFLAGS = 10;
const CPL = 15;
const CR0 = 52;
export const MARK_NAMES = ['gate', 'gate with words', 'sysenter', 'task A', 'task B', '16-bit task'];

const count = (record, key, by = 1) => {
  record[key] = (record[key] ?? 0) + by;
};

export class Reach {
  programs = 0;
  runs = 0;
  retired = 0;
  outcomes = {};
  models = {};
  vectors = {};
  levels = {};
  blocks = {};
  items = {};
  marks = {};
  exits = {};
  /** User instructions on the monitors' emulators, by why. */
  emulated = {};

  /** Watches a bare machine from its start. */
  watch(machine) {
    const { processor } = machine.view;
    machine.observe({
      delivering: (vector, _error, exception) => {
        count(this.vectors, exception ? vector : `irq ${vector}`);
        const flags = processor.state[EFLAGS];
        const real = (processor.state[CR0] & 1) === 0;
        count(this.levels, real ? 'real' : (flags & 0x20000) !== 0 ? 'v86' : `ring ${processor.state[CPL]}`);
      },
      delivered: () => {},
      portAccess: () => {},
      mmioAccess: () => {},
    });
  }

  /** A program's bare run has ended. */
  note(program, machine, outcome, retired) {
    this.programs++;
    this.retired += retired;
    count(this.outcomes, outcome);
    count(this.models, program.model);
    const { space } = machine.view.processor;
    program.blocks.forEach(({ kind, items }, i) => {
      if (space.read(BLOCK_SEEN + i, 1) === 0) return;
      count(this.blocks, kind);
      for (const item of items) count(this.items, item);
    });
    MARK_NAMES.forEach((name, i) => count(this.marks, name, space.read(MARKS + 4 * i, 4)));
  }

  noteMonitors(reports) {
    this.runs += reports.length;
    for (const { exits, userEmulations } of reports) {
      for (const [reason, times] of Object.entries(exits.byReason)) count(this.exits, reason, times);
      for (const [why, times] of Object.entries(userEmulations)) count(this.emulated, why, times);
    }
  }

  lines() {
    const list = (record) =>
      Object.entries(record)
        .sort(([, a], [, b]) => b - a)
        .map(([key, times]) => `${key} ${times}`)
        .join(', ');
    return [
      `${this.programs} programs, ${this.runs} monitored runs, ${this.retired} instructions bare`,
      `ends: ${list(this.outcomes)}`,
      `models: ${list(this.models)}`,
      `events by vector: ${list(this.vectors)}`,
      `interrupted in: ${list(this.levels)}`,
      `blocks executed: ${list(this.blocks)}`,
      `gates and tasks entered: ${list(this.marks)}`,
      `kinds of instructions in them: ${list(this.items)}`,
      `exits: ${list(this.exits)}`,
      `on the emulator: ${list(this.emulated)}`,
    ];
  }
}
