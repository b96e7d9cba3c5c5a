import "../../app/otherStyles.css";

import { useApolloClient, useQuery } from "@apollo/client/react";
import { Tabs } from "@mantine/core";
import { useSearchParams } from "react-router";

import { ErrorNotice } from "../../components/ErrorNotice";
import { PageLoading } from "../../components/PageLoading";
import { PageTitle } from "../../components/PageTitle";
import { useViewer } from "../../app/Viewer";
import { TeamsDocument } from "../../gql/teams/graphql";
import { CreateTeam } from "./CreateTeam";
import { Invitations } from "./Invitations";
import { RoutesPanel } from "./RoutesPanel";
import { TeamList } from "./TeamList";
import { useFresh } from "./useFresh";

/** The viewer's teams and invitations, and where the leads of their sources go. */
export function TeamsScreen() {
  const [search, setSearch] = useSearchParams();
  const viewer = useViewer();
  const { data, error, refetch } = useQuery(TeamsDocument);
  const client = useApolloClient();
  useFresh("teams", () => client.query({ query: TeamsDocument, fetchPolicy: "network-only" }));
  const me = viewer.data?.me.id;
  const tab = search.get("tab") === "routes" ? "routes" : "teams";
  return (
    <>
      <PageTitle title="Teams">
        <CreateTeam />
      </PageTitle>
      {error && <ErrorNotice error={error} retry={refetch} />}
      {!data && !error && <PageLoading />}
      {data && me && (
        <>
          <Invitations invitations={data.invitations.data} />
          <Tabs
            value={tab}
            onChange={(value) => {
              setSearch(value === "routes" ? { tab: "routes" } : {}, { replace: true });
            }}
          >
            <Tabs.List mb="md">
              <Tabs.Tab value="teams">My teams</Tabs.Tab>
              <Tabs.Tab value="routes">Sources and routes</Tabs.Tab>
            </Tabs.List>
            <Tabs.Panel value="teams">
              <TeamList teams={data.teams.data} me={me} />
            </Tabs.Panel>
            <Tabs.Panel value="routes">
              {tab === "routes" && <RoutesPanel teams={data.teams.data.filter(({ creator }) => creator.id === me)} />}
            </Tabs.Panel>
          </Tabs>
        </>
      )}
    </>
  );
}
