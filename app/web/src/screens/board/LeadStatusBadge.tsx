import { Badge } from "@mantine/core";

import { type StatusFields, statusOf, STATUSES } from "./leadStatus";

export function LeadStatusBadge({ lead }: { lead: StatusFields }) {
  const { label, color } = STATUSES[statusOf(lead)];
  return (
    <Badge variant="light" color={color} tt="none" style={{ flexShrink: 0 }}>
      {label}
    </Badge>
  );
}
