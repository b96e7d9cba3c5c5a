import { Stack, Text, Title } from "@mantine/core";

import type { TeamNotesQuery, TeamPartsFragment, WarningPartsFragment } from "../../gql/teams/graphql";
import { InviteForm } from "./InviteForm";
import { peopleOf } from "./people";
import { PersonCard } from "./PersonCard";
import { SortablePeople } from "./SortablePeople";
import { WaitingInvitations } from "./WaitingInvitations";
import { memberWarnings } from "./warnings";

interface MembersPanelProps {
  team: TeamPartsFragment;
  isLeader: boolean;
  warnings: WarningPartsFragment[];
  waiting: NonNullable<NonNullable<TeamNotesQuery["team"]>["waitingInvitations"]>;
}

/** Everybody of a team in the order in which they are offered leads, and those who are invited. */
export function MembersPanel({ team, isLeader, warnings, waiting }: MembersPanelProps) {
  const people = peopleOf(team);
  const offered = people.filter(({ option }) => option);
  const others = people.filter(({ option }) => !option);
  const isSortable = isLeader && team.orderMethod === "RANK";
  const isCut = [team.members, team.distributionOptions].some((page) => page && page.total > page.data.length);
  const card = (person: (typeof people)[number]) => (
    <PersonCard
      key={person.user.id}
      person={person}
      team={team}
      isLeader={isLeader}
      warnings={memberWarnings(warnings, person.user.id)}
    />
  );
  return (
    <Stack gap="xl">
      {isLeader && <InviteForm teamId={team.id} />}
      <WaitingInvitations waiting={waiting} />
      {offered.length > 0 && (
        <section aria-label="Offered leads">
          <Title order={2} size="h3" mb="xs">
            Offered leads
          </Title>
          {isSortable && (
            <Text size="sm" c="dimmed" mb="sm">
              In this order. Drag a member by the handle, or press Space on it and use the arrow keys.
            </Text>
          )}
          <Stack>
            {isSortable ? (
              <SortablePeople
                people={offered}
                render={(person, handle) => (
                  <PersonCard
                    person={person}
                    team={team}
                    isLeader
                    warnings={memberWarnings(warnings, person.user.id)}
                    handle={handle}
                  />
                )}
              />
            ) : (
              offered.map(card)
            )}
          </Stack>
        </section>
      )}
      {others.length > 0 && (
        <section aria-label={isLeader ? "Not offered leads" : "People"}>
          <Title order={2} size="h3" mb="sm">
            {isLeader ? "Not offered leads" : "People"}
          </Title>
          <Stack>{others.map(card)}</Stack>
        </section>
      )}
      {isCut && <Text size="sm">This team is large. Only the first 100 people are shown.</Text>}
    </Stack>
  );
}
