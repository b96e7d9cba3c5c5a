import { List, Text } from "@mantine/core";

import type { TeamSettingsFragment } from "../../gql/teams/graphql";
import { ORDER_METHODS } from "./orderMethods";

/** The settings of a team for its members, who cannot change them. */
export function TeamSummary({ team }: { team: TeamSettingsFragment }) {
  const { label, text } = ORDER_METHODS[team.orderMethod];
  return (
    <>
      <List spacing="xs">
        <List.Item>
          {label}: {text}
        </List.Item>
        {team.orderMethod !== "TIME" && (
          <List.Item>Minutes until the next offer: {String(team.minsUntilNextAlert)}</List.Item>
        )}
        <List.Item>Members per lead: {team.membersPerLead == null ? "all" : String(team.membersPerLead)}</List.Item>
        {team.keepsContacts && <List.Item>Members are offered new leads of their contacts first.</List.Item>}
        <List.Item className="any-word">ZIP codes: {team.distributionZipcodes?.join(", ") || "none"}</List.Item>
      </List>
      <Text size="sm" c="dimmed" mt="md">
        Only the leader of the team can change these settings.
      </Text>
    </>
  );
}
