import { useMutation } from "@apollo/client/react";
import { Anchor, Button, Group, Paper, Text } from "@mantine/core";
import { Link } from "react-router";

import { attempt } from "../../api/attempt";
import { DropdownMenu } from "../../components/DropdownMenu";
import { ComeBackDocument, GoAwayDocument, type InboxQuery } from "../../gql/inbox/graphql";
import { formatClock } from "../../time/format";
import { hourOfDay } from "../../time/local";
import { Moment } from "../../time/Moment";
import { useZone } from "../../time/zone";

const HOUR = 3_600_000; // ms
const MORNING = 8; // o'clock, in the viewer's zone

const ABSENCES = [
  { label: "For an hour", until: () => new Date(Date.now() + HOUR) },
  { label: "Until tomorrow morning", until: (zone: string) => hourOfDay(MORNING, 1, zone) },
  { label: "For a week", until: (zone: string) => hourOfDay(MORNING, 7, zone) },
];

/** Whether the viewer gets new offers, and the switch between being here and away. */
export function AvailabilityBar({ me }: { me: InboxQuery["me"] }) {
  const [goAway] = useMutation(GoAwayDocument);
  const [comeBack] = useMutation(ComeBackDocument);
  const zone = useZone();
  const { awayUntil, quietHours } = me;
  return (
    <Paper withBorder p="sm" mb="lg" component="section" aria-label="My availability">
      <Group justify="space-between">
        <Text size="sm" role="status">
          {awayUntil ? (
            <>
              You are away until <Moment time={awayUntil} />, and get no new offers.{" "}
            </>
          ) : (
            "You get new offers. "
          )}
          {quietHours && `Quiet hours are from ${formatClock(quietHours.start)} to ${formatClock(quietHours.end)}. `}
          <Anchor component={Link} to="/settings" underline="always" size="sm" aria-label="Change my availability">
            Change
          </Anchor>
        </Text>
        {awayUntil ? (
          <Button variant="default" size="sm" onClick={() => void attempt(comeBack())}>
            I am back
          </Button>
        ) : (
          <DropdownMenu
            button={
              <Button variant="default" size="sm">
                I am away
              </Button>
            }
            items={ABSENCES.map(({ label, until }) => ({
              label,
              isDisabled: !zone,
              onClick: () => {
                if (zone) void attempt(goAway({ variables: { until: until(zone).toISOString() } }));
              },
            }))}
          />
        )}
      </Group>
    </Paper>
  );
}
