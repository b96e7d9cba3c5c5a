import type { FigureGroup } from "../../gql/figures/graphql";
import { hourOfDay, monthBegin } from "../../time/local";

export const SPANS = [
  { value: "7", label: "Last 7 days" },
  { value: "30", label: "Last 30 days" },
  { value: "90", label: "Last 90 days" },
  { value: "365", label: "Last 365 days" },
  { value: "month", label: "This month" },
];

export interface Span {
  from: string;
  to: string;
  by: FigureGroup;
  timezone: string;
}

/**
 * The span of a choice, in days of a time zone, of which today is the last. It ends at the next full hour, so that the
 * cache can answer when the screen is opened again.
 */
export function spanOf(choice: string, timezone: string): Span {
  const end = new Date();
  end.setMinutes(60, 0, 0);
  const begin = choice === "month" ? monthBegin(timezone) : hourOfDay(0, 1 - Number(choice), timezone);
  return {
    from: begin.toISOString(),
    to: end.toISOString(),
    by: (Number(choice) > 31 ? "WEEK" : "DAY") as FigureGroup,
    timezone,
  };
}
