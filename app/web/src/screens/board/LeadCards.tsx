import { Group, Paper, Stack, Text } from "@mantine/core";

import type { BoardLeadFragment } from "../../gql/board/graphql";
import { RelativeTime } from "../../time/RelativeTime";
import { labelOf, nameOf, priceOf } from "../../components/enquiryWords";
import { LeadLink } from "./LeadLink";
import { LeadStatusBadge } from "./LeadStatusBadge";

export function LeadCards({ leads, search }: { leads: BoardLeadFragment[]; search: string }) {
  return (
    <Stack gap="sm" hiddenFrom="md">
      {leads.map((lead) => (
        <Paper key={lead.id} component="article" withBorder p="md" aria-label={labelOf(lead)}>
          <Group justify="space-between" wrap="nowrap" align="flex-start">
            <LeadLink lead={lead} search={search} />
            <LeadStatusBadge lead={lead} />
          </Group>
          <Text size="sm" className="any-word">
            {[nameOf(lead.contact), priceOf(lead)].filter(Boolean).join(" · ")}
          </Text>
          {lead.claimedBy && (
            <Text size="sm" className="any-word">
              Held by {nameOf(lead.claimedBy)}
            </Text>
          )}
          <Text size="sm" c="dimmed" className="any-word">
            <RelativeTime time={lead.createdAt} />
            {lead.source && ` from ${lead.source.name}`}
            {lead.rolloutTeam && ` · ${lead.rolloutTeam.name}`}
          </Text>
        </Paper>
      ))}
    </Stack>
  );
}
