import { useSyncExternalStore } from "react";

/** Who is signed in, and how they did. Kept for this tab in session storage, never in local storage. */
export interface Session {
  kind: "demo" | "openid" | "token";
  token: string;
  /** What the identity provider says of the person, if it does. */
  email?: string | undefined;
  isEmailVerified?: boolean | undefined;
  /** Whether the server has accepted a token of the session. If it never does, it does not know the person. */
  wasAccepted?: boolean;
}

const KEY = "session";
const listeners = new Set<() => void>();
const endListeners = new Set<() => void>();
let session = read();
let refused: Session | null = null;

/** The last session, if it ended because the server refused its token. */
export function refusedSession(): Session | null {
  return refused;
}

/** Notes that the server has accepted the token of the session. */
export function noteAccepted(): void {
  if (!session || session.wasAccepted) return;
  session = { ...session, wasAccepted: true };
  store();
}

export function currentSession(): Session | null {
  return session;
}

export function useSession(): Session | null {
  return useSyncExternalStore((listener) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  }, currentSession);
}

/** Calls a function when a session ends: signed out here or in another tab, or refused by the server. */
export function onSessionEnd(listener: () => void): void {
  endListeners.add(listener);
}

/** Signs in, replaces the token by a renewed one, or signs out (null). */
export function setSession(next: Session | null): void {
  session = next && session ? { ...next, wasAccepted: session.wasAccepted ?? false } : next;
  refused = null;
  store();
}

function store(): void {
  if (session) sessionStorage.setItem(KEY, JSON.stringify(session));
  else sessionStorage.removeItem(KEY);
  (session ? [...listeners] : [...listeners, ...endListeners]).forEach((listener) => {
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
 * Replaces a token that the server has refused. Ends the session, and returns false, if that is not possible, or if the
 * server has never accepted one: it does not know the person. Rejects if the identity provider cannot be reached.
 */
export async function renewToken(old: string | null): Promise<boolean> {
  if (session?.kind === "openid" && session.token === old && session.wasAccepted) {
    const { renew } = await import("./openid");
    if (await renew()) return true;
  }
  endSession(old);
  return session !== null;
}

/** Ends the session whose token the server has refused, unless it has another token by now. */
export function endSession(token: string | null): void {
  if (session?.token !== token) return;
  const ended = session;
  setSession(null);
  refused = ended;
}

function read(): Session | null {
  try {
    return JSON.parse(sessionStorage.getItem(KEY) ?? "null") as Session | null;
  } catch {
    return null;
  }
}
