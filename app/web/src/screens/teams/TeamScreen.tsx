import "../../app/otherStyles.css";

import { useApolloClient, useQuery } from "@apollo/client/react";
import { Anchor, Tabs, Text } from "@mantine/core";
import { Link, useParams, useSearchParams } from "react-router";

import { EmptyState } from "../../components/EmptyState";
import { ErrorNotice } from "../../components/ErrorNotice";
import { PageLoading } from "../../components/PageLoading";
import { PageTitle } from "../../components/PageTitle";
import { useViewer } from "../../app/Viewer";
import { TeamDocument, TeamNotesDocument, type TeamQuery } from "../../gql/teams/graphql";
import { DeleteTeam } from "./DeleteTeam";
import { LeaveTeam } from "./LeaveTeam";
import { MembersPanel } from "./MembersPanel";
import { SettingsForm } from "./SettingsForm";
import { TeamSummary } from "./TeamSummary";
import { useFresh } from "./useFresh";
import { settingsWarnings, zipcodeWarnings } from "./warnings";
import { WarningList } from "./WarningList";
import { ZipcodesForm } from "./ZipcodesForm";

/** A team: its people and how it offers leads to them. Only its leader has controls. */
export function TeamScreen() {
  const { teamId = "" } = useParams();
  const viewer = useViewer();
  const { data, error, refetch } = useQuery(TeamDocument, { variables: { id: teamId } });
  const client = useApolloClient();
  useFresh(`team ${teamId}`, () =>
    client.query({ query: TeamDocument, variables: { id: teamId }, fetchPolicy: "network-only" }),
  );
  const me = viewer.data?.me.id;
  return (
    <>
      <Anchor component={Link} to="/teams" size="sm" underline="always">
        All teams
      </Anchor>
      <PageTitle title={data?.team?.name ?? "Team"} />
      {error && <ErrorNotice error={error} retry={refetch} />}
      {!data && !error && <PageLoading />}
      {data && !data.team && (
        <EmptyState title="There is no such team">
          <Text size="sm">It may have been deleted, or you are not a member. Go back to all teams.</Text>
        </EmptyState>
      )}
      {data?.team && me && <TeamPanels key={teamId} team={data.team} teams={data.teams.data} me={me} />}
    </>
  );
}

interface TeamPanelsProps {
  team: NonNullable<TeamQuery["team"]>;
  teams: TeamQuery["teams"]["data"];
  me: string;
}

function TeamPanels({ team, teams, me }: TeamPanelsProps) {
  const [search, setSearch] = useSearchParams();
  const isLeader = team.creator.id === me;
  // All of it came with the team: this query is answered by the cache, and repeated after changes of members and options.
  const { data: notes } = useQuery(TeamNotesDocument, { variables: { id: team.id }, skip: !isLeader });
  const warnings = notes?.team?.warnings ?? [];
  const own = teams.filter(({ id, creator }) => creator.id === me && id !== team.id);
  return (
    <Tabs
      value={search.get("tab") === "settings" ? "settings" : "members"}
      onChange={(value) => {
        setSearch(value === "settings" ? { tab: "settings" } : {}, { replace: true });
      }}
    >
      <Tabs.List mb="md">
        <Tabs.Tab value="members">Members</Tabs.Tab>
        <Tabs.Tab value="settings">Settings</Tabs.Tab>
      </Tabs.List>
      <Tabs.Panel value="members">
        <MembersPanel
          team={team}
          isLeader={isLeader}
          warnings={warnings}
          waiting={notes?.team?.waitingInvitations ?? []}
        />
        {!isLeader && <LeaveTeam team={team} me={me} />}
      </Tabs.Panel>
      <Tabs.Panel value="settings">
        {isLeader ? (
          <>
            <WarningList texts={settingsWarnings(warnings)} />
            <SettingsForm team={team} teams={own} />
            <ZipcodesForm team={team} warnings={zipcodeWarnings(warnings)} />
            <DeleteTeam team={team} />
          </>
        ) : (
          <TeamSummary team={team} />
        )}
      </Tabs.Panel>
    </Tabs>
  );
}
