import { client } from "../api/client";
import { configuration } from "../app/configuration";
import { ViewerDocument } from "../gql/app/graphql";
import { setSession } from "./session";

/** Tells the other tabs of this browser who has signed out. Other people stay signed in there. */
const tabs = new BroadcastChannel("signed-out");
tabs.onmessage = ({ data }: MessageEvent<string>) => {
  if (data === viewerId()) void leave();
};

/** Ends the session, here and in the other tabs of the same person. */
export async function signOut(): Promise<void> {
  const id = viewerId();
  if (id) tabs.postMessage(id);
  setSession(null);
  if (configuration.signIn.kind === "openid") {
    const { end } = await import("./openid");
    await end();
  }
}

/** Ends the session of this tab after it ended in another one, which has told the identity provider. */
async function leave(): Promise<void> {
  setSession(null);
  if (configuration.signIn.kind === "openid") {
    const { forgetTokens } = await import("./openid");
    await forgetTokens();
  }
}

function viewerId(): string | undefined {
  return client.readQuery({ query: ViewerDocument })?.me.id;
}
