/**
 * Guests of the catalogue for specs: kept in the workspace's git-ignored cache, fetched when they are not there. A host
 * without Debian's package client or without network skips their tests; with RINGFENCE_REQUIRE_NETWORK_GUESTS set, as
 * .ci/run does, it fails them.
 */
import { join } from 'node:path';
import { type FetchedGuest, fetchGuest, findGuest } from '@ringfence/guest-catalogue';
import { RingfenceError } from '@ringfence/sdk';
import { root } from './run-guest.js';

export type GuestOrSkip =
  { readonly guest: FetchedGuest; readonly skip?: undefined } | { readonly guest?: undefined; readonly skip: string };

export async function ensureGuest(name: string): Promise<GuestOrSkip> {
  try {
    return { guest: await fetchGuest(findGuest(name), { cache: join(root, '.cache', 'guests') }) };
  } catch (error) {
    if (!(error instanceof RingfenceError) || process.env.RINGFENCE_REQUIRE_NETWORK_GUESTS) throw error;
    return { skip: `${name} was not fetched: ${error.message}` };
  }
}
