import { Text } from "@mantine/core";

import { formatCountdown } from "../time/format";
import { Moment } from "../time/Moment";
import { useNow } from "../time/useNow";

const DAY = 86_400_000; // ms
const LATE = 30_000; // ms; until then the server may be about to do it

/**
 * What happens at a time, with the time that is left; further off than a day, with the date. It does not claim that it
 * has happened: what is shown changes as soon as the server has done it, which may be late.
 */
export function Countdown({ until, what }: { until: string; what: string }) {
  return (
    <Text size="sm" fw={500}>
      {what} <Timing until={until} />
    </Text>
  );
}

function Timing({ until }: { until: string }) {
  const left = new Date(until).getTime() - useNow();
  if (left > DAY) return <Moment time={until} />;
  if (left <= -LATE) {
    return (
      <>
        soon: it was due at <Moment time={until} />, and is late
      </>
    );
  }
  return (
    <time dateTime={until} style={{ fontVariantNumeric: "tabular-nums" }}>
      {left > 0 ? `in ${formatCountdown(left)}` : "any moment now"}
    </time>
  );
}
