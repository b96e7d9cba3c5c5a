import { Text } from "@mantine/core";

import { formatCountdown, formatMoment, formatTime } from "../time/format";
import { useNow } from "../time/useNow";

const DAY = 86_400_000; // ms
const LATE = 30_000; // ms; until then the server may be about to do it

/**
 * What happens at a time, with the time that is left; further off than a day, with the date. It does not claim that it
 * has happened: what is shown changes as soon as the server has done it, which may be late.
 */
export function Countdown({ until, what }: { until: string; what: string }) {
  const left = new Date(until).getTime() - useNow();
  return (
    <Text size="sm" fw={500}>
      {what}{" "}
      <time dateTime={until} style={{ fontVariantNumeric: "tabular-nums" }}>
        {timing(until, left)}
      </time>
    </Text>
  );
}

function timing(until: string, left: number): string {
  if (left > DAY) return formatMoment(until);
  if (left > 0) return `in ${formatCountdown(left)}`;
  return left > -LATE ? "any moment now" : `soon: it was due at ${formatTime(until)}, and is late`;
}
