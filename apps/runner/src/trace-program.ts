/**
 * The commander side of `ringfence trace` and `ringfence diff-trace`: flags and help texts, and nothing else. The flags of a
 * run are the same as `ringfence run` has; they are told apart from the commands' own by name.
 */
import { type Command, Option } from 'commander';
import type { DiffFlags } from './diff-trace-command.js';
import type { RunFlags } from './flags.js';
import { addMachineOptions, collect, CONFIG_ARGUMENT, prepare } from './machine-options.js';
import type { TraceFlags } from './trace-flags.js';

export interface TraceActions {
  trace(configFile: string | undefined, flags: RunFlags, trace: TraceFlags): Promise<void>;
  diffTrace(files: readonly string[], flags: RunFlags, diff: DiffFlags): Promise<void>;
}

const TRACE_EXAMPLES = `
A line: count (instructions retired before it), CS:EIP, code size and privilege level, bytes, instruction; then registers
old->new, memory r(ead) or w(ritten) at [linear address].size, ports. An interrupt or fault has a line of its own.

Examples:
  ringfence trace --kernel hello.elf --to 99
  ringfence trace --kernel hello.elf --monitor step-through --from 1e6 --to 1000200
  ringfence trace machine.yaml --around 0x101234 --context 20 --hits 3
  ringfence trace --kernel k.elf --symbols k.sym --around main --hits 2
  ringfence trace --kernel k.elf --format jsonl --output bare.jsonl

Exit status:
  0 what was asked for is shown, or the guest ended; 124 --timeout; 130 interrupted
  2 bad usage, configuration or input file, or what was asked for never ran; 70 a fault of Ringfence itself
`;

const DIFF_EXAMPLES = `
Two runs are one configuration with the changes of --a and --b, or two configurations. They run side by side at full speed and
are compared at stops; where they part is searched down to the instruction. Nothing is written. Two trace files
(ringfence trace --format jsonl) are compared record by record.

Examples:
  ringfence diff-trace --kernel hello.elf --a monitor=none --b monitor=data-swap
  ringfence diff-trace machine.yaml --a cpu.model=pentium4 --b cpu.model=p6 --to 1e6
  ringfence diff-trace --kernel k.elf --a append=fast --b append=slow
  ringfence diff-trace before.yaml after.yaml
  ringfence diff-trace bare.jsonl monitored.jsonl

Exit status:
  0 the same; 1 they part; 124 --timeout; 130 interrupted
  2 bad usage, configuration or input file; 70 a fault of Ringfence itself
`;

const TRACE_KEYS = ['from', 'to', 'around', 'context', 'hits', 'output', 'format', 'symbols'] as const;
const DIFF_KEYS = ['a', 'b', 'from', 'to', 'context', 'compare'] as const;

export function addTraceCommands(program: Command, actions: TraceActions & { out(text: string): void }): void {
  const trace = prepare(program.command('trace'), actions)
    .description('show what a guest executes, instruction by instruction, bare or monitored')
    .argument('[config]', CONFIG_ARGUMENT)
    .optionsGroup('What to show:')
    .option('--from <count>', 'first instruction, by its count (default: 0)')
    .option('--to <count>', 'last instruction, by its count (default: the last)')
    .option('--around <address>', 'show where this address is executed: linear or CS:EIP, hexadecimal')
    .option('--context <n>', 'instructions before and after --around (default: 16)')
    .option('--hits <n>', 'how many executions of --around (default: 1)')
    .optionsGroup('How:')
    .option('--output <file>', 'write the trace there (default: standard output)')
    .option('--format <text|jsonl>', 'text, or one JSON record a line (default: text)')
    .option('--symbols <file>', 'name addresses by an ELF file with symbols or a System.map; --around takes names');
  addMachineOptions(trace, { consoles: true, report: false })
    .addHelpText('after', TRACE_EXAMPLES)
    .action((config: string | undefined, flags: RunFlags & TraceFlags) => {
      const [own, run] = split(flags, TRACE_KEYS);
      return actions.trace(config, run, own);
    });

  const diff = prepare(program.command('diff-trace'), actions)
    .description('find the first instruction at which two runs, or two traces, part')
    .argument('[first]', 'configuration file, or trace file')
    .argument('[second]', 'the other one, when they are two')
    .optionsGroup('What differs:')
    .addOption(new Option('--a <key=value>', 'change the configuration of run A (repeatable)').argParser(collect))
    .addOption(new Option('--b <key=value>', 'change the configuration of run B (repeatable)').argParser(collect))
    .optionsGroup('Comparison:')
    .option('--to <count>', 'compare up to this instruction (default: the end)')
    .option('--context <n>', 'instructions shown before the first that differs (default: 8)')
    .option('--compare <state|registers>', 'everything at stops, or registers after each instruction (slow)')
    .option('--from <count>', 'begin here with --compare registers (default: 0)');
  addMachineOptions(diff, { consoles: false, report: false })
    .addHelpText('after', DIFF_EXAMPLES)
    .action((first: string | undefined, second: string | undefined, flags: RunFlags & DiffFlags) => {
      const [own, run] = split(flags, DIFF_KEYS);
      const files = [first, second].filter((file) => file !== undefined);
      return actions.diffTrace(files, run, own);
    });
}

/** The flags called `keys`, and the others; absent ones stay absent. */
function split<F extends object, K extends keyof F>(flags: F, keys: readonly K[]): [Pick<F, K>, Omit<F, K>] {
  const own: Partial<F> = {};
  const rest: Partial<F> = {};
  for (const key of Object.keys(flags) as (keyof F)[]) {
    if (flags[key] !== undefined) (keys.includes(key as K) ? own : rest)[key] = flags[key];
  }
  return [own as Pick<F, K>, rest as Omit<F, K>];
}
