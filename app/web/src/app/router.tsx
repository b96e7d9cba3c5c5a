import { Container } from "@mantine/core";
import { lazy } from "react";
import { BrowserRouter, Navigate, type RouteObject, useRoutes } from "react-router";

import { RequireSession } from "../auth/RequireSession";
import { PageLoading } from "../components/PageLoading";
import { InboxScreen } from "../screens/inbox/InboxScreen";
import { SignedInScreen } from "../screens/signIn/SignedInScreen";
import { Shell } from "./frame";
import { NoSuchPage } from "./NoSuchPage";
import { ScreenBoundary } from "./ScreenBoundary";

const BoardScreen = lazy(async () => ({ default: (await import("../screens/board/BoardScreen")).BoardScreen }));
const FiguresScreen = lazy(async () => ({ default: (await import("../screens/figures/FiguresScreen")).FiguresScreen }));
const LeadScreen = lazy(async () => ({ default: (await import("../screens/lead/LeadScreen")).LeadScreen }));
const SettingsScreen = lazy(async () => ({
  default: (await import("../screens/settings/SettingsScreen")).SettingsScreen,
}));
const SignInScreen = lazy(async () => ({ default: (await import("../screens/signIn/SignInScreen")).SignInScreen }));
const TeamScreen = lazy(async () => ({ default: (await import("../screens/teams/TeamScreen")).TeamScreen }));
const TeamsScreen = lazy(async () => ({ default: (await import("../screens/teams/TeamsScreen")).TeamsScreen }));

/**
 * The addresses of the application. The server serves the page at each of them: see app/http/web_app.py. The inbox comes
 * with the first load; the other screens are loaded when somebody opens them.
 */
const ROUTES: RouteObject[] = [
  { index: true, element: <Navigate replace to="/inbox" /> },
  { path: "*", element: <NoSuchPage /> },
  { path: "sign-in", element: <SignInScreen /> },
  { path: "signed-in", element: <SignedInScreen /> },
  {
    element: <RequireSession />,
    children: [
      {
        element: <Shell />,
        children: [
          { path: "inbox", element: <InboxScreen /> },
          { path: "board", element: <BoardScreen /> },
          { path: "board/:leadId", element: <LeadScreen /> },
          { path: "teams", element: <TeamsScreen /> },
          { path: "teams/:teamId", element: <TeamScreen /> },
          { path: "figures", element: <FiguresScreen /> },
          { path: "settings", element: <SettingsScreen /> },
        ],
      },
    ],
  },
];

const LOADING = (
  <>
    <header className="before-scripts">Lead Offers</header>
    <Container py="md">
      <PageLoading />
    </Container>
  </>
);

export function Router() {
  return (
    <BrowserRouter>
      <ScreenBoundary loading={LOADING}>
        <Routes />
      </ScreenBoundary>
    </BrowserRouter>
  );
}

function Routes() {
  return useRoutes(ROUTES);
}
