import { formatMoment, formatMomentWithZone } from "./format";
import { useZone } from "./zone";

/** A date and time in the viewer's zone. Its title names the zone. */
export function Moment({ time }: { time: string }) {
  const zone = useZone();
  return (
    <time dateTime={time} title={zone ? formatMomentWithZone(time, zone) : undefined}>
      {zone ? formatMoment(time, zone) : "…"}
    </time>
  );
}
