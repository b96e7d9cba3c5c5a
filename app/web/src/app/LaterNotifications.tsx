import { Notifications } from "@mantine/notifications";
import { useDeferredValue } from "react";

/** The places of notifications. There are none yet: they are rendered after the screen. */
export function LaterNotifications() {
  const isLater = useDeferredValue(true, false);
  return isLater && <Notifications position="top-center" />;
}
