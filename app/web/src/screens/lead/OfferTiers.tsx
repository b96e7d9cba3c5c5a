import { Badge, Group, Stack, Text } from "@mantine/core";

import type { TimelineOfferFragment } from "../../gql/lead/graphql";
import { Moment } from "../../time/Moment";
import { nameOf } from "../../components/enquiryWords";
import { DeliveryLine } from "./DeliveryLine";
import { tiersOf } from "./tiersOf";
import { OFFER } from "./words";

/** Offers by the time at which they come due, with what became of them and of their messages. */
export function OfferTiers({ offers }: { offers: TimelineOfferFragment[] }) {
  return tiersOf(offers).map(([time, tier]) => (
    <div key={time}>
      <Text size="sm" fw={600}>
        {time ? <Moment time={time} /> : "Time not known"}
      </Text>
      {tier.map((offer) => (
        <Stack key={offer.id} gap={0} mt={4}>
          <Group gap="xs">
            <Text size="sm" className="any-word">
              {offer.user ? nameOf(offer.user) : "Unknown user"}
            </Text>
            <Badge variant="light" tt="none" color={OFFER[offer.status].color}>
              {OFFER[offer.status].label}
            </Badge>
            {offer.assignAutomatically && <Text size="sm">Assigned automatically</Text>}
          </Group>
          {offer.deliveries.map((delivery) => (
            <DeliveryLine key={delivery.id} delivery={delivery} />
          ))}
        </Stack>
      ))}
    </div>
  ));
}
