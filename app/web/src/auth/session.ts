import { useSyncExternalStore } from "react";

/** Who is signed in, and how they did. Kept for this tab in session storage, never in local storage. */
export interface Session {
  kind: "demo" | "openid" | "token";
  token: string;
  /** What the identity provider says of the person, if it does. */
  email?: string | undefined;
  isEmailVerified?: boolean | undefined;
}

const KEY = "session";
const listeners = new Set<() => void>();
let session = read();
let wasAccepted = false;
let refused: Refusal | null = null;

/** A session that ended because the server refused its token. */
export interface Refusal {
  session: Session;
  /** Whether the server had accepted a token of the session before in this tab. If not, it does not know the person. */
  wasAccepted: boolean;
}

/** How the last session ended; null if it was not by a refusal. */
export function refusal(): Refusal | null {
  return refused;
}

/** Notes that the server has accepted the token of the session. */
export function noteAccepted(): void {
  wasAccepted = true;
}

export function useSession(): Session | null {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => session,
  );
}

/** Signs in, replaces the token by a renewed one, or signs out (null). */
export function setSession(next: Session | null): void {
  if (next?.kind !== session?.kind) wasAccepted = false;
  session = next;
  refused = null;
  if (next) sessionStorage.setItem(KEY, JSON.stringify(next));
  else sessionStorage.removeItem(KEY);
  listeners.forEach((listener) => {
    listener();
  });
}

/** The access token for the next request. Renews it first if the identity provider's has expired. */
export async function currentToken(): Promise<string | null> {
  if (session?.kind === "openid") {
    const { freshToken } = await import("./openid");
    await freshToken();
  }
  return session?.token ?? null;
}

/**
 * Replaces a token that the server has refused. Ends the session, and returns false, if that is not possible.
 * Rejects if the identity provider cannot be reached.
 */
export async function renewToken(old: string | null): Promise<boolean> {
  if (session && session.token !== old) return true;
  if (session?.kind === "openid") {
    const { renew } = await import("./openid");
    if (await renew()) return true;
  }
  const ended = session && { session, wasAccepted };
  setSession(null);
  refused = ended;
  return false;
}

function read(): Session | null {
  try {
    return JSON.parse(sessionStorage.getItem(KEY) ?? "null") as Session | null;
  } catch {
    return null;
  }
}
