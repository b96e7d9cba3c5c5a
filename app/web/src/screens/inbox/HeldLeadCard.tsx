import { Group, Paper, Stack, Text } from "@mantine/core";

import { ConfirmButton } from "../../components/ConfirmButton";
import { ContactLinks } from "../../components/ContactLinks";
import type { InboxLeadFragment } from "../../gql/inbox/graphql";
import { RelativeTime } from "../../time/RelativeTime";
import { Enquiry } from "../../components/Enquiry";
import { labelOf } from "../../components/enquiryWords";
import { useRelease } from "./useOfferActions";

/** A lead that the viewer holds, with the ways to reach its contact. */
export function HeldLeadCard({ lead }: { lead: InboxLeadFragment }) {
  const release = useRelease(lead);
  const label = labelOf(lead);
  const { mobilePhone, email } = lead.contact;
  return (
    <Paper component="article" withBorder p="md" aria-label={label}>
      <Stack gap="sm" h="100%">
        <Enquiry lead={lead} />
        <ContactLinks phone={mobilePhone} email={email} />
        {!mobilePhone && !email && (
          <Text size="sm" c="dimmed">
            Neither a phone number nor an e-mail address is known.
          </Text>
        )}
        <Group justify="space-between" mt="auto">
          <Text size="sm" c="dimmed">
            {lead.claimedAt && (
              <>
                Claimed <RelativeTime time={lead.claimedAt} />
              </>
            )}
          </Text>
          <ConfirmButton
            aria-label={`Release: ${label}`}
            title="Release this lead?"
            text="You give it back, and it is offered to others again."
            confirm="Release"
            onConfirm={() => void release()}
          >
            Release
          </ConfirmButton>
        </Group>
      </Stack>
    </Paper>
  );
}
