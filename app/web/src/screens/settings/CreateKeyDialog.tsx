import { useMutation } from "@apollo/client/react";
import { Alert, Button, Checkbox, Code, CopyButton, Group, Select, Stack, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useState } from "react";

import { codeOf } from "../../api/errors";
import { Dialog } from "../../components/Dialog";
import { ErrorNotice } from "../../components/ErrorNotice";
import { type ApiScope, CreateKeyDocument, SettingsDocument } from "../../gql/settings/graphql";
import { parseLocal } from "../../time/local";
import { useZone } from "../../time/zone";
import { fieldErrors } from "./fieldErrors";

export interface Source {
  id: string;
  name: string;
}

const REFUSED = {
  name: "Enter a name of at most 255 characters.",
  scopes: "Choose at least one permission.",
  sourceId: "A key for one source may only send leads.",
  expiresAt: "Choose a date and time in the future.",
};

interface CreateKeyDialogProps {
  opened: boolean;
  sources: Source[];
  onClose: () => void;
}

/** Creates an API key, then shows it this once. */
export function CreateKeyDialog({ opened, sources, onClose }: CreateKeyDialogProps) {
  const [create, { loading, reset }] = useMutation(CreateKeyDocument, { refetchQueries: [SettingsDocument] });
  const zone = useZone() ?? "UTC";
  const instant = (time: string) => parseLocal(time, zone) ?? new Date(0);
  const [key, setKey] = useState<string | null>(null);
  const [error, setError] = useState<unknown>(null);
  const form = useForm({
    initialValues: { name: "", scopes: [] as string[], sourceId: null as string | null, expiresAt: "" },
    validate: {
      name: (name) => (name.trim() ? null : REFUSED.name),
      scopes: (scopes) => (scopes.length > 0 ? null : REFUSED.scopes),
      expiresAt: (time) => (!time || instant(time) > new Date() ? null : REFUSED.expiresAt),
      sourceId: (source, { scopes }) => (!source || scopes.join() === "INTAKE" ? null : REFUSED.sourceId),
    },
  });

  const close = () => {
    setKey(null);
    setError(null);
    reset(); // the key stays nowhere
    form.reset();
    onClose();
  };

  const submit = form.onSubmit(async ({ name, scopes, sourceId, expiresAt }) => {
    setError(null);
    const until = expiresAt ? instant(expiresAt).toISOString() : null;
    try {
      const { data } = await create({
        variables: { input: { name, scopes: scopes as ApiScope[], sourceId, expiresAt: until } },
      });
      setKey(data?.createApiKey?.key ?? null);
    } catch (problem) {
      const refused = fieldErrors(problem, REFUSED);
      if (codeOf(problem) === "CONFLICT") refused["name"] = "You have a key of this name, or 50 keys already.";
      form.setErrors(refused);
      if (Object.keys(refused).length === 0) setError(problem);
    }
  });

  return (
    <Dialog opened={opened} onClose={close} title={key ? "Your new API key" : "Create an API key"}>
      {key ? (
        <Stack>
          <Alert color="orange" title="Copy the key now">
            It is shown only once. If you lose it, revoke it and create another.
          </Alert>
          <Code block style={{ overflowWrap: "anywhere", whiteSpace: "pre-wrap" }}>
            {key}
          </Code>
          <Group justify="flex-end">
            <CopyButton value={key}>
              {({ copied, copy }) => <Button onClick={copy}>{copied ? "Copied" : "Copy key"}</Button>}
            </CopyButton>
            <Button variant="default" onClick={close}>
              Done
            </Button>
          </Group>
        </Stack>
      ) : (
        <form onSubmit={submit} noValidate>
          <Stack gap="sm">
            <TextInput label="Name" data-autofocus {...form.getInputProps("name")} />
            <Checkbox.Group label="Permissions" {...form.getInputProps("scopes")}>
              <Stack gap="xs" mt="xs">
                <Checkbox value="READ" label="Read" />
                <Checkbox value="WRITE" label="Change" />
                <Checkbox value="INTAKE" label="Send leads" />
              </Stack>
            </Checkbox.Group>
            <Select
              label="Only for the source"
              placeholder="Any source"
              clearable
              data={sources.map(({ id, name }) => ({ value: id, label: name }))}
              {...form.getInputProps("sourceId")}
            />
            <TextInput
              label="Expires"
              type="datetime-local"
              description={`In your time zone, ${zone}. Empty: it does not expire`}
              {...form.getInputProps("expiresAt")}
            />
            {error !== null && <ErrorNotice error={error} />}
            <Group justify="flex-end">
              <Button type="submit" loading={loading}>
                Create key
              </Button>
            </Group>
          </Stack>
        </form>
      )}
    </Dialog>
  );
}
