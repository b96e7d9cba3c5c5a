import { Anchor } from "@mantine/core";
import { Link } from "react-router";

import { labelOf, titleOf } from "../../components/enquiryWords";
import type { BoardLeadFragment } from "../../gql/board/graphql";

/** The title of a lead, which leads to its screen. From there the way back leads to the board as `search` had it. */
export function LeadLink({ lead, search }: { lead: BoardLeadFragment; search: string }) {
  return (
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
  );
}
