export const LONGEST_WAIT = 10_000; // ms

/** How long to wait after a number of failures, in ms: up to about 10 seconds, and not the same time in all browsers. */
export function backoff(failures: number): number {
  return Math.min(500 * 2 ** failures, LONGEST_WAIT) * (0.75 + Math.random() / 2);
}

/** Waits for a number of ms, or until the device has a network again. */
export function waitOrOnline(milliseconds: number): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      window.removeEventListener("online", end);
      resolve();
    };
    const timer = setTimeout(end, milliseconds);
    window.addEventListener("online", end);
  });
}
