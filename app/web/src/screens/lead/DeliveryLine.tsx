import { Text } from "@mantine/core";

import type { TimelineOfferFragment } from "../../gql/graphql";
import { formatMoment } from "../../time/format";
import { CHANNEL, DELIVERY, failureOf } from "./words";

type Delivery = TimelineOfferFragment["deliveries"][number];

/** What became of a message: such as "E-mail: delivered, Mar 2, 9:00 AM". */
export function DeliveryLine({ delivery }: { delivery: Delivery }) {
  const { channel, status, sentAt } = delivery;
  return (
    <Text size="sm" c={status === "FAILED" ? "var(--mantine-color-error)" : "dimmed"}>
      {CHANNEL[channel]}: {DELIVERY[status]}
      {sentAt && `, ${formatMoment(sentAt)}`}
      {problemOf(delivery)}
    </Text>
  );
}

/** Why the message did not go out, or not yet, and when it is tried again. A message that went out needs no excuse. */
function problemOf({ status, error, attempts, nextAttemptAt }: Delivery): string {
  if (error == null || (status !== "FAILED" && status !== "PENDING")) return "";
  const times = attempts === 1 ? "1 attempt" : `${String(attempts)} attempts`;
  const again = nextAttemptAt ? `; next attempt ${formatMoment(nextAttemptAt)}` : "";
  return ` after ${times}: ${failureOf(error)}${again}`;
}
