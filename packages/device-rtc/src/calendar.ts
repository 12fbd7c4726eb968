/**
 * Time as the MC146818 keeps it: bytes in BCD or binary, 12 or 24 hours ("Address Map" and "Time, Calendar and Alarm
 * Locations" of the datasheet). Pure functions over the CMOS bytes; when time passes is mc146818.ts's business.
 */
import * as R from './registers.js';

const DAY_SECONDS = 86_400;
const PM = 0x80;
const DONT_CARE = 0xc0;

function encode(value: number, cmos: Uint8Array): number {
  return (cmos[R.REGISTER_B] & R.B_BINARY) !== 0 ? value : (Math.floor(value / 10) << 4) | (value % 10);
}

function decode(byte: number, cmos: Uint8Array): number {
  return (cmos[R.REGISTER_B] & R.B_BINARY) !== 0 ? byte : (byte >>> 4) * 10 + (byte & 15);
}

function encodeHour(hour: number, cmos: Uint8Array): number {
  if ((cmos[R.REGISTER_B] & R.B_24_HOURS) !== 0) return encode(hour, cmos);
  return encode(hour % 12 === 0 ? 12 : hour % 12, cmos) | (hour >= 12 ? PM : 0);
}

function decodeHour(byte: number, cmos: Uint8Array): number {
  if ((cmos[R.REGISTER_B] & R.B_24_HOURS) !== 0) return decode(byte, cmos);
  return (decode(byte & ~PM, cmos) % 12) + ((byte & PM) !== 0 ? 12 : 0);
}

/** Sets the clock's bytes to a time in seconds since 1970, UTC. */
export function setTime(cmos: Uint8Array, seconds: number): void {
  const date = new Date(seconds * 1000);
  cmos[R.SECONDS] = encode(date.getUTCSeconds(), cmos);
  cmos[R.MINUTES] = encode(date.getUTCMinutes(), cmos);
  cmos[R.HOURS] = encodeHour(date.getUTCHours(), cmos);
  cmos[R.DAY_OF_WEEK] = encode(date.getUTCDay() + 1, cmos);
  cmos[R.DAY_OF_MONTH] = encode(date.getUTCDate(), cmos);
  cmos[R.MONTH] = encode(date.getUTCMonth() + 1, cmos);
  cmos[R.YEAR] = encode(date.getUTCFullYear() % 100, cmos);
  // A BIOS keeps the century, in BCD always; the chip counts no further than 99.
  const century = Math.floor(date.getUTCFullYear() / 100) % 100;
  cmos[R.CENTURY] = (Math.floor(century / 10) << 4) | (century % 10);
}

/** The time that the clock's bytes say, in seconds since 1970; fields out of range carry over. */
export function getTime(cmos: Uint8Array): number {
  const century = (cmos[R.CENTURY] >>> 4) * 10 + (cmos[R.CENTURY] & 15);
  const year = century * 100 + decode(cmos[R.YEAR], cmos);
  const month = decode(cmos[R.MONTH], cmos) - 1;
  const days = new Date(0).setUTCFullYear(year, month, decode(cmos[R.DAY_OF_MONTH], cmos)) / 1000;
  return days + secondOfDay(cmos);
}

export function secondOfDay(cmos: Uint8Array): number {
  const hour = decodeHour(cmos[R.HOURS], cmos);
  return hour * 3600 + decode(cmos[R.MINUTES], cmos) * 60 + decode(cmos[R.SECONDS], cmos);
}

/** Lets `seconds` whole seconds pass. The day of the week counts on from whatever software set it to. */
export function addSeconds(cmos: Uint8Array, seconds: number): void {
  const before = getTime(cmos);
  const weekday = decode(cmos[R.DAY_OF_WEEK], cmos) - 1;
  setTime(cmos, before + seconds);
  const days = Math.floor((before + seconds) / DAY_SECONDS) - Math.floor(before / DAY_SECONDS);
  cmos[R.DAY_OF_WEEK] = encode(((((weekday + days) % 7) + 7) % 7) + 1, cmos);
}

/** In how many seconds (1..limit) the alarm goes off next, or undefined. */
export function secondsToAlarm(cmos: Uint8Array, limit = DAY_SECONDS): number | undefined {
  const matches = (register: number, value: number) =>
    cmos[register] >= DONT_CARE || value === decode(cmos[register], cmos);
  const matchesHour = (hour: number) =>
    cmos[R.HOURS_ALARM] >= DONT_CARE || hour === decodeHour(cmos[R.HOURS_ALARM], cmos);
  const now = secondOfDay(cmos);
  let passed = 1;
  while (passed <= Math.min(limit, DAY_SECONDS)) {
    const at = (now + passed) % DAY_SECONDS;
    if (!matchesHour(Math.floor(at / 3600))) passed += 3600 - (at % 3600);
    else if (!matches(R.MINUTES_ALARM, Math.floor(at / 60) % 60)) passed += 60 - (at % 60);
    else if (!matches(R.SECONDS_ALARM, at % 60)) passed++;
    else return passed;
  }
  return undefined;
}
