/**
 * The commander program: names, flags and help texts, and nothing else. Values are text; flags.ts gives them meaning.
 * Errors are thrown, output goes to the given function, and the process is never ended from here.
 */
import { Command } from 'commander';
import type { RunFlags } from './flags.js';
import { addMachineOptions, collect, CONFIG_ARGUMENT, prepare } from './machine-options.js';
import { addGuestCommands, type GuestActions } from './guest-program.js';
import { addTraceCommands, type TraceActions } from './trace-program.js';

export interface ProgramActions extends TraceActions, GuestActions {
  readonly version: string;
  out(text: string): void;
  run(configFile: string | undefined, flags: RunFlags): Promise<void>;
  plugins(modules: readonly string[], json: boolean): Promise<void>;
  schema(): void;
}

const RUN_EXAMPLES = `
Examples:
  ringfence run --kernel hello.elf
  ringfence run --kernel hello.elf --monitor step-through --report report.json
  ringfence run --kernel memtest86+ia32.bin --append console=ttyS0,115200 -m 8M --max-instructions 2e9
  ringfence run --kernel k.elf --monitor data-swap --shadow-cache tracked-lru,capacity=64 --protection pdbr-reload
  ringfence run --guest debian-busybox --append 'console=ttyS0 -- "free; ps"'
  ringfence run --guest memtest86 --screen
  ringfence run machine.yaml --until-serial 'login:' --timeout 60

Exit status:
  0 the guest powered off or --until-serial was met; (v << 1) | 1 the guest wrote v to the debug-exit port
  124 a limit was hit; 125 the guest died (triple fault); 130 interrupted
  2 bad usage, configuration or input file; 70 a fault of Ringfence itself
`;

export function createProgram(actions: ProgramActions): Command {
  const program = prepare(new Command('ringfence'), actions)
    .description('Runs an IA-32 guest, bare or deprivileged under a monitor.')
    .version(actions.version)
    .addHelpText('after', '\nStart with: ringfence run --help; ringfence plugins lists what can be named in flags.\n');
  addRun(program, actions);
  addTraceCommands(program, actions);
  addGuestCommands(program, actions);
  const plugins = prepare(program.command('plugins'), actions)
    .description(
      'list every registered part by kind: processor cores and models, devices, loaders, policies, strategies',
    )
    .option('--plugin <module>', 'also load this plugin, a path or package (repeatable)', collect)
    .option('--json', 'as JSON')
    .action(() => {
      const { plugin, json } = plugins.opts<{ plugin?: string[]; json?: boolean }>();
      return actions.plugins(plugin ?? [], json === true);
    });
  prepare(program.command('schema'), actions)
    .description('print the JSON Schema of a configuration file')
    .action(() => actions.schema());
  return program;
}

function addRun(program: Command, actions: ProgramActions): void {
  const run = prepare(program.command('run'), actions)
    .description('run a guest; flags override the configuration file')
    .argument('[config]', CONFIG_ARGUMENT);
  addMachineOptions(run, { consoles: true, report: true })
    .optionsGroup('Screen:')
    .option('--screen', "draw the guest's screen on this terminal, in place of the serial line")
    .option('--screenshot <file>', 'write the screen at the end of the run there, as PNG')
    .addHelpText('after', RUN_EXAMPLES)
    .action((config: string | undefined, flags: RunFlags) => {
      const { plugin, ...rest } = flags;
      return actions.run(config, plugin === undefined ? rest : { ...rest, plugin });
    });
}

export function optionNames(command: Command): string[] {
  return ['--help', ...command.options.flatMap((option) => [option.long, option.short]).filter((name) => name != null)];
}

export function commandNames(program: Command): string[] {
  return ['help', ...program.commands.map((command) => command.name())];
}
