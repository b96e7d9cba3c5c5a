import type { FigureGroup } from "../../gql/graphql";

const DAY = 86_400_000; // ms

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
}

/** The span of a choice, up to the next full hour, so that the cache can answer when the screen is opened again. */
export function spanOf(choice: string): Span {
  const end = new Date();
  end.setMinutes(60, 0, 0);
  const begin = choice === "month" ? monthBegin() : end.getTime() - Number(choice) * DAY;
  return {
    from: new Date(begin).toISOString(),
    to: end.toISOString(),
    by: (Number(choice) > 31 ? "WEEK" : "DAY") as FigureGroup,
  };
}

function monthBegin(): number {
  const now = new Date();
  return new Date(now.getFullYear(), now.getMonth(), 1).getTime();
}
