import { Container } from "@mantine/core";
import { createBrowserRouter, Navigate } from "react-router";

import { RequireSession } from "../auth/RequireSession";
import { NoSuchPage } from "./NoSuchPage";
import { RouteError } from "./RouteError";
import { Shell } from "./Shell";
import { PageLoading } from "../components/PageLoading";
import { InboxScreen } from "../screens/inbox/InboxScreen";

/**
 * The addresses of the application. The server serves the page at each of them: see app/http/web_app.py. The inbox comes
 * with the first load; the other screens are loaded when somebody opens them.
 */
export const router = createBrowserRouter([
  {
    errorElement: <RouteError />,
    hydrateFallbackElement: (
      <>
        <header className="before-scripts">Lead Offers</header>
        <Container py="md">
          <PageLoading />
        </Container>
      </>
    ),
    children: [
      { index: true, element: <Navigate replace to="/inbox" /> },
      { path: "*", element: <NoSuchPage /> },
      {
        path: "sign-in",
        lazy: async () => ({ Component: (await import("../screens/signIn/SignInScreen")).SignInScreen }),
      },
      {
        path: "signed-in",
        lazy: async () => ({ Component: (await import("../screens/signIn/SignedInScreen")).SignedInScreen }),
      },
      {
        element: <RequireSession />,
        children: [
          {
            element: <Shell />,
            children: [
              {
                errorElement: <RouteError />,
                children: [
                  { path: "inbox", element: <InboxScreen /> },
                  {
                    path: "board",
                    lazy: async () => ({ Component: (await import("../screens/board/BoardScreen")).BoardScreen }),
                  },
                  {
                    path: "board/:leadId",
                    lazy: async () => ({ Component: (await import("../screens/lead/LeadScreen")).LeadScreen }),
                  },
                  {
                    path: "teams",
                    lazy: async () => ({ Component: (await import("../screens/teams/TeamsScreen")).TeamsScreen }),
                  },
                  {
                    path: "teams/:teamId",
                    lazy: async () => ({ Component: (await import("../screens/teams/TeamScreen")).TeamScreen }),
                  },
                  {
                    path: "figures",
                    lazy: async () => ({ Component: (await import("../screens/figures/FiguresScreen")).FiguresScreen }),
                  },
                  {
                    path: "settings",
                    lazy: async () => ({
                      Component: (await import("../screens/settings/SettingsScreen")).SettingsScreen,
                    }),
                  },
                ],
              },
            ],
          },
        ],
      },
    ],
  },
]);
