import { client } from "../api/client";
import { configuration } from "../app/configuration";
import { setSession } from "./session";

/** Ends the session and empties the cache. */
export async function signOut(): Promise<void> {
  setSession(null);
  await client.clearStore();
  if (configuration.signIn.kind === "openid") {
    const { end } = await import("./openid");
    await end();
  }
}
