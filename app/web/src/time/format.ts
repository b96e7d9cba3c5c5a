import { LOCALE } from "./locale";
import { DEVICE_ZONE } from "./zone";

const DAY = 86_400_000; // ms
const OVERLAPS = [3_600_000, 1_800_000]; // ms by which clocks are put back

const relative = new Intl.RelativeTimeFormat(LOCALE);
const dayMonth = new Intl.DateTimeFormat(LOCALE, { timeZone: "UTC", month: "short", day: "numeric" });
const date = new Intl.DateTimeFormat(LOCALE, { timeZone: "UTC", dateStyle: "medium" });
const clock = new Intl.DateTimeFormat(LOCALE, { timeZone: "UTC", timeStyle: "short" });

const UNITS: [Intl.RelativeTimeFormatUnit, number][] = [
  ["year", 365 * DAY],
  ["month", 30 * DAY],
  ["day", DAY],
  ["hour", 3_600_000],
  ["minute", 60_000],
];

/** Such as "5 minutes ago" or "in 2 hours"; below a minute "just now". */
export function formatRelative(time: string, now: number): string {
  const difference = new Date(time).getTime() - now;
  for (const [unit, size] of UNITS) {
    if (Math.abs(difference) >= size) return relative.format(Math.trunc(difference / size), unit);
  }
  return "just now";
}

/**
 * Date and time in a zone, such as "Mar 2, 2026, 9:00 AM". The zone follows, as in "9:00 AM EST", if the clock of this
 * device shows another time, or if the hour comes twice because clocks are put back.
 */
export function formatMoment(time: string, zone: string): string {
  const at = new Date(time).getTime();
  const { short } = formatsOf(zone);
  const text = short.format(at);
  const isDoubtful =
    text !== formatsOf(DEVICE_ZONE).short.format(at) ||
    OVERLAPS.some((overlap) => text === short.format(at + overlap) || text === short.format(at - overlap));
  return isDoubtful ? formatMomentWithZone(time, zone) : text;
}

/** Date and time in a zone, with the zone, such as "Mar 2, 2026, 9:00 AM EST". */
export function formatMomentWithZone(time: string, zone: string): string {
  return formatsOf(zone).withZone.format(new Date(time));
}

/** The day of a date such as "2026-03-02": "Mar 2, 2026"; without the year "Mar 2". */
export function formatDay(day: string, withYear = true): string {
  return (withYear ? date : dayMonth).format(new Date(`${day}T00:00:00Z`));
}

/** The time of a daily clock such as "22:00": "10:00 PM". */
export function formatClock(time: string): string {
  return clock.format(new Date(`1970-01-01T${time}Z`));
}

/** Such as "4:05" or "1:04:05"; "0:00" when it is over. */
export function formatCountdown(milliseconds: number): string {
  const seconds = Math.max(0, Math.ceil(milliseconds / 1000));
  const two = (number: number) => String(number).padStart(2, "0");
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  return hours > 0 ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`;
}

interface Formats {
  short: Intl.DateTimeFormat;
  withZone: Intl.DateTimeFormat;
}

const formats = new Map<string, Formats>();

/** The formats of a zone. They are slow to make, and so are kept. */
function formatsOf(timeZone: string): Formats {
  const known = formats.get(timeZone);
  if (known) return known;
  const parts = { year: "numeric", month: "short", day: "numeric", hour: "numeric", minute: "2-digit" } as const;
  const made = {
    short: new Intl.DateTimeFormat(LOCALE, { timeZone, ...parts }),
    withZone: new Intl.DateTimeFormat(LOCALE, { timeZone, ...parts, timeZoneName: "short" }),
  };
  formats.set(timeZone, made);
  return made;
}
