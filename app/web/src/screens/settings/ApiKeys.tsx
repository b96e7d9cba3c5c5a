import { useMutation } from "@apollo/client/react";
import { Button, Group, Paper, Stack, Text, Title } from "@mantine/core";
import { useState } from "react";

import { ConfirmDialog } from "../../components/ConfirmDialog";
import { EmptyState } from "../../components/EmptyState";
import { ErrorNotice } from "../../components/ErrorNotice";
import { type ListedApiKeyFragment, RevokeKeyDocument, SettingsDocument } from "../../gql/settings/graphql";
import { formatDay } from "../../time/format";
import { Moment } from "../../time/Moment";
import { CreateKeyDialog, type Source } from "./CreateKeyDialog";

const SCOPES: Record<string, string> = { READ: "read", WRITE: "change", INTAKE: "send leads" };

/** The viewer's active API keys, to create and to revoke them. */
export function ApiKeys({ keys, sources }: { keys: ListedApiKeyFragment[]; sources: Source[] }) {
  const [isCreating, setCreating] = useState(false);
  const [doomed, setDoomed] = useState<ListedApiKeyFragment | null>(null);
  const [revoke, { error }] = useMutation(RevokeKeyDocument, { refetchQueries: [SettingsDocument] });

  return (
    <Paper withBorder p="md" component="section" aria-labelledby="api-keys">
      <Group justify="space-between" mb="sm">
        <Title order={2} size="h4" id="api-keys">
          API keys
        </Title>
        <Button
          onClick={() => {
            setCreating(true);
          }}
        >
          Create key
        </Button>
      </Group>
      {error && <ErrorNotice error={error} />}
      {keys.length === 0 ? (
        <EmptyState title="No API keys">
          <Text size="sm">Create a key for a program that sends or reads leads for you.</Text>
        </EmptyState>
      ) : (
        <Stack gap="sm" component="ul" p={0} m={0}>
          {keys.map((key) => (
            <Group key={key.id} component="li" justify="space-between" align="flex-start">
              <Stack gap={0} style={{ minWidth: 0, overflowWrap: "anywhere" }}>
                <Text fw={600}>{key.name}</Text>
                <Text size="sm" c="dimmed">
                  <KeyDetails apiKey={key} />
                </Text>
              </Stack>
              <Button
                variant="default"
                size="xs"
                aria-label={`Revoke ${key.name}`}
                onClick={() => {
                  setDoomed(key);
                }}
              >
                Revoke
              </Button>
            </Group>
          ))}
        </Stack>
      )}
      <CreateKeyDialog
        opened={isCreating}
        sources={sources}
        onClose={() => {
          setCreating(false);
        }}
      />
      <ConfirmDialog
        opened={doomed !== null}
        title="Revoke this key?"
        text={`Programs that use ${doomed?.name ?? "it"} can no longer sign in. This cannot be undone.`}
        confirm="Revoke key"
        onClose={() => {
          setDoomed(null);
        }}
        onConfirm={() => {
          if (doomed) void revoke({ variables: { id: doomed.id } }).catch(() => undefined); // shown by `error`
        }}
      />
    </Paper>
  );
}

function KeyDetails({ apiKey: { prefix, scopes, source, expiresAt, lastUsedOn } }: { apiKey: ListedApiKeyFragment }) {
  return (
    <>
      {prefix}… · may {scopes.map((scope) => SCOPES[scope] ?? scope.toLowerCase()).join(", ")} ·{" "}
      {source && `only from ${source.name} · `}
      {expiresAt ? (
        <>
          expires <Moment time={expiresAt} />
        </>
      ) : (
        "does not expire"
      )}{" "}
      · {lastUsedOn ? `last used on ${formatDay(lastUsedOn)}` : "never used"}
    </>
  );
}
