import { List, Text } from "@mantine/core";

import type { LeadDetailsFragment } from "../../gql/lead/graphql";
import { Moment } from "../../time/Moment";
import { nameOf } from "../../components/enquiryWords";
import { VIA } from "./words";

export function ClaimHistory({ claims }: { claims: NonNullable<LeadDetailsFragment["claims"]> }) {
  if (claims.length === 0) return <Text size="sm">Nobody has had this lead yet.</Text>;
  return (
    <List size="sm" spacing="xs">
      {claims.map(({ user, claimedAt, via, endedAt, endReason }) => (
        <List.Item key={`${user.id} ${claimedAt}`} className="any-word">
          {nameOf(user)} {VIA[via]}, <Moment time={claimedAt} />
          {endedAt && (
            <>
              ; {endReason === "REASSIGNED" ? "it was assigned to somebody else" : "it was released"},{" "}
              <Moment time={endedAt} />
            </>
          )}
        </List.Item>
      ))}
    </List>
  );
}
