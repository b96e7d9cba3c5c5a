import { useEffect, useEffectEvent } from "react";

const STALE = 30_000; // milliseconds
const ONE_RETURN = 1_000; // in which a browser reports both the focus and the visibility

/** When each screen was last asked for. */
const askedAt = new Map<string, number>();

/**
 * Asks again for a screen whose changes no subscription reports: when somebody comes back to the tab, and when they
 * come to the screen 30 seconds or more after it was asked for. If that fails, the screen stays as it is.
 */
export function useFresh(screen: string, ask: () => Promise<unknown>): void {
  const askAfter = useEffectEvent((age: number) => {
    const last = askedAt.get(screen);
    if (document.hidden || (last !== undefined && Date.now() - last < age)) return;
    askedAt.set(screen, Date.now());
    if (last !== undefined) void ask().catch(() => undefined); // the first time, the screen asks itself
  });

  useEffect(() => {
    askAfter(STALE);
    const comeBack = () => {
      askAfter(ONE_RETURN);
    };
    window.addEventListener("focus", comeBack);
    document.addEventListener("visibilitychange", comeBack);
    return () => {
      window.removeEventListener("focus", comeBack);
      document.removeEventListener("visibilitychange", comeBack);
    };
  }, [screen]);
}
