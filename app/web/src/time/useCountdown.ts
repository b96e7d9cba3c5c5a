import { useNow } from "./useNow";

/** The ms until a time, ticking each second, never below 0; null without a time. Format it with `formatCountdown`. */
export function useCountdown(until: string | null | undefined): number | null {
  const now = useNow();
  return until ? Math.max(0, new Date(until).getTime() - now) : null;
}
