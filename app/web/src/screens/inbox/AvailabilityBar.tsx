import { useMutation } from "@apollo/client/react";
import { Anchor, Button, Group, Menu, Paper, Text } from "@mantine/core";
import { Link } from "react-router";

import { attempt } from "../../api/attempt";
import { ComeBackDocument, GoAwayDocument, type InboxQuery } from "../../gql/graphql";
import { formatMoment } from "../../time/format";

const HOUR = 3_600_000; // ms

const ABSENCES = [
  { label: "For an hour", until: () => new Date(Date.now() + HOUR) },
  { label: "Until tomorrow morning", until: () => morning(1) },
  { label: "For a week", until: () => morning(7) },
];

/** Whether the viewer gets new offers, and the switch between being here and away. */
export function AvailabilityBar({ me }: { me: InboxQuery["me"] }) {
  const [goAway] = useMutation(GoAwayDocument);
  const [comeBack] = useMutation(ComeBackDocument);
  const { awayUntil, quietHours } = me;
  return (
    <Paper withBorder p="sm" mb="lg" component="section" aria-label="My availability">
      <Group justify="space-between">
        <Text size="sm" role="status">
          {awayUntil
            ? `You are away until ${formatMoment(awayUntil)}, and get no new offers. `
            : "You get new offers. "}
          {quietHours && `Quiet from ${quietHours.start} to ${quietHours.end}. `}
          <Anchor component={Link} to="/settings" underline="always" size="sm">
            Change
          </Anchor>
        </Text>
        {awayUntil ? (
          <Button variant="default" size="sm" onClick={() => void attempt(comeBack())}>
            I am back
          </Button>
        ) : (
          <Menu position="bottom-end">
            <Menu.Target>
              <Button variant="default" size="sm">
                I am away
              </Button>
            </Menu.Target>
            <Menu.Dropdown>
              {ABSENCES.map(({ label, until }) => (
                <Menu.Item
                  key={label}
                  onClick={() => void attempt(goAway({ variables: { until: until().toISOString() } }))}
                >
                  {label}
                </Menu.Item>
              ))}
            </Menu.Dropdown>
          </Menu>
        )}
      </Group>
    </Paper>
  );
}

/** Eight in the morning on this device, some days from now. */
function morning(days: number): Date {
  const date = new Date();
  date.setDate(date.getDate() + days);
  date.setHours(8, 0, 0, 0);
  return date;
}
