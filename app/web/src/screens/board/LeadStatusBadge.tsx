import { Badge } from "@mantine/core";

import type { BoardLeadFragment } from "../../gql/graphql";
import { statusOf, STATUSES } from "./leadStatus";

export function LeadStatusBadge({ lead }: { lead: Pick<BoardLeadFragment, "claimedBy" | "rolloutTeam" | "nextStep"> }) {
  const { label, color } = STATUSES[statusOf(lead)];
  return (
    <Badge variant="light" color={color} tt="none" style={{ flexShrink: 0 }}>
      {label}
    </Badge>
  );
}
