import "../../app/otherStyles.css";

import { skipToken, useQuery } from "@apollo/client/react";
import { Button, Group, Select, Stack, Text } from "@mantine/core";
import { useMemo } from "react";
import { useSearchParams } from "react-router";

import { codeOf } from "../../api/errors";
import { EmptyState } from "../../components/EmptyState";
import { ErrorNotice } from "../../components/ErrorNotice";
import { PageLoading } from "../../components/PageLoading";
import { PageTitle } from "../../components/PageTitle";
import { FiguresDocument, type FiguresFragment } from "../../gql/figures/graphql";
import { formatDay } from "../../time/format";
import { useZone } from "../../time/zone";
import { type FigureRow, FiguresTable } from "./FiguresTable";
import { spanOf, SPANS } from "./spans";
import { leadsWithoutTimes, membersWithoutTimes } from "./withoutTimes";

const LEADS = ["Received", "Offered", "Claimed", "Nobody claimed"];
const IS_ABOUT_THE_TEAM = ["NOT_FOUND", "FORBIDDEN", "BAD_USER_INPUT"];
const MEMBERS = ["Offered", "Claimed", "Declined", "Missed"];

/** Speed to claim over time, by source and by member. The span and the team are kept in the address. */
export function FiguresScreen() {
  const [params, setParams] = useSearchParams();
  const asked = params.get("span");
  const choice = SPANS.some(({ value }) => value === asked) && asked ? asked : "30";
  const team = params.get("team");
  const zone = useZone();
  const span = useMemo(() => (zone ? spanOf(choice, zone) : null), [choice, zone]);
  const { data, error, refetch } = useQuery(
    FiguresDocument,
    span ? { variables: { ...span, team: team ?? "0", withTeam: team !== null } } : skipToken,
  );

  const choose = (name: string, value: string | null) => {
    setParams((current) => {
      if (value) current.set(name, value);
      else current.delete(name);
      return current;
    });
  };
  const teams = data?.teams.data.filter(({ creator }) => creator.id === data.me.id) ?? [];
  const members = (data?.memberFigures ?? []).map(
    ({ user, offers, claims, declines, missed, timeToClaim }): FigureRow => ({
      id: user.id,
      name: `${user.firstName} ${user.lastName}`,
      cells: [offers, claims, declines, missed],
      timeToClaim,
    }),
  );

  return (
    <>
      <PageTitle title="Figures">
        <Select
          aria-label="Span"
          data={SPANS}
          value={choice}
          allowDeselect={false}
          onChange={(value) => {
            choose("span", value);
          }}
        />
      </PageTitle>
      {error && <ErrorNotice error={error} retry={refetch} />}
      {error && team !== null && IS_ABOUT_THE_TEAM.includes(codeOf(error) ?? "") && (
        <Button
          mt="sm"
          variant="default"
          onClick={() => {
            choose("team", null);
          }}
        >
          Show the figures without this team
        </Button>
      )}
      {!data && !error && <PageLoading />}
      {data && (
        <Stack>
          {data.overTime.length === 0 ? (
            <EmptyState title="No leads in this span">
              <Text size="sm">Choose a longer span, or connect a source of leads under Teams.</Text>
            </EmptyState>
          ) : (
            <>
              <FiguresTable
                title="Speed to claim over time"
                nameHeader={span?.by === "WEEK" ? "Week from" : "Day"}
                headers={LEADS}
                rows={data.overTime.map((group) => dayRow(group.day ?? "", group))}
                withoutTimes={leadsWithoutTimes(data.overTime)}
              />
              <FiguresTable
                title="By source"
                nameHeader="Source"
                headers={LEADS}
                rows={data.bySource.map((group) =>
                  leadRow(group.source?.id ?? "none", group.source?.name ?? "No source", group),
                )}
                withoutTimes={leadsWithoutTimes(data.bySource)}
              />
            </>
          )}
          <FiguresTable
            title="By member"
            nameHeader="Member"
            headers={MEMBERS}
            rows={members}
            withoutTimes={membersWithoutTimes(data.memberFigures ?? [])}
          >
            <Group mb="sm">
              <Select
                label="Team"
                placeholder="Choose a team"
                disabled={teams.length === 0}
                data={teams.map(({ id, name }) => ({ value: id, label: name }))}
                value={teams.some(({ id }) => id === team) ? team : null}
                onChange={(value) => {
                  choose("team", value);
                }}
              />
            </Group>
            {members.length === 0 && <Text size="sm">{withoutMembers(teams, team)}</Text>}
          </FiguresTable>
        </Stack>
      )}
    </>
  );
}

function dayRow(day: string, figures: FiguresFragment): FigureRow {
  return { ...leadRow(day, formatDay(day), figures), shortName: formatDay(day, false) };
}

function leadRow(id: string, name: string, figures: FiguresFragment): FigureRow {
  const { received, offered, claimed, exhausted, timeToClaim } = figures;
  return { id, name, cells: [received, offered, claimed, exhausted], timeToClaim };
}

function withoutMembers(teams: { id: string }[], team: string | null): string {
  if (teams.length === 0) return "You lead no team. Create one under Teams to see the figures of its members.";
  if (team === null) return "Choose a team to see the figures of its members.";
  if (!teams.some(({ id }) => id === team))
    return "Only the leader of a team sees its figures. Choose one of your teams.";
  return "No member was offered a lead in this span. Choose a longer span.";
}
