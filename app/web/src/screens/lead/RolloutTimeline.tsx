import { Badge, Group, Paper, Stack, Text, Title } from "@mantine/core";

import type { LeadDetailsFragment } from "../../gql/graphql";
import { formatMoment } from "../../time/format";
import { Countdown } from "../inbox/Countdown";
import { nameOf } from "../inbox/enquiry";
import { SkippedList } from "./SkippedList";
import { CHANNEL, DELIVERY, OFFER } from "./words";

type Rollout = NonNullable<LeadDetailsFragment["rollouts"]>[number];
type Offer = Rollout["createdOffers"][number];

/** The steps of a lead: who was offered it when and how, who was skipped, and what follows. */
export function RolloutTimeline({ lead }: { lead: LeadDetailsFragment }) {
  return (
    <Stack gap="md">
      {lead.rollouts?.map((rollout) => (
        <Paper key={rollout.id} withBorder p="md">
          <Title order={3} size="h5" className="any-word">
            {rollout.cause === "SUBMITTED" ? "Submitted to" : "Went on to"} {rollout.team.name}
          </Title>
          <Text size="sm" c="dimmed" mb="sm">
            {formatMoment(rollout.submittedAt)}
          </Text>
          <Stack gap="sm">
            {tiersOf(rollout.createdOffers).map(([time, offers]) => (
              <Tier key={time} time={time} offers={offers} />
            ))}
            <SkippedList skipped={rollout.skipped} />
          </Stack>
        </Paper>
      ))}
      {lead.nextStep && (
        <Countdown
          until={lead.nextStep.at}
          what={
            lead.nextStep.team
              ? `If nobody takes it, it goes on to ${lead.nextStep.team.name}`
              : "If nobody takes it, you are told"
          }
        />
      )}
    </Stack>
  );
}

function Tier({ time, offers }: { time: string; offers: Offer[] }) {
  return (
    <div>
      <Text size="sm" fw={600}>
        {time ? <time dateTime={time}>{formatMoment(time)}</time> : "Without a time"}
      </Text>
      {offers.map((offer) => (
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
            <Text key={delivery.id} size="sm" c={delivery.status === "FAILED" ? "error" : "dimmed"}>
              {CHANNEL[delivery.channel]}: {DELIVERY[delivery.status]}
              {delivery.sentAt && `, ${formatMoment(delivery.sentAt)}`}
            </Text>
          ))}
        </Stack>
      ))}
    </div>
  );
}

/** Offers that come due at the same time, the first of them first. */
function tiersOf(offers: Offer[]): [string, Offer[]][] {
  const tiers = new Map<string, Offer[]>();
  for (const offer of offers) {
    const time = offer.notifyAt ?? "";
    tiers.set(time, [...(tiers.get(time) ?? []), offer]);
  }
  return [...tiers];
}
