const listeners = new Set<() => void>();

/**
 * Calls a function whenever what the page knows of the server may be out of date: after a gap in the connection, and
 * at the end of a session. For what is kept beside the cache.
 */
export function onForget(listener: () => void): void {
  listeners.add(listener);
}

export function forget(): void {
  listeners.forEach((listener) => {
    listener();
  });
}
