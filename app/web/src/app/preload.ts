import { client } from "../api/client";
import { currentSession } from "../auth/session";
import { ViewerDocument } from "../gql/app/graphql";
import { InboxDocument } from "../gql/inbox/graphql";

/** Asks for what the first screen shows while the rest of the application is started. The screen finds it in the cache. */
async function preload(): Promise<void> {
  if (!currentSession()) return;
  const { data } = await client.query({ query: ViewerDocument });
  await new Promise((resolve) => setTimeout(resolve)); // the browser can react to a touch in between
  if (data && ["/", "/inbox"].includes(window.location.pathname)) {
    await client.query({ query: InboxDocument, variables: { me: data.me.id } });
  }
}

preload().catch(() => undefined); // the screen asks again, and shows the error
