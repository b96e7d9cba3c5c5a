import { useMutation } from "@apollo/client/react";
import { type FormEvent, useState } from "react";

import { describeError } from "../../api/errors";
import { CreateSourceDocument, RoutesDocument } from "../../gql/teams/graphql";
import { InputWithButton } from "./InputWithButton";

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
      <InputWithButton
        label="New lead source"
        maxLength={255}
        value={name}
        error={problem}
        button="Add source"
        loading={loading}
        onChange={(event) => {
          setName(event.currentTarget.value);
          setProblem(null);
        }}
      />
    </form>
  );
}
