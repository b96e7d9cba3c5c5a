import { useQuery } from "@apollo/client/react";
import type { ReactNode } from "react";

import { ViewerDocument } from "../gql/app/graphql";
import { DEVICE_ZONE, knownZone, Zone } from "./zone";

/** Gives its children the viewer's time zone. If it cannot be read, it is the zone of this device. */
export function ViewerZone({ children }: { children: ReactNode }) {
  const { data, error } = useQuery(ViewerDocument);
  const zone = data?.me.timezone ?? (error ? DEVICE_ZONE : null);
  return <Zone value={zone && knownZone(zone)}>{children}</Zone>;
}
