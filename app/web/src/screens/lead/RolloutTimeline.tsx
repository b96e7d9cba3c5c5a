import { Paper, Stack, Text, Title } from "@mantine/core";

import type { LeadDetailsFragment } from "../../gql/lead/graphql";
import { Moment } from "../../time/Moment";
import { Countdown } from "../../components/Countdown";
import { importedOffersOf } from "./importedOffers";
import { FoldedTiers } from "./FoldedTiers";
import { SkippedList } from "./SkippedList";

/** The steps of a lead: who was offered it when and how, who was skipped, and what follows. */
export function RolloutTimeline({ lead }: { lead: LeadDetailsFragment }) {
  const imported = importedOffersOf(lead);
  return (
    <Stack gap="md">
      {imported.length > 0 && (
        <Paper withBorder p="md">
          <Title order={3} size="h5">
            Imported offers
          </Title>
          <Text size="sm" c="dimmed" mb="sm">
            Made before this server had the lead
          </Text>
          <Stack gap="sm">
            <FoldedTiers offers={imported} />
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
              ? `If nobody takes it, it goes on to ${lead.nextStep.team.name}`
              : "If nobody takes it, you are told"
          }
        />
      )}
      {!lead.nextStep && lead.openOffers.total > 0 && lead.rollouts?.length === 0 && (
        <Text size="sm">
          If nobody takes it, you are not told.{lead.viewerCanSubmit && " Submit it to offer it again."}
        </Text>
      )}
    </Stack>
  );
}
