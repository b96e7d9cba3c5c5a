import { useEffect } from "react";

import { onForget } from "../../api/memory";

const stale = new Set<string>();
onForget(() => {
  stale.clear();
});
const listeners = new Set<() => void>();

/** Notes that the rollout and the claims of a lead have changed. Its screen asks for them, at once if it is open. */
export function noteStaleLead(id: string): void {
  stale.add(id);
  listeners.forEach((listen) => {
    listen();
  });
}

/**
 * Asks for a loaded lead again after it has changed, also if that was before its screen was opened. There is one
 * request at a time: however many changes come while it is in flight, one more follows. What is shown stays until then.
 */
export function useFreshLead(id: string, isLoaded: boolean, refetch: () => Promise<unknown>): void {
  useEffect(() => {
    if (!isLoaded) {
      stale.delete(id); // the request in flight asks for everything
      return undefined;
    }
    let isAsking = false;
    const ask = async () => {
      if (isAsking) return;
      isAsking = true;
      while (stale.delete(id)) await refetch().catch(() => undefined); // the screen shows the error of its query
      isAsking = false;
    };
    const listen = () => void ask();
    listeners.add(listen);
    listen();
    return () => {
      listeners.delete(listen);
    };
  }, [id, isLoaded, refetch]);
}
