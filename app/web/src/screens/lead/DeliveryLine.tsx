import { Text } from "@mantine/core";

import type { TimelineOfferFragment } from "../../gql/lead/graphql";
import { Moment } from "../../time/Moment";
import { CHANNEL, DELIVERY, failureOf } from "./words";

type Delivery = TimelineOfferFragment["deliveries"][number];

/** What became of a message: such as "E-mail: delivered, Mar 2, 9:00 AM". */
export function DeliveryLine({ delivery }: { delivery: Delivery }) {
  const { channel, status, sentAt } = delivery;
  return (
    <Text size="sm" c={status === "FAILED" ? "var(--mantine-color-error)" : "dimmed"}>
      {CHANNEL[channel]}: {DELIVERY[status]}
      {sentAt && (
        <>
          , <Moment time={sentAt} />
        </>
      )}
      <Problem delivery={delivery} />
    </Text>
  );
}

/** Why the message did not go out, or not yet, and when it is tried again. A message that went out needs no excuse. */
function Problem({ delivery: { status, error, attempts, nextAttemptAt } }: { delivery: Delivery }) {
  if (error == null || (status !== "FAILED" && status !== "PENDING")) return null;
  const times = attempts === 1 ? "1 attempt" : `${String(attempts)} attempts`;
  return (
    <>
      {` after ${times}: ${failureOf(error)}`}
      {nextAttemptAt && (
        <>
          ; next attempt <Moment time={nextAttemptAt} />
        </>
      )}
    </>
  );
}
