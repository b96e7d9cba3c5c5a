import { LOCALE } from "../../time/locale";

const UNITS: [string, number, number][] = [
  ["day", 86_400, 1],
  ["hour", 3_600, 1],
  ["minute", 60, 0],
  ["second", 1, 0],
];

/** Seconds in the largest unit of which they are at least one, such as "45 sec", "12 min", "3.5 hr" or "2.1 days"; a dash for null. */
export function formatDuration(seconds: number | null | undefined): string {
  if (seconds === null || seconds === undefined) return "–";
  for (const [unit, size, digits] of UNITS) {
    const rounded = Number((seconds / size).toFixed(digits));
    if (rounded >= 1) return formatOf(unit, digits).format(rounded);
  }
  return formatOf("second", 0).format(0);
}

function formatOf(unit: string, maximumFractionDigits: number): Intl.NumberFormat {
  return new Intl.NumberFormat(LOCALE, { style: "unit", unit, unitDisplay: "short", maximumFractionDigits });
}
