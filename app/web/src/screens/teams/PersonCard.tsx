import { useMutation } from "@apollo/client/react";
import { Badge, Group, Paper, Stack, Switch, Text, Title } from "@mantine/core";
import { type ReactNode, useState } from "react";

import { ConfirmButton } from "../../components/ConfirmButton";
import { ConfirmDialog } from "../../components/ConfirmDialog";
import {
  CreateOptionDocument,
  RemoveMemberDocument,
  RemoveOptionDocument,
  TeamDocument,
  type TeamPartsFragment,
} from "../../gql/teams/graphql";
import { Moment } from "../../time/Moment";
import { attempt } from "../../api/attempt";
import { OptionFields } from "./OptionFields";
import { nameOf, type Person } from "./people";
import { WarningList } from "./WarningList";

interface PersonCardProps {
  person: Person;
  team: TeamPartsFragment;
  isLeader: boolean;
  warnings: string[];
  /** The handle that moves the person, where the order can be changed. */
  handle?: ReactNode;
}

/** One person of a team: who they are, and how leads are offered to them. */
export function PersonCard({ person, team, isLeader, warnings, handle }: PersonCardProps) {
  const { user, member, option } = person;
  const name = nameOf(user);
  return (
    <Paper component="article" withBorder p="md" aria-label={name}>
      <Stack gap="sm">
        <Group gap="sm" wrap="nowrap" align="flex-start">
          {handle}
          <div style={{ flex: 1, minWidth: 0 }}>
            <Group gap="xs">
              <Title order={3} size="h5" className="any-word">
                {name}
              </Title>
              <PersonBadges person={person} />
            </Group>
            {user.email && (
              <Text size="sm" c="dimmed" className="any-word">
                {user.email}
              </Text>
            )}
          </div>
          {isLeader && member && <RemoveMember id={member.id} name={name} />}
        </Group>
        {isLeader && <OfferSwitch person={person} teamId={team.id} />}
        {isLeader && option && <OptionFields option={option} orderMethod={team.orderMethod} name={name} />}
        {!isLeader && option && <OptionText option={option} />}
        <WarningList texts={warnings} />
      </Stack>
    </Paper>
  );
}

function PersonBadges({ person: { isCreator, member } }: { person: Person }) {
  const badges: [string, string, ReactNode?][] = [];
  if (isCreator) badges.push(["Leader", "teal"]);
  else if (!member) badges.push(["Not a member", "orange"]);
  if (member?.requestStatus === "ACCEPTED") badges.push(["Member", "teal"]);
  if (member?.requestStatus === "PENDING") badges.push(["Invited", "blue"]);
  if (member?.requestStatus === "DECLINED") badges.push(["Declined", "gray"]);
  if (member?.isActive === false) badges.push(["Account inactive", "red"]);
  if (member?.awayUntil) badges.push(["Away until ", "orange", <Moment key="time" time={member.awayUntil} />]);
  return badges.map(([label, color, rest]) => (
    <Badge key={label} color={color} variant="light" tt="none">
      {label}
      {rest}
    </Badge>
  ));
}

function OptionText({ option }: { option: NonNullable<Person["option"]> }) {
  const alerts = [
    option.hasEmailAlert && "e-mail",
    option.hasTextAlert && "text message",
    option.hasCallAlert && "phone call",
  ].filter(Boolean);
  return (
    <Text size="sm">
      Is offered leads{alerts.length > 0 ? `, with alerts by ${alerts.join(", ")}` : ", without alerts"}.
      {option.maxLeadsPerDay != null && ` At most ${String(option.maxLeadsPerDay)} a day.`}
    </Text>
  );
}

/** Whether the person is offered leads at all. Switching it off is asked for, since the values are lost. */
function OfferSwitch({ person: { user, option }, teamId }: { person: Person; teamId: string }) {
  const refetch = { refetchQueries: [TeamDocument], awaitRefetchQueries: true };
  const [createOption, created] = useMutation(CreateOptionDocument, refetch);
  const [removeOption, removed] = useMutation(RemoveOptionDocument, refetch);
  const [isAsking, setAsking] = useState(false);
  const name = nameOf(user);
  const toggle = () => {
    if (option) setAsking(true);
    else void attempt(createOption({ variables: { input: { teamId, userId: user.id } } }));
  };
  return (
    <>
      <Switch
        label="Is offered leads"
        aria-label={`Is offered leads: ${name}`}
        checked={option !== null}
        disabled={created.loading || removed.loading}
        onChange={toggle}
      />
      <ConfirmDialog
        opened={isAsking}
        title={`Offer ${name} no more leads?`}
        text="Their place in the order and their alerts in this team are removed. Offers that exist stay as they are."
        confirm="Offer no more leads"
        onConfirm={() => {
          if (option) void attempt(removeOption({ variables: { id: option.id } }));
        }}
        onClose={() => {
          setAsking(false);
        }}
      />
    </>
  );
}

function RemoveMember({ id, name }: { id: string; name: string }) {
  const [removeMember] = useMutation(RemoveMemberDocument, {
    refetchQueries: [TeamDocument],
  });
  return (
    <ConfirmButton
      size="xs"
      aria-label={`Remove from the team: ${name}`}
      title={`Remove ${name} from the team?`}
      text="Their open offers of this team end. Leads that they hold stay theirs."
      confirm="Remove"
      onConfirm={() => void attempt(removeMember({ variables: { id } }))}
    >
      Remove
    </ConfirmButton>
  );
}
