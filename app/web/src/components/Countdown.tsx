import { Text } from "@mantine/core";

import { formatCountdown } from "../time/format";
import { Moment } from "../time/Moment";
import { useCountdown } from "../time/useCountdown";

const DAY = 86_400_000; // ms

/** What happens at a time, with the time that is left; further off than a day, with the date. */
export function Countdown({ until, what }: { until: string; what: string }) {
  const left = useCountdown(until) ?? 0;
  return (
    <Text size="sm" fw={500}>
      {what}{" "}
      {left > DAY ? (
        <Moment time={until} />
      ) : (
        <time dateTime={until} style={{ fontVariantNumeric: "tabular-nums" }}>
          in {formatCountdown(left)}
        </time>
      )}
    </Text>
  );
}
