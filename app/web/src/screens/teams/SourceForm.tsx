import { useMutation } from "@apollo/client/react";
import { Button, Group, TextInput } from "@mantine/core";
import { type FormEvent, useState } from "react";

import { describeError } from "../../api/errors";
import { CreateSourceDocument, RoutesDocument } from "../../gql/teams/graphql";

/** Adds a lead source. */
export function SourceForm() {
  const [createSource, { loading }] = useMutation(CreateSourceDocument, { refetchQueries: [RoutesDocument] });
  const [name, setName] = useState("");
  const [problem, setProblem] = useState<string | null>(null);

  const add = async (event: FormEvent) => {
    event.preventDefault();
    if (!name.trim()) {
      setProblem("Enter the name of the source.");
      return;
    }
    try {
      await createSource({ variables: { name } });
      setName("");
    } catch (error) {
      setProblem(describeError(error).text);
    }
  };

  return (
    <form onSubmit={(event) => void add(event)} noValidate>
      <Group align="flex-start">
        <TextInput
          label="New lead source"
          maxLength={255}
          style={{ flex: "1 1 220px", maxWidth: 420 }}
          value={name}
          error={problem}
          onChange={(event) => {
            setName(event.currentTarget.value);
            setProblem(null);
          }}
        />
        <Button type="submit" mt={25} loading={loading}>
          Add source
        </Button>
      </Group>
    </form>
  );
}
