import { Anchor, Badge, Group, Paper, SimpleGrid, Text, Title } from "@mantine/core";
import { Link } from "react-router";

import { EmptyState } from "../../components/EmptyState";
import type { TeamsQuery } from "../../gql/teams/graphql";
import { ORDER_METHODS } from "./orderMethods";
import { nameOf } from "./people";

/** The teams that the viewer created or is a member of. */
export function TeamList({ teams, me }: { teams: TeamsQuery["teams"]["data"]; me: string }) {
  if (teams.length === 0) {
    return (
      <EmptyState title="You have no teams">
        <Text size="sm">Create a team and invite the people to whom leads are offered.</Text>
      </EmptyState>
    );
  }
  return (
    <SimpleGrid cols={{ base: 1, md: 2, xl: 3 }} spacing="md">
      {teams.map((team) => (
        <Paper key={team.id} component="article" withBorder p="md" aria-label={team.name}>
          <Group justify="space-between" wrap="nowrap" align="flex-start">
            <Title order={2} size="h4" className="any-word">
              <Anchor component={Link} to={`/teams/${team.id}`} inherit>
                {team.name}
              </Anchor>
            </Title>
            <Badge variant="light" color={team.creator.id === me ? "teal" : "gray"} style={{ flexShrink: 0 }} tt="none">
              {team.creator.id === me ? "Leader" : "Member"}
            </Badge>
          </Group>
          <Text size="sm" c="dimmed" mt="xs" className="any-word">
            {ORDER_METHODS[team.orderMethod].label}
            {team.creator.id !== me && ` · led by ${nameOf(team.creator)}`}
          </Text>
        </Paper>
      ))}
    </SimpleGrid>
  );
}
