import { useSubscription } from "@apollo/client/react";

import { BoardChangedDocument } from "../../gql/board/graphql";
import { noteStaleLead } from "../lead/staleLeads";
import { noteStatus } from "./changedStatuses";
import { noteNewLead } from "./newLeads";

/**
 * Keeps the board and the leads up to date while any screen is open, so that going back to them needs no request. The
 * cache takes the changed fields by itself. The rollout and the claims of a changed lead are asked for by its screen.
 */
export function BoardUpdates({ viewerId }: { viewerId: string }) {
  useSubscription(BoardChangedDocument, {
    ignoreResults: true,
    onData: ({ client: { cache }, data: { data } }) => {
      const change = data?.leadChanged;
      if (!change) return;
      const { lead, isNew } = change;
      if (lead.creator.id === viewerId) {
        if (isNew) noteNewLead(cache, lead.id);
        noteStatus(cache, lead);
      }
      noteStaleLead(lead.id);
    },
  });
  return null;
}
