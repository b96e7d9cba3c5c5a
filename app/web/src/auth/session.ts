import { useSyncExternalStore } from "react";

/** Who is signed in, and how they did. Kept for this tab in session storage, never in local storage. */
export interface Session {
  kind: "demo" | "openid" | "token";
  token: string;
}

const KEY = "session";
const listeners = new Set<() => void>();
const endListeners = new Set<() => void>();
let session = read();
let refused = false;

/** Whether the last session ended because the server refused its token. */
export function wasRefused(): boolean {
  return refused;
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

/** Calls a function when a session ends: signed out here or in another tab, or refused by the server. */
export function onSessionEnd(listener: () => void): void {
  endListeners.add(listener);
}

/** Signs in, replaces the token by a renewed one, or signs out (null). */
export function setSession(next: Session | null): void {
  session = next;
  refused = false;
  if (next) sessionStorage.setItem(KEY, JSON.stringify(next));
  else sessionStorage.removeItem(KEY);
  (next ? [...listeners] : [...listeners, ...endListeners]).forEach((listener) => {
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
  setSession(null);
  refused = true;
  return false;
}

function read(): Session | null {
  try {
    return JSON.parse(sessionStorage.getItem(KEY) ?? "null") as Session | null;
  } catch {
    return null;
  }
}
