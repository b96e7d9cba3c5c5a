import { client } from "../api/client";
import { currentSession } from "../auth/session";
import { ViewerDocument } from "../gql/app/graphql";
import { InboxDocument } from "../gql/inbox/graphql";

let preloading: Promise<void> | undefined;

/**
 * Asks, once, for what the first screen shows while the rest of the application is started. The screen finds it in the
 * cache. Never rejects: the screen asks again, and shows the error.
 */
export function preload(): Promise<void> {
  preloading ??= ask().catch(() => undefined);
  return preloading;
}

async function ask(): Promise<void> {
  if (!currentSession()) return;
  const { data } = await client.query({ query: ViewerDocument });
  await new Promise((resolve) => setTimeout(resolve)); // so that the browser can react to a touch
  if (data && ["/", "/inbox"].includes(window.location.pathname)) {
    await client.query({ query: InboxDocument, variables: { me: data.me.id } });
  }
}
