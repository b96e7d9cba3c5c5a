import { AppShell, Box, Group, NavLink as MantineNavLink, Text, UnstyledButton } from "@mantine/core";
import {
  IconChartBar,
  IconChevronDown,
  IconInbox,
  IconLayoutKanban,
  IconLogout,
  IconSettings,
  IconUsersGroup,
} from "@tabler/icons-react";
import { NavLink, Outlet, useLocation } from "react-router";
import { useDeferredValue, useEffect, useRef } from "react";

import { signOut } from "../auth/signOut";
import { DropdownMenu } from "../components/DropdownMenu";
import { PageLoading } from "../components/PageLoading";
import { BoardUpdates } from "../screens/board/BoardUpdates";
import { InboxUpdates } from "../screens/inbox/InboxUpdates";
import { ColorSchemeToggle } from "./ColorSchemeToggle";
import { ConnectionBanner } from "./ConnectionBanner";
import { ScreenBoundary } from "./ScreenBoundary";
import { useViewer, ViewerProvider } from "./Viewer";

const SCREENS = [
  { to: "/inbox", label: "Inbox", icon: IconInbox },
  { to: "/board", label: "Board", icon: IconLayoutKanban },
  { to: "/teams", label: "Teams", icon: IconUsersGroup },
  { to: "/figures", label: "Figures", icon: IconChartBar },
  { to: "/settings", label: "Settings", icon: IconSettings },
];

/** The frame of every screen: a side bar on wide screens, and a bar at the bottom on phones. */
export function Shell() {
  const main = useFocusOnNavigation();
  return (
    <ViewerProvider>
      <Updates />
      <a className="skip-link" href="#main">
        Skip to the content
      </a>
      <AppShell
        header={{ height: 56 }}
        navbar={{ width: 220, breakpoint: "sm", collapsed: { mobile: true } }}
        footer={{ height: { base: 60, sm: 0 } }}
        padding={{ base: "sm", sm: "lg" }}
        transitionDuration={0}
      >
        <AppShell.Header>
          <Group h="100%" px="md" justify="space-between" wrap="nowrap">
            <Text fw={700} style={{ whiteSpace: "nowrap" }}>
              Lead Offers
            </Text>
            <Group gap="xs" wrap="nowrap" miw={0}>
              <ColorSchemeToggle />
              <AccountMenu />
            </Group>
          </Group>
        </AppShell.Header>
        <AppShell.Navbar p="sm" aria-label="Screens" visibleFrom="sm">
          {SCREENS.map(({ to, label, icon: Icon }) => (
            <MantineNavLink
              key={to}
              component={NavLink}
              to={to}
              label={label}
              leftSection={<Icon size={20} aria-hidden />}
            />
          ))}
        </AppShell.Navbar>
        <AppShell.Main id="main" tabIndex={-1} ref={main}>
          <Box maw="80rem" mx="auto">
            <ConnectionBanner />
            <ScreenBoundary loading={<PageLoading />}>
              <Outlet />
            </ScreenBoundary>
          </Box>
        </AppShell.Main>
        <AppShell.Footer hiddenFrom="sm">
          <nav className="bottom-bar" aria-label="Screens">
            {SCREENS.map(({ to, label, icon: Icon }) => (
              <NavLink key={to} to={to}>
                <Icon size={22} aria-hidden />
                {label}
              </NavLink>
            ))}
          </nav>
        </AppShell.Footer>
      </AppShell>
    </ViewerProvider>
  );
}

/** Opens the live connection when the viewer is known, and after what is on the screen is rendered. */
function Updates() {
  const { data } = useViewer();
  const viewerId = useDeferredValue(data?.me.id, undefined);
  if (!viewerId) return null;
  return (
    <>
      <InboxUpdates viewerId={viewerId} />
      <BoardUpdates viewerId={viewerId} />
    </>
  );
}

function AccountMenu() {
  const { data } = useViewer();
  const name = data ? `${data.me.firstName} ${data.me.lastName}` : "Account";
  return (
    <DropdownMenu
      width={220}
      button={
        <UnstyledButton miw={0} py={6}>
          <Group gap={4} wrap="nowrap">
            <Text size="sm" maw={160} miw={0} truncate>
              {name}
            </Text>
            <IconChevronDown size={16} aria-hidden />
          </Group>
        </UnstyledButton>
      }
      items={[{ label: "Sign out", icon: <IconLogout size={16} aria-hidden />, onClick: () => void signOut() }]}
    >
      <Box px="sm" py={4} className="any-word">
        <Text size="sm">{name}</Text>
        {data?.me.email && <Text size="xs">{data.me.email}</Text>}
      </Box>
    </DropdownMenu>
  );
}

/** Moves the focus to the content after a change of the screen, so that screen readers announce it. */
function useFocusOnNavigation() {
  const main = useRef<HTMLElement>(null);
  const previous = useRef<string | undefined>(undefined);
  const { pathname } = useLocation();
  useEffect(() => {
    if (previous.current !== undefined && previous.current !== pathname) main.current?.focus({ preventScroll: true });
    previous.current = pathname;
  }, [pathname]);
  return main;
}
