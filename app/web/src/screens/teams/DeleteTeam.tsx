import { useMutation } from "@apollo/client/react";
import { Button } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useState } from "react";
import { useNavigate } from "react-router";

import { codeOf, describeError } from "../../api/errors";
import { ConfirmDialog } from "../../components/ConfirmDialog";
import { DeleteTeamDocument } from "../../gql/graphql";
import { forgetTeam } from "./forgetTeam";

/** Deletes the team after a question. */
export function DeleteTeam({ team }: { team: { id: string; name: string } }) {
  const [deleteTeam, { client }] = useMutation(DeleteTeamDocument);
  const navigate = useNavigate();
  const [isAsking, setAsking] = useState(false);

  const remove = async () => {
    try {
      await deleteTeam({ variables: { id: team.id } });
    } catch (error) {
      const isUsed = codeOf(error) === "CONFLICT";
      const { title, text } = isUsed ? USED : describeError(error);
      notifications.show({ color: "red", title, message: text });
      return;
    }
    await navigate("/teams");
    forgetTeam(client.cache, team.id);
  };

  return (
    <>
      <Button
        mt="xl"
        variant="default"
        onClick={() => {
          setAsking(true);
        }}
      >
        Delete team
      </Button>
      <ConfirmDialog
        opened={isAsking}
        title="Delete this team?"
        text="Its open offers end. Leads that are held stay with their holders."
        confirm="Delete"
        onConfirm={() => void remove()}
        onClose={() => {
          setAsking(false);
        }}
      />
    </>
  );
}

const USED = {
  title: "The team is in use",
  text: "A route sends leads to it, or it is the next team of another team. Change these first.",
};
