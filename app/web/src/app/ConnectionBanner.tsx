import { Alert } from "@mantine/core";
import { IconWifiOff } from "@tabler/icons-react";

import { useConnection } from "../api/connection";

/** Says that the screen may be out of date while the device is offline or the live connection is lost. */
export function ConnectionBanner() {
  const state = useConnection();
  return (
    <div role="status" className={state === "online" ? "" : "connection-banner"}>
      {state !== "online" && (
        <Alert mb="md" color="yellow" icon={<IconWifiOff aria-hidden />} variant="light">
          {state === "offline"
            ? "You are offline. What you see may be out of date."
            : "The connection to the server is lost. Trying to connect again…"}
        </Alert>
      )}
    </div>
  );
}
