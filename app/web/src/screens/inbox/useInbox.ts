import { useQuery } from "@apollo/client/react";
import { useDeferredValue, useEffect, useMemo } from "react";

import { useViewer } from "../../app/Viewer";
import { InboxDocument, type InboxQuery } from "../../gql/inbox/graphql";
import { type InboxLists, listsOf } from "./inboxLists";

const AFTER_DUE = 300; // ms
const BETWEEN_TRIES = 5_000; // ms; the clock of this device may be ahead of the server's

export interface Inbox {
  me: InboxQuery["me"] | undefined;
  lists: InboxLists | undefined;
  error: Error | undefined;
  refetch: () => unknown;
}

/** The viewer's offers and leads. `InboxUpdates` keeps them up to date; offers that come due are asked for here. */
export function useInbox(): Inbox {
  const viewer = useViewer();
  const me = viewer.data?.me.id ?? "";
  const { data, error, refetch } = useQuery(InboxDocument, { variables: { me }, skip: !me });
  const shown = useDeferredValue(data); // a long list is rendered in slices, between which the browser can react
  const lists = useMemo(() => shown && listsOf(shown), [shown]);
  useRefetchWhenDue(lists?.upcoming[0]?.notifyAt ?? null, refetch);
  return { me: shown?.me, lists, error: viewer.error ?? error, refetch: viewer.error ? viewer.refetch : refetch };
}

/** Whether an offer can be claimed is decided by the server's clock, so it is asked when the next one comes due. */
function useRefetchWhenDue(next: string | null, refetch: () => Promise<unknown>): void {
  useEffect(() => {
    if (!next) return undefined;
    let timer: ReturnType<typeof setTimeout>;
    const plan = () => {
      const wait = new Date(next).getTime() - Date.now() + AFTER_DUE;
      timer = setTimeout(ask, Math.min(wait > 0 ? wait : BETWEEN_TRIES, 2 ** 31 - 1));
    };
    const ask = () => {
      void refetch()
        .catch(() => undefined) // the screen shows the error
        .finally(plan);
    };
    plan();
    return () => {
      clearTimeout(timer);
    };
  }, [next, refetch]);
}
