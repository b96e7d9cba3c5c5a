import { useQuery } from "@apollo/client/react";
import { Button, Select, Text } from "@mantine/core";
import { useState } from "react";

import { Dialog } from "../../components/Dialog";
import { ErrorNotice } from "../../components/ErrorNotice";
import { AssignableUsersDocument } from "../../gql/lead/graphql";
import { nameOf } from "../../components/enquiryWords";

interface AssignDialogProps {
  id: string;
  onAssign: (userId: string) => void;
  onClose: () => void;
}

export function AssignDialog({ id, onAssign, onClose }: AssignDialogProps) {
  const { data, error, refetch } = useQuery(AssignableUsersDocument, {
    variables: { id },
    fetchPolicy: "cache-and-network",
  });
  const [userId, setUserId] = useState<string | null>(null);
  const users = data?.lead?.assignableUsers;
  return (
    <Dialog
      opened
      title="Assign this lead"
      onClose={onClose}
      action={
        <Button
          disabled={!userId}
          onClick={() => {
            if (userId) onAssign(userId);
          }}
        >
          Assign
        </Button>
      }
    >
      {error && <ErrorNotice error={error} retry={refetch} />}
      <Select
        label="Person"
        placeholder={users ? "Choose a person" : "Loading…"}
        searchable
        data-autofocus
        nothingFoundMessage="Nobody has this name"
        data={(users?.data ?? []).map((user) => ({ value: user.id, label: nameOf(user) }))}
        value={userId}
        onChange={setUserId}
      />
      {users && users.total > users.data.length && (
        <Text size="sm" c="dimmed" mt="xs">
          Only the first {users.data.length} of {users.total} people are listed.
        </Text>
      )}
    </Dialog>
  );
}
