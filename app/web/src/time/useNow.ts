import { useSyncExternalStore } from "react";

const listeners = new Set<() => void>();
let timer: ReturnType<typeof setInterval> | undefined;

/** The current time in ms since the epoch, rounded down to `step` ms. The component is rendered again at each step. */
export function useNow(step = 1000): number {
  return useSyncExternalStore(subscribe, () => Math.floor(Date.now() / step) * step);
}

/** All components share one timer, so that they tick together. */
function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  timer ??= setInterval(() => {
    listeners.forEach((tick) => {
      tick();
    });
  }, 1000);
  return () => {
    listeners.delete(listener);
    if (listeners.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  };
}
