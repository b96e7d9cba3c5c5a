import { useMutation } from "@apollo/client/react";
import { Button, Textarea, Title } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { type FormEvent, useState } from "react";

import { describeError } from "../../api/errors";
import { type TeamSettingsFragment, UpdateTeamDocument } from "../../gql/teams/graphql";
import { WarningList } from "./WarningList";
import { readZipcodes } from "./zipcodes";

/** The ZIP codes whose leads can go to the team. What is typed stays until it is saved. */
export function ZipcodesForm({ team, warnings }: { team: TeamSettingsFragment; warnings: string[] }) {
  const [updateTeam, { loading }] = useMutation(UpdateTeamDocument);
  const [draft, setDraft] = useState<string | null>(null);
  const [problem, setProblem] = useState<string | null>(null);

  const save = async (event: FormEvent) => {
    event.preventDefault();
    if (draft === null) return;
    const { zipcodes, problem: found } = readZipcodes(draft);
    setProblem(found);
    if (found) return;
    try {
      await updateTeam({ variables: { id: team.id, input: { distributionZipcodes: zipcodes } } });
      setDraft(null);
      notifications.show({ title: "Saved", message: "The ZIP codes of the team are saved." });
    } catch (error) {
      setProblem(describeError(error).text);
    }
  };

  return (
    <section aria-label="ZIP codes">
      <Title order={2} size="h3" mt="xl" mb="sm">
        ZIP codes
      </Title>
      <form onSubmit={(event) => void save(event)} noValidate>
        <Textarea
          label="ZIP codes of the team"
          description="Five digits each, separated by spaces, commas or lines. Leads with one of them can go to this team."
          autosize
          minRows={2}
          maxRows={12}
          maw={560}
          value={draft ?? team.distributionZipcodes?.join(" ") ?? ""}
          error={problem}
          onChange={(event) => {
            setDraft(event.currentTarget.value);
            setProblem(null);
          }}
        />
        <Button type="submit" my="md" loading={loading}>
          Save ZIP codes
        </Button>
      </form>
      <WarningList texts={warnings} />
    </section>
  );
}
