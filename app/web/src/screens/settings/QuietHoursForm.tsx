import { useMutation } from "@apollo/client/react";
import { Button, Group, Stack, Text, TextInput } from "@mantine/core";
import { type SyntheticEvent, useState } from "react";

import { ErrorNotice } from "../../components/ErrorNotice";
import {
  ClearMyQuietHoursDocument,
  type MySettingsFragment,
  SetMyQuietHoursDocument,
} from "../../gql/settings/graphql";
import { formatClock } from "../../time/format";
import { fieldErrors } from "./fieldErrors";

const REFUSED = {
  start: "Enter the time at which they start.",
  end: "Enter an end that differs from the start.",
};

/** The daily period in which the viewer gets no messages. */
export function QuietHoursForm({ me }: { me: MySettingsFragment }) {
  const [setQuietHours, setting] = useMutation(SetMyQuietHoursDocument);
  const [clearQuietHours, clearing] = useMutation(ClearMyQuietHoursDocument);
  const [start, setStart] = useState(me.quietHours?.start ?? "");
  const [end, setEnd] = useState(me.quietHours?.end ?? "");
  const [problems, setProblems] = useState<Partial<typeof REFUSED>>({});
  const [error, setError] = useState<unknown>(null);

  const attempt = async (change: () => Promise<unknown>) => {
    setProblems({});
    setError(null);
    try {
      await change();
      return true;
    } catch (refusal) {
      const refused = fieldErrors(refusal, REFUSED);
      if (Object.keys(refused).length > 0) setProblems(refused);
      else setError(refusal);
      return false;
    }
  };

  const submit = (event: SyntheticEvent) => {
    event.preventDefault();
    if (!start) setProblems({ start: REFUSED.start });
    else if (!end || end === start) setProblems({ end: REFUSED.end });
    else void attempt(() => setQuietHours({ variables: { start, end } }));
  };

  const clear = async () => {
    if (!(await attempt(() => clearQuietHours()))) return;
    setStart("");
    setEnd("");
  };

  return (
    <form onSubmit={submit} noValidate>
      <Stack gap="sm">
        <Text size="sm" role="status">
          {me.quietHours
            ? `Quiet hours are from ${formatClock(me.quietHours.start)} to ${formatClock(me.quietHours.end)}.`
            : "You have no quiet hours."}
        </Text>
        <Group grow align="flex-start">
          <TextInput
            label="Quiet from"
            type="time"
            value={start}
            error={problems.start}
            onChange={(event) => {
              setStart(event.currentTarget.value);
            }}
          />
          <TextInput
            label="Quiet until"
            type="time"
            value={end}
            error={problems.end}
            onChange={(event) => {
              setEnd(event.currentTarget.value);
            }}
          />
        </Group>
        <Text size="sm" c="dimmed">
          In your time zone, {me.timezone}. You get no messages in these hours.
        </Text>
        {error !== null && <ErrorNotice error={error} />}
        <Group>
          <Button type="submit" loading={setting.loading}>
            Save quiet hours
          </Button>
          {me.quietHours && (
            <Button variant="default" loading={clearing.loading} onClick={() => void clear()}>
              Clear quiet hours
            </Button>
          )}
        </Group>
      </Stack>
    </form>
  );
}
