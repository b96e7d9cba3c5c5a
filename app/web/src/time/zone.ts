import { createContext, useContext } from "react";

/** The time zone of this device. */
export const DEVICE_ZONE = new Intl.DateTimeFormat().resolvedOptions().timeZone;

/** The viewer's time zone; null until it is known. The shell provides it. */
export const Zone = createContext<string | null>(null);

/** The viewer's time zone, in which all times on the screens are; null until it is known. */
export function useZone(): string | null {
  return useContext(Zone);
}

/** The zone, or UTC if this browser does not know it, such as one that is newer than the browser. */
export function knownZone(zone: string): string {
  try {
    new Intl.DateTimeFormat(undefined, { timeZone: zone });
    return zone;
  } catch {
    return "UTC";
  }
}
