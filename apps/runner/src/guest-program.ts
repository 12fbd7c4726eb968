/**
 * The commander half of `ringfence guest`: its subcommands and their help. Nothing else; guest-command.ts does the work.
 */
import type { Command } from 'commander';
import type { GuestFetchFlags } from './guest-command.js';
import { prepare } from './machine-options.js';

export interface GuestActions {
  listGuests(): void;
  showGuest(name: string): void;
  fetchGuest(name: string, flags: GuestFetchFlags): Promise<void>;
}

const HELP = `
Guests are kept in $RINGFENCE_CACHE, by default ringfence/guests in your cache folder. A fetched guest needs no network.

Examples:
  ringfence guest fetch debian-busybox
  ringfence run --guest debian-busybox
  ringfence run --guest debian-busybox --append 'console=ttyS0 -- "uname -a; free"'
`;

export function addGuestCommands(program: Command, actions: GuestActions & { out(text: string): void }): void {
  const guest = prepare(program.command('guest'), actions)
    .description("guests from Debian's archive: list, fetch, show")
    .addHelpText('after', HELP);
  prepare(guest.command('list'), actions)
    .description('list the guests that can be fetched, and which are here')
    .action(() => actions.listGuests());
  const fetch = prepare(guest.command('fetch'), actions)
    .description("fetch a guest with the system's package client (apt) and check it")
    .argument('<name>', 'a guest of `ringfence guest list`')
    .option('--again', 'also when it is here already: takes the version the archive has now')
    .action((name: string) => actions.fetchGuest(name, fetch.opts<GuestFetchFlags>()));
  prepare(guest.command('show'), actions)
    .description('what a guest is, where it came from, where its files are, how it is started')
    .argument('<name>', 'a guest of `ringfence guest list`')
    .action((name: string) => actions.showGuest(name));
}
