import { TZDate, tz } from "@date-fns/tz";

/**
 * The time that the clocks of a zone show at the value of an `<input type="datetime-local">`, such as
 * "2026-03-02T09:00"; null if the value is no such time. An hour that clocks leave out is the one after it.
 */
export function parseLocal(value: string, zone: string): Date | null {
  const parts = /^(\d{4,6})-(\d\d)-(\d\d)T(\d\d):(\d\d)/.exec(value)?.slice(1).map(Number);
  if (!parts) return null;
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0] = parts;
  return new Date(new TZDate(year, month - 1, day, hour, minute, zone).getTime());
}

/** A full hour of the day in a zone, some days after today. */
export function hourOfDay(hour: number, days: number, zone: string): Date {
  const today = tz(zone)(Date.now());
  return new Date(new TZDate(today.getFullYear(), today.getMonth(), today.getDate() + days, hour, zone).getTime());
}

/** The first midnight of this month in a zone. */
export function monthBegin(zone: string): Date {
  const today = tz(zone)(Date.now());
  return new Date(new TZDate(today.getFullYear(), today.getMonth(), 1, zone).getTime());
}
