import { useQuery } from "@apollo/client/react";
import { createContext, type ReactNode, useContext } from "react";

import { ViewerDocument } from "../gql/app/graphql";
import { DEVICE_ZONE, knownZone, Zone } from "../time/zone";

const Viewer = createContext<ReturnType<typeof useViewerQuery> | null>(null);

/** Gives its children the viewer, and the viewer's time zone. If it cannot be read, it is the zone of this device. */
export function ViewerProvider({ children }: { children: ReactNode }) {
  const viewer = useViewerQuery();
  const zone = viewer.data?.me.timezone ?? (viewer.error ? DEVICE_ZONE : null);
  return (
    <Viewer value={viewer}>
      <Zone value={zone && knownZone(zone)}>{children}</Zone>
    </Viewer>
  );
}

/** The person who is signed in, as the result of a query, which all components share. */
export function useViewer() {
  const viewer = useContext(Viewer);
  if (!viewer) throw new Error("There is no ViewerProvider.");
  return viewer;
}

function useViewerQuery() {
  return useQuery(ViewerDocument);
}
