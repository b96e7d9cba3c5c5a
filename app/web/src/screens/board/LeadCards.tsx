import { Anchor, Group, Paper, Stack, Text } from "@mantine/core";
import { Link } from "react-router";

import type { BoardLeadFragment } from "../../gql/board/graphql";
import { RelativeTime } from "../../time/RelativeTime";
import { labelOf, nameOf, priceOf, titleOf } from "../../components/enquiryWords";
import { LeadStatusBadge } from "./LeadStatusBadge";

export function LeadCards({ leads, search }: { leads: BoardLeadFragment[]; search: string }) {
  return (
    <Stack gap="sm" hiddenFrom="md">
      {leads.map((lead) => (
        <Paper key={lead.id} component="article" withBorder p="md" aria-label={labelOf(lead)}>
          <Group justify="space-between" wrap="nowrap" align="flex-start">
            <Anchor
              component={Link}
              to={`/board/${lead.id}`}
              state={{ search }}
              aria-label={labelOf(lead)}
              fw={600}
              className="any-word"
            >
              {titleOf(lead)}
            </Anchor>
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
