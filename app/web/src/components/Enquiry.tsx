import { Badge, Group, Spoiler, Stack, Text, Title } from "@mantine/core";

import { RelativeTime } from "../time/RelativeTime";
import type { InboxLeadFragment } from "../gql/inbox/graphql";
import { nameOf, priceOf, titleOf } from "./enquiryWords";

/** What is known of an enquiry, the most important first. */
export function Enquiry({ lead }: { lead: InboxLeadFragment }) {
  const price = priceOf(lead);
  return (
    <Stack gap={6}>
      <Group justify="space-between" gap="xs" align="flex-start">
        <Title order={3} size="h4" className="any-word">
          {titleOf(lead)}
        </Title>
        {price && (
          <Badge variant="light" size="lg">
            {price}
          </Badge>
        )}
      </Group>
      <Text size="sm" className="any-word">
        {nameOf(lead.contact)}
        {lead.streetAddress && ` · ${lead.streetAddress}`}
      </Text>
      <Text size="sm" c="dimmed" className="any-word">
        Came in <RelativeTime time={lead.createdAt} />
        {lead.source && ` from ${lead.source.name}`}
      </Text>
      {lead.message && (
        <Spoiler maxHeight={66} showLabel="Show the whole message" hideLabel="Show less">
          <Text size="sm" className="any-word" style={{ whiteSpace: "pre-wrap" }}>
            {lead.message}
          </Text>
        </Spoiler>
      )}
    </Stack>
  );
}
