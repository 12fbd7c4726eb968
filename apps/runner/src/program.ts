/**
 * The commander program: names, flags and help texts, and nothing else. Values are text; flags.ts gives them meaning.
 * Errors are thrown, output goes to the given function, and the process is never ended from here.
 */
import { Command, Option } from 'commander';
import type { RunFlags } from './flags.js';

export interface ProgramActions {
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
  ringfence run machine.yaml --until-serial 'login:' --timeout 60

Exit status:
  0 the guest powered off or --until-serial was met; (v << 1) | 1 the guest wrote v to the debug-exit port
  124 a limit was hit; 125 the guest died (triple fault); 130 interrupted
  2 bad usage, configuration or input file; 70 a fault of Ringfence itself
`;

const collect = (value: string, previous: string[] | undefined): string[] => [...(previous ?? []), value];

export function createProgram(actions: ProgramActions): Command {
  const program = prepare(new Command('ringfence'), actions)
    .description('Runs an IA-32 guest, bare or deprivileged under a monitor.')
    .version(actions.version)
    .addHelpText('after', '\nStart with: ringfence run --help; ringfence plugins lists what can be named in flags.\n');
  addRun(program, actions);
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
  prepare(program.command('run'), actions)
    .description('run a guest; flags override the configuration file')
    .argument('[config]', 'configuration file, YAML or JSON; paths in it are relative to it')
    .optionsGroup('Guest:')
    .option('--kernel <file>', 'kernel: multiboot ELF, Linux bzImage, or a flat image with --loader flat')
    .option('--initrd <file>', 'initial RAM disk')
    .option('--append <text>', 'kernel command line')
    .option('-m, --memory <size>', 'guest memory, e.g. 8M (default: 64M)')
    .option('--loader <name[,k=v]>', 'loader, when it should not be found by the file itself')
    .optionsGroup('Processor:')
    .option('--core <name>', 'processor core (default: interpreter)')
    .option('--model <name>', 'processor model (default: p6)')
    .option('--assist <none|trap>', 'help the processor gives a monitor (default: trap under a monitor)')
    .optionsGroup('Monitor:')
    .option('--monitor <policy>', "none, step-through, data-swap, full-emulation or a plugin's (default: none)")
    .option('--shadow-cache <name[,capacity=n]>', 'shadow-cache strategy (default: tracked-lru)')
    .option('--sensitive <name>', 'how sensitive instructions are caught (default: assist)')
    .option('--protection <name>', 'how the monitor opens its own pages (default: wp-toggle)')
    .optionsGroup('Input and output:')
    .option('--serial <target>', 'first serial line: stdio, file:F or none (default: stdio)')
    .option('--debugcon <target>', 'port 0xE9 console: stdio, file:F or none (default: none)')
    .option('--report <file>', "write the run's JSON report there")
    .optionsGroup('Limits:')
    .option('--until-serial <regex>', 'end with status 0 once the serial output matches')
    .option('--max-instructions <n>', 'end with status 124 after this many guest instructions')
    .option('--timeout <seconds>', 'end with status 124 after this much host time')
    .optionsGroup('Other:')
    .addOption(new Option('--plugin <module>', 'load a plugin, a path or package (repeatable)').argParser(collect))
    .addHelpText('after', RUN_EXAMPLES)
    .action((config: string | undefined, flags: RunFlags) => {
      const { plugin, ...rest } = flags;
      return actions.run(config, plugin === undefined ? rest : { ...rest, plugin });
    });
}

function prepare(command: Command, actions: ProgramActions): Command {
  return command
    .exitOverride()
    .allowExcessArguments(false)
    .showSuggestionAfterError(false)
    .configureOutput({ writeOut: (text) => actions.out(text), writeErr: () => {} });
}

export function optionNames(command: Command): string[] {
  return ['--help', ...command.options.flatMap((option) => [option.long, option.short]).filter((name) => name != null)];
}

export function commandNames(program: Command): string[] {
  return ['help', ...program.commands.map((command) => command.name())];
}
