import { Table, Text } from "@mantine/core";

import type { BoardLeadFragment } from "../../gql/board/graphql";
import { RelativeTime } from "../../time/RelativeTime";
import { nameOf, priceOf } from "../../components/enquiryWords";
import { LeadLink } from "./LeadLink";
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
                <LeadLink lead={lead} search={search} />
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
