import { formatMoment, formatRelative } from "./format";
import { useNow } from "./useNow";

/** A time as "5 minutes ago", which keeps up to date. The exact time in the viewer's zone is its title. */
export function RelativeTime({ time }: { time: string }) {
  const now = useNow(10_000);
  return (
    <time dateTime={time} title={formatMoment(time)}>
      {formatRelative(time, now)}
    </time>
  );
}
