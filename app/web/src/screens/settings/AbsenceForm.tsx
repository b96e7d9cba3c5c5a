import { useMutation } from "@apollo/client/react";
import { Button, Group, Stack, Text, TextInput } from "@mantine/core";
import { type SyntheticEvent, useState } from "react";

import { invalidFields } from "../../api/errors";
import { ErrorNotice } from "../../components/ErrorNotice";
import { EndMyAbsenceDocument, type MySettingsFragment, SetMyAbsenceDocument } from "../../gql/graphql";
import { formatMoment } from "../../time/format";

const REFUSED = "Choose a date and time in the future.";

/** Until when the viewer is away. The date and time are those of this device. */
export function AbsenceForm({ me }: { me: MySettingsFragment }) {
  const [setAbsence, setting] = useMutation(SetMyAbsenceDocument);
  const [endAbsence, ending] = useMutation(EndMyAbsenceDocument);
  const [until, setUntil] = useState("");
  const [problem, setProblem] = useState<string | null>(null);
  const [error, setError] = useState<unknown>(null);

  const attempt = async (change: () => Promise<unknown>) => {
    setProblem(null);
    setError(null);
    try {
      await change();
      setUntil("");
    } catch (refusal) {
      if (invalidFields(refusal).includes("until")) setProblem(REFUSED);
      else setError(refusal);
    }
  };

  const submit = (event: SyntheticEvent) => {
    event.preventDefault();
    const end = new Date(until);
    if (!(end.getTime() > Date.now())) setProblem(REFUSED);
    else void attempt(() => setAbsence({ variables: { until: end.toISOString() } }));
  };

  return (
    <form onSubmit={submit} noValidate>
      <Stack gap="sm">
        <Text size="sm" role="status">
          {me.awayUntil
            ? `You are away until ${formatMoment(me.awayUntil)}, and get no new offers.`
            : "You get new offers."}
        </Text>
        <TextInput
          label="Away until"
          type="datetime-local"
          description="In the time of this device"
          value={until}
          error={problem}
          onChange={(event) => {
            setUntil(event.currentTarget.value);
          }}
        />
        {error !== null && <ErrorNotice error={error} />}
        <Group>
          <Button type="submit" loading={setting.loading}>
            Set as away
          </Button>
          {me.awayUntil && (
            <Button variant="default" loading={ending.loading} onClick={() => void attempt(() => endAbsence())}>
              I am back
            </Button>
          )}
        </Group>
      </Stack>
    </form>
  );
}
