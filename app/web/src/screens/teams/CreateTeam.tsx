import { useMutation } from "@apollo/client/react";
import { Button, Group, TextInput } from "@mantine/core";
import { IconPlus } from "@tabler/icons-react";
import { type FormEvent, useState } from "react";
import { useNavigate } from "react-router";

import { Dialog } from "../../components/Dialog";
import { CreateTeamDocument, TeamsDocument } from "../../gql/teams/graphql";
import { attempt } from "../../api/attempt";

/** A button that asks for the name of a new team, and goes to the team. */
export function CreateTeam() {
  const [createTeam, { loading }] = useMutation(CreateTeamDocument, { refetchQueries: [TeamsDocument] });
  const navigate = useNavigate();
  const [isOpen, setOpen] = useState(false);
  const [name, setName] = useState("");
  const [problem, setProblem] = useState<string | null>(null);

  const create = async (event: FormEvent) => {
    event.preventDefault();
    if (!name.trim()) {
      setProblem("Enter a name for the team.");
      return;
    }
    let id: string | undefined;
    const made = await attempt(
      createTeam({ variables: { input: { name } }, awaitRefetchQueries: true }).then(({ data }) => {
        id = data?.createTeam?.team.id;
      }),
    );
    if (made && id) await navigate(`/teams/${id}`);
  };

  return (
    <>
      <Button
        leftSection={<IconPlus size={18} aria-hidden />}
        onClick={() => {
          setOpen(true);
        }}
      >
        Create team
      </Button>
      <Dialog
        opened={isOpen}
        title="Create a team"
        onClose={() => {
          setOpen(false);
        }}
      >
        <form onSubmit={(event) => void create(event)} noValidate>
          <TextInput
            label="Name of the team"
            data-autofocus
            maxLength={255}
            value={name}
            error={problem}
            onChange={(event) => {
              setName(event.currentTarget.value);
              setProblem(null);
            }}
          />
          <Group justify="flex-end" mt="md">
            <Button type="submit" loading={loading}>
              Create
            </Button>
          </Group>
        </form>
      </Dialog>
    </>
  );
}
