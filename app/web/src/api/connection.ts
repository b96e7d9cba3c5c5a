import { useSyncExternalStore } from "react";

/** How long to wait, in ms, before a banner: a new token or a short restart is no reason to alarm anybody. */
export const BANNER_AFTER = 1_000;

/**
 * `reconnecting` means that the device has a network, but the live connection was lost and is being made again, or
 * that what was missed meanwhile is still being asked for.
 */
export type Connection = "online" | "offline" | "reconnecting";

const listeners = new Set<() => void>();
let isLost = false;
let isBehind = false;

export function setLiveConnectionLost(lost: boolean): void {
  isLost = lost;
  notify();
}

export function setBehind(behind: boolean): void {
  isBehind = behind;
  notify();
}

export function useConnection(): Connection {
  return useSyncExternalStore(subscribe, current);
}

function current(): Connection {
  if (!navigator.onLine) return "offline";
  return isLost || isBehind ? "reconnecting" : "online";
}

function notify(): void {
  listeners.forEach((listener) => {
    listener();
  });
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  window.addEventListener("online", listener);
  window.addEventListener("offline", listener);
  return () => {
    listeners.delete(listener);
    window.removeEventListener("online", listener);
    window.removeEventListener("offline", listener);
  };
}
