import { client } from "../api/client";
import { currentSession } from "../auth/session";
import { ViewerDocument } from "../gql/app/graphql";
import { InboxDocument } from "../gql/inbox/graphql";

/** Asks for what the first screen shows while the rest of the application is started. The screen finds it in the cache. */
export async function preload(): Promise<void> {
  if (!currentSession()) return;
  try {
    const { data } = await client.query({ query: ViewerDocument });
    await new Promise((resolve) => setTimeout(resolve)); // so that the browser can react to a touch
    if (data && ["/", "/inbox"].includes(window.location.pathname)) {
      await client.query({ query: InboxDocument, variables: { me: data.me.id } });
    }
  } catch {
    // The screen asks again, and shows the error.
  }
}
