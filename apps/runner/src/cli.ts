/**
 * The command line `ringfence`: its commands and flags, and where each goes. `main` is the whole program as a function
 * of arguments and an injected process; it answers the exit status and never throws.
 */
import { resolve } from 'node:path';
import { type Command, CommanderError } from 'commander';
import { type MachineConfigInput, machineConfigJsonSchema, SDK_VERSION } from '@ringfence/sdk';
import { createRegistry } from '@ringfence/preset-pc';
import { commandNames, createProgram, optionNames } from './program.js';
import type { RunFlags } from './flags.js';
import type { CliIo } from './io.js';
import { fetchCommand, guestConfig, listGuests, seabiosFiles, showGuest } from './guest-command.js';
import { Interrupted, reportFailure, STATUS_INTERRUPTED, usageError } from './failure.js';
import { loadPlugins } from './plugin-loader.js';
import { formatParts, listParts } from './plugins-command.js';
import { runCommand } from './run-command.js';

/** Runs one command line, without the program's name. */
export async function main(argv: readonly string[], io: CliIo): Promise<number> {
  let status = 0;
  const withGuest = async (flags: RunFlags, command: (defaults: MachineConfigInput) => Promise<number>) => {
    const defaults = await guestConfig(flags, io);
    return defaults === undefined ? STATUS_INTERRUPTED : command(defaults);
  };
  const seabios = (): ReturnType<typeof seabiosFiles> => seabiosFiles(io);
  const program = createProgram({
    version: SDK_VERSION,
    out: (text) => void io.stdout(text),
    run: async (configFile, flags) => {
      status = await withGuest(flags, (defaults) =>
        runCommand({ configFile, flags, defaults, cwd: io.cwd, seabios }, io),
      );
    },
    // Loaded when asked for: the disassembler is larger than everything else together.
    trace: async (configFile, flags, trace) => {
      const { traceCommand } = await import('./trace-command.js');
      status = await withGuest(flags, (defaults) =>
        traceCommand({ configFile, flags, defaults, trace, cwd: io.cwd, seabios }, io),
      );
    },
    diffTrace: async (files, flags, diff) => {
      const { diffTraceCommand } = await import('./diff-trace-command.js');
      status = await withGuest(flags, (defaults) => diffTraceCommand({ files, flags, defaults, diff, seabios }, io));
    },
    plugins: async (modules, json) => {
      const relative = modules.map((name) => (/^\.{1,2}[\\/]/.test(name) ? resolve(io.cwd, name) : name));
      const parts = listParts(createRegistry(await loadPlugins(relative, [io.cwd])));
      io.stdout(json ? `${JSON.stringify(parts, null, 2)}\n` : formatParts(parts));
    },
    listGuests: () => listGuests(io),
    showGuest: (name) => showGuest(name, io),
    fetchGuest: async (name, flags) => {
      status = await fetchCommand(name, flags, io);
    },
    schema: () => void io.stdout(schemaText()),
  });
  try {
    await program.parseAsync(argv, { from: 'user' });
    return status;
  } catch (error) {
    if (error instanceof Interrupted) return STATUS_INTERRUPTED;
    if (!(error instanceof CommanderError)) return reportFailure(error, io);
    if (error.exitCode === 0) return 0;
    return reportFailure(usageError(error, knownWords(program, argv)), io);
  }
}

/** What docs/config.schema.json holds. */
export function schemaText(): string {
  return `${JSON.stringify(machineConfigJsonSchema(), null, 2)}\n`;
}

function knownWords(program: Command, argv: readonly string[]): string[] {
  const outer = program.commands.find((each) => each.name() === argv[0]) ?? program;
  const command = outer.commands.find((each) => each.name() === argv[1]) ?? outer;
  return [...optionNames(command), ...(command.commands.length > 0 ? commandNames(command) : [])];
}

export type { RunFlags };
