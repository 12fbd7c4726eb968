/**
 * Guests that nobody here wrote: the catalogue, and how one gets from Debian's archive into a folder of the user's.
 * Needs Debian's package client for fetching and nothing for running what was fetched. Nothing here runs a guest.
 */
export { type Guest, type GuestStart, GUESTS, SEABIOS, findGuest } from './catalogue.js';
export { neededFiles } from './cache.js';
export { type GuestRecord, defaultCacheFolder } from './cache.js';
export { type FetchedGuest, type FetchOptions, cachedRecord, fetchGuest } from './fetch.js';
