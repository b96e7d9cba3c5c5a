import { formatMomentWithZone, formatRelative } from "./format";
import { useNow } from "./useNow";
import { useZone } from "./zone";

/** A time as "5 minutes ago", which keeps up to date. The exact time in the viewer's zone is its title. */
export function RelativeTime({ time }: { time: string }) {
  const now = useNow(10_000);
  const zone = useZone();
  return (
    <time dateTime={time} title={zone ? formatMomentWithZone(time, zone) : undefined}>
      {formatRelative(time, now)}
    </time>
  );
}
