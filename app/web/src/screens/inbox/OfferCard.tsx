import { Button, Group, Paper, Stack, Text } from "@mantine/core";

import { ConfirmButton } from "../../components/ConfirmButton";
import type { InboxOfferFragment } from "../../gql/inbox/graphql";
import { Countdown } from "../../components/Countdown";
import { Enquiry } from "../../components/Enquiry";
import { labelOf } from "../../components/enquiryWords";
import { useOfferActions } from "./useOfferActions";

/** An offer of a lead: to claim now, or to come. */
export function OfferCard({ offer }: { offer: InboxOfferFragment }) {
  const { claim, decline } = useOfferActions(offer);
  const { lead, team, viewerCanClaim, notifyAt, assignAutomatically } = offer;
  const label = labelOf(lead);
  return (
    <Paper component="article" withBorder shadow="xs" p="md" aria-label={label}>
      <Stack gap="sm" h="100%">
        <Enquiry lead={lead} />
        {!viewerCanClaim && notifyAt && (
          <Countdown until={notifyAt} what={assignAutomatically ? "Becomes yours" : "Yours to claim"} />
        )}
        {lead.nextStep && (
          <Countdown
            until={lead.nextStep.at}
            what={
              lead.nextStep.team ? `Goes on to ${lead.nextStep.team.name}` : "If nobody claims it, you are notified"
            }
          />
        )}
        {team && (
          <Text size="sm" c="dimmed" className="any-word">
            Offered by {team.name}
          </Text>
        )}
        <Group grow preventGrowOverflow={false} mt="auto">
          {viewerCanClaim && (
            <Button size="md" onClick={() => void claim()} aria-label={`Claim: ${label}`}>
              Claim
            </Button>
          )}
          <ConfirmButton
            size="md"
            aria-label={`Decline: ${label}`}
            title="Decline this lead?"
            text="It is offered to others, and you cannot undo this yourself."
            confirm="Decline"
            onConfirm={() => void decline()}
          >
            Decline
          </ConfirmButton>
        </Group>
      </Stack>
    </Paper>
  );
}
