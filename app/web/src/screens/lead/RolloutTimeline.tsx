import { Paper, Stack, Text, Title } from "@mantine/core";

import type { LeadDetailsFragment } from "../../gql/lead/graphql";
import { Moment } from "../../time/Moment";
import { Countdown } from "../../components/Countdown";
import { LOCALE } from "../../time/locale";
import { importedOffersOf } from "./importedOffers";
import { FoldedTiers } from "./FoldedTiers";
import { OfferTiers } from "./OfferTiers";
import { SkippedList } from "./SkippedList";

/** The steps of a lead: who was offered it when and how, who was skipped, and what follows. */
export function RolloutTimeline({ lead }: { lead: LeadDetailsFragment }) {
  const imported = importedOffersOf(lead);
  return (
    <Stack gap="md">
      {imported.offers.length > 0 && (
        <Paper withBorder p="md">
          <Title order={3} size="h5">
            Imported offers
          </Title>
          <Text size="sm" c="dimmed" mb="sm">
            Made before this server had the lead
          </Text>
          <Stack gap="sm">
            <OfferTiers offers={imported.offers} />
            {imported.more > 0 && <Text size="sm">{moreOf(imported.more)}</Text>}
          </Stack>
        </Paper>
      )}
      {lead.rollouts?.map((rollout) => (
        <Paper key={rollout.id} withBorder p="md">
          <Title order={3} size="h5" className="any-word">
            {rollout.cause === "SUBMITTED" ? "Submitted to" : "Went on to"} {rollout.team.name}
          </Title>
          <Text size="sm" c="dimmed" mb="sm">
            <Moment time={rollout.submittedAt} />
          </Text>
          <Stack gap="sm">
            <FoldedTiers offers={rollout.createdOffers} />
            <SkippedList skipped={rollout.skipped} />
          </Stack>
        </Paper>
      ))}
      {lead.nextStep && (
        <Countdown
          until={lead.nextStep.at}
          what={
            lead.nextStep.team
              ? `If nobody claims it, it goes on to ${lead.nextStep.team.name}`
              : "If nobody claims it, you are notified"
          }
        />
      )}
      {!lead.nextStep && lead.openOffers.total > 0 && lead.rollouts?.length === 0 && (
        <Text size="sm">
          If nobody claims it, you are not notified.{lead.viewerCanSubmit && " Submit it to offer it again."}
        </Text>
      )}
    </Stack>
  );
}

function moreOf(count: number): string {
  return count === 1
    ? "1 more offer is not listed here."
    : `${count.toLocaleString(LOCALE)} more offers are not listed here.`;
}
