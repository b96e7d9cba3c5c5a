import { useSubscription } from "@apollo/client/react";

import { BoardChangedDocument } from "../../gql/graphql";
import { newLeads } from "./newLeads";

/**
 * Keeps the board and the leads up to date while any screen is open, so that going back to them needs no request. The
 * cache takes the changed fields by itself. The rollout and the claims of a changed lead are dropped: the lead's
 * screen asks for them again at once if it is open, and otherwise when it is opened next.
 */
export function BoardUpdates({ viewerId }: { viewerId: string }) {
  useSubscription(BoardChangedDocument, {
    ignoreResults: true,
    onData: ({ client: { cache }, data: { data } }) => {
      const change = data?.leadChanged;
      if (!change) return;
      const { lead, isNew } = change;
      if (isNew && lead.creator.id === viewerId && !newLeads().includes(lead.id)) newLeads([...newLeads(), lead.id]);
      cache.modify({
        id: `Lead:${lead.id}`,
        fields: { rollouts: (_, { DELETE }) => DELETE, claims: (_, { DELETE }) => DELETE },
      });
    },
  });
  return null;
}
