/**
 * Guests of the catalogue for specs: kept in the workspace's git-ignored cache, fetched when they are not there. A host
 * without Debian's package client or without network skips their tests; with RINGFENCE_REQUIRE_NETWORK_GUESTS set, as
 * .ci/run does, it fails them.
 */
import { join } from 'node:path';
import { type FetchedGuest, fetchGuest, findGuest, type GuestStart } from '@ringfence/guest-catalogue';
import { RingfenceError } from '@ringfence/sdk';
import { root } from './run-guest.js';

type OrSkip<T> =
  { readonly guest: T; readonly skip?: undefined } | { readonly guest?: undefined; readonly skip: string };
/** With what every guest that is not booted by firmware has. */
type KernelGuest = FetchedGuest & { readonly kernel: string; readonly guest: { readonly run: GuestStart } };
export type GuestOrSkip = OrSkip<KernelGuest>;

export async function ensureGuest(name: string): Promise<GuestOrSkip> {
  return (await ensureFiles(name)) as GuestOrSkip;
}

/** The same for an entry that has no kernel of its own: firmware, drives. */
export async function ensureFiles(name: string): Promise<OrSkip<FetchedGuest>> {
  try {
    return { guest: await fetchGuest(findGuest(name), { cache: join(root, '.cache', 'guests') }) };
  } catch (error) {
    if (!(error instanceof RingfenceError) || process.env.RINGFENCE_REQUIRE_NETWORK_GUESTS) throw error;
    return { skip: `${name} was not fetched: ${error.message}` };
  }
}
