import { Anchor, Table, Text } from "@mantine/core";
import { Link } from "react-router";

import type { BoardLeadFragment } from "../../gql/board/graphql";
import { RelativeTime } from "../../time/RelativeTime";
import { labelOf, nameOf, priceOf, titleOf } from "../../components/enquiryWords";
import { LeadStatusBadge } from "./LeadStatusBadge";

export function LeadTable({ leads, search }: { leads: BoardLeadFragment[]; search: string }) {
  return (
    <Table.ScrollContainer minWidth={760} visibleFrom="md">
      <Table verticalSpacing="sm" highlightOnHover aria-label="Leads">
        <Table.Thead>
          <Table.Tr>
            <Table.Th>Enquiry</Table.Th>
            <Table.Th>Contact</Table.Th>
            <Table.Th>Status</Table.Th>
            <Table.Th>Held by</Table.Th>
            <Table.Th>Team</Table.Th>
            <Table.Th>Source</Table.Th>
            <Table.Th>Came in</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {leads.map((lead) => (
            <Table.Tr key={lead.id}>
              <Table.Td maw={260}>
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
                {priceOf(lead) && (
                  <Text size="sm" c="dimmed">
                    {priceOf(lead)}
                  </Text>
                )}
              </Table.Td>
              <Table.Td maw={180} className="any-word">
                {nameOf(lead.contact)}
              </Table.Td>
              <Table.Td>
                <LeadStatusBadge lead={lead} />
              </Table.Td>
              <Table.Td maw={160} className="any-word">
                {lead.claimedBy ? nameOf(lead.claimedBy) : "–"}
              </Table.Td>
              <Table.Td maw={160} className="any-word">
                {lead.rolloutTeam?.name ?? "–"}
              </Table.Td>
              <Table.Td maw={140} className="any-word">
                {lead.source?.name ?? "–"}
              </Table.Td>
              <Table.Td style={{ whiteSpace: "nowrap" }}>
                <RelativeTime time={lead.createdAt} />
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}
