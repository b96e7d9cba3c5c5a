import { useSyncExternalStore } from "react";

const TICK = 1000; // ms

const listeners = new Set<() => void>();
let timer: ReturnType<typeof setInterval> | undefined;
let now = Date.now();

/** The current time in ms since the epoch, rounded down to `step` ms. The component is rendered again at each step. */
export function useNow(step = TICK): number {
  return useSyncExternalStore(subscribe, () => Math.floor(current() / step) * step);
}

/** The time of the last tick. Were it exact, React would often render in one go, as it does if a store changes meanwhile. */
function current(): number {
  if (timer === undefined && Date.now() - now >= TICK) now = Date.now();
  return now;
}

/** All components share one timer, so that they tick together. */
function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  timer ??= setInterval(() => {
    now = Date.now();
    listeners.forEach((tick) => {
      tick();
    });
  }, TICK);
  return () => {
    listeners.delete(listener);
    if (listeners.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  };
}
