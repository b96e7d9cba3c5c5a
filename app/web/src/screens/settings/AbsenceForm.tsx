import { useMutation } from "@apollo/client/react";
import { Button, Group, Stack, Text, TextInput } from "@mantine/core";
import { type SyntheticEvent, useState } from "react";

import { invalidFields } from "../../api/errors";
import { ErrorNotice } from "../../components/ErrorNotice";
import { EndMyAbsenceDocument, type MySettingsFragment, SetMyAbsenceDocument } from "../../gql/settings/graphql";
import { parseLocal } from "../../time/local";
import { Moment } from "../../time/Moment";
import { useZone } from "../../time/zone";

const REFUSED = "Choose a date and time in the future.";

/** Until when the viewer is away. The date and time are those of the viewer's zone. */
export function AbsenceForm({ me }: { me: MySettingsFragment }) {
  const [setAbsence, setting] = useMutation(SetMyAbsenceDocument);
  const [endAbsence, ending] = useMutation(EndMyAbsenceDocument);
  const zone = useZone();
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
    const end = zone && parseLocal(until, zone);
    if (!end || end.getTime() <= Date.now()) setProblem(REFUSED);
    else void attempt(() => setAbsence({ variables: { until: end.toISOString() } }));
  };

  return (
    <form onSubmit={submit} noValidate>
      <Stack gap="sm">
        <Text size="sm" role="status">
          {me.awayUntil ? (
            <>
              You are away until <Moment time={me.awayUntil} />, and get no new offers.
            </>
          ) : (
            "You get new offers."
          )}
        </Text>
        <TextInput
          label="Away until"
          type="datetime-local"
          description={`In your time zone, ${zone ?? ""}`}
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
