import { Navigate, Outlet, useLocation } from "react-router";

import { useSession } from "./session";

/** Shows its children to somebody who is signed in, and the sign-in to everybody else. */
export function RequireSession() {
  const session = useSession();
  const { pathname, search } = useLocation();
  if (session) return <Outlet />;
  const isDefault = pathname === "/inbox" && search === "";
  return <Navigate replace to={isDefault ? "/sign-in" : `/sign-in?then=${encodeURIComponent(pathname + search)}`} />;
}
