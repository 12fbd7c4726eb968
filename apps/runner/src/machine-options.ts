/**
 * What every command that runs guests has in common on the command line: the options that describe a machine and its run,
 * and how our commands speak (no output but through the given function, no exit). Values are text; flags.ts gives them
 * meaning.
 */
import { type Command, Option } from 'commander';

export const CONFIG_ARGUMENT = 'configuration file, YAML or JSON; paths in it are relative to it';

/** Gathers the values of a repeatable option. */
export const collect = (value: string, previous: string[] | undefined): string[] => [...(previous ?? []), value];

/** The options that describe a machine and its run: the same for every command that runs guests. */
export function addMachineOptions(command: Command, shown: { consoles: boolean; report: boolean }): Command {
  command
    .optionsGroup('Guest:')
    .option(
      '--guest <name>',
      'a guest of `ringfence guest list`, fetched when it is not here; brings kernel, initrd, memory',
    )
    .option('--kernel <file>', 'kernel: multiboot ELF, Linux bzImage, or a flat image with --loader flat')
    .option('--initrd <file>', 'initial RAM disk')
    .option('--append <text>', 'kernel command line')
    .option('-m, --memory <size>', 'guest memory, e.g. 8M (default: 64M)')
    .option('--hda <image>', 'first disk, raw or qcow2; writes stay in memory')
    .option('--cdrom <image>', 'disc in the CD-ROM drive')
    .option('--fda <image>', 'diskette in the first floppy drive')
    .addOption(
      new Option(
        '--drive <file=F[,k=v]>',
        'disk or disc: format=raw|qcow2, media=disk|cdrom, interface=ide|virtio, unit=0..3, snapshot=on|off',
      ).argParser(collect),
    )
    .addOption(
      new Option(
        '--share <tag=folder[,rw]>',
        'folder of the host for the guest to mount by 9P, read-only unless rw; times=host (repeatable)',
      ).argParser(collect),
    )
    .addOption(
      new Option('--device <name[,k=v]>', 'device that stands on the board on request only (repeatable)').argParser(
        collect,
      ),
    )
    .option(
      '--bios <seabios|file>',
      "firmware that starts the guest: Debian's, fetched when it is not here, or a ROM image",
    )
    .option('--vga-bios <seabios|none|file>', 'video BIOS (default: seabios with --bios seabios)')
    .option('--bios-serial', 'the firmware and what it boots also talk and listen on the serial line')
    .option('--boot <drives>', 'with firmware: what to boot from, in this order, of disk, cdrom, floppy')
    .option(
      '--net <user[,open]>',
      "a network card on a network inside the process; open: the host's network behind it; none (default: none)",
    )
    .addOption(
      new Option(
        '--forward <[tcp|udp:]host:guest>',
        'port of 127.0.0.1 that leads to the guest (repeatable)',
      ).argParser(collect),
    )
    .addOption(new Option('--host <name=address>', 'name that the network knows (repeatable)').argParser(collect))
    .addOption(
      new Option('--serve <[/path=]file>', 'file at http://10.0.2.2/ for the guest (repeatable)').argParser(collect),
    )
    .option('--loader <name[,k=v]>', 'loader, when it should not be found by the file itself')
    .optionsGroup('Processor:')
    .option('--core <name>', 'processor core (default: interpreter)')
    .option('--model <name>', 'processor model (default: p6)')
    .option('--assist <none|trap|vif>', 'help the processor gives a monitor (default: trap under a monitor)')
    .optionsGroup('Monitor:')
    .option('--monitor <policy>', "none, step-through, data-swap, full-emulation or a plugin's (default: none)")
    .option('--shadow-cache <name[,capacity=n]>', 'shadow-cache strategy (default: tracked-lru)')
    .option('--sensitive <name>', 'how sensitive instructions are caught (default: assist)')
    .option('--protection <name>', 'how the monitor opens its own pages (default: wp-toggle)')
    .option('--rdtsc <native|trap>', 'whether the guest reads the time stamp by itself (default: native)');
  if (shown.consoles) {
    command
      .optionsGroup('Input and output:')
      .option('--serial <target>', 'first serial line: stdio, file:F or none (default: stdio)')
      .option('--debugcon <target>', 'port 0xE9 console: stdio, file:F or none (default: none)')
      .option('--virtio-console <target>', "virtio console, Linux's hvc0: stdio, file:F or none (default: none)");
  }
  if (shown.consoles) {
    command
      .optionsGroup('Machine:')
      .option('--on-reset <end|restart>', 'what a reset or triple fault of the guest does (default: end)');
  }
  if (shown.report) command.option('--report <file>', "write the run's JSON report there");
  return command
    .optionsGroup('Limits:')
    .option('--until-serial <regex>', 'end with status 0 once the serial output matches')
    .option('--max-instructions <n>', 'end with status 124 after this many guest instructions')
    .option('--timeout <seconds>', 'end with status 124 after this much host time')
    .optionsGroup('Other:')
    .addOption(new Option('--plugin <module>', 'load a plugin, a path or package (repeatable)').argParser(collect));
}

/** Makes a command throw instead of ending the process. */
export function prepare(command: Command, actions: { out(text: string): void }): Command {
  return command
    .exitOverride()
    .allowExcessArguments(false)
    .showSuggestionAfterError(false)
    .configureOutput({ writeOut: (text) => actions.out(text), writeErr: () => {} });
}
