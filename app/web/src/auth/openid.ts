import { ErrorResponse, type User, UserManager, WebStorageStateStore } from "oidc-client-ts";

import { configuration } from "../app/configuration";
import { setSession } from "./session";

const { signIn } = configuration;
if (signIn.kind !== "openid") throw new Error("The server has no identity provider for this application.");

const TEMPORARY = ["server_error", "temporarily_unavailable"]; // OAuth 2.0, section 4.1.2.1

let isSignedOut = false;

/** Takes no tokens once the person has signed out: a renewal that is under way would bring them back. */
class TokenStore extends WebStorageStateStore {
  override async set(key: string, value: string): Promise<void> {
    if (!isSignedOut) await super.set(key, value);
  }
}

const manager = new UserManager({
  authority: signIn.authority,
  client_id: signIn.clientId,
  scope: signIn.scope,
  redirect_uri: `${window.location.origin}/signed-in`,
  post_logout_redirect_uri: `${window.location.origin}/sign-in`,
  userStore: new TokenStore({ store: sessionStorage }),
  stateStore: new WebStorageStateStore({ store: sessionStorage }), // the default is local storage
  automaticSilentRenew: true,
  monitorSession: false,
  ...(signIn.audience ? { extraQueryParams: { audience: signIn.audience } } : {}),
  ...(signIn.audience && URL.canParse(signIn.audience) ? { resource: signIn.audience } : {}),
});

manager.events.addUserLoaded(keep);

/**
 * Goes to the identity provider. It sends the browser back to /signed-in. With `asSomebodyElse`, the provider asks who
 * signs in, even if it has a session of its own.
 */
export async function begin(then: string, asSomebodyElse = false): Promise<void> {
  await manager.signinRedirect({ state: then, ...(asSomebodyElse ? { prompt: "login" } : {}) });
}

/** Whether an error of `finish` says that the person, or the provider, has stopped the sign-in. */
export function wasDenied(error: unknown): boolean {
  return error instanceof ErrorResponse && error.error === "access_denied";
}

/** Finishes the sign-in at /signed-in. Returns the address to go on to. */
export async function finish(): Promise<string> {
  const user = await manager.signinRedirectCallback();
  keep(user);
  return typeof user.state === "string" ? user.state : "/";
}

/** Renews the token if it has expired. Does nothing if the identity provider cannot be reached. */
export async function freshToken(): Promise<void> {
  const user = await manager.getUser();
  if (user?.expired) await renew().catch(() => undefined);
}

let renewing: Promise<boolean> | null = null;

/**
 * Returns whether there is a new token. False means that the person has to sign in again: the provider refuses, or
 * gave no refresh token. Rejects if the provider cannot be reached or has a problem of its own; the session goes on.
 */
export function renew(): Promise<boolean> {
  renewing ??= refresh().finally(() => {
    renewing = null;
  });
  return renewing;
}

async function refresh(): Promise<boolean> {
  if (!(await manager.getUser())?.refresh_token) return false;
  try {
    return (await manager.signinSilent()) !== null;
  } catch (error) {
    if (error instanceof ErrorResponse && !TEMPORARY.includes(error.error ?? "")) return false;
    throw error;
  }
}

/** Forgets the tokens, and signs out at the identity provider if it has an address for that. */
export async function end(): Promise<void> {
  isSignedOut = true;
  manager.stopSilentRenew();
  const canSignOut = await manager.metadataService.getEndSessionEndpoint().catch(() => undefined);
  if (canSignOut) await manager.signoutRedirect();
  await manager.removeUser();
}

/** Forgets the tokens of this tab. */
export async function forgetTokens(): Promise<void> {
  isSignedOut = true;
  manager.stopSilentRenew();
  await manager.removeUser();
}

function keep(user: User): void {
  if (isSignedOut) return;
  const { email, email_verified: isEmailVerified } = user.profile;
  setSession({ kind: "openid", token: user.access_token, email, isEmailVerified });
}
