import { useMutation } from "@apollo/client/react";
import { useNavigate } from "react-router";

import { attempt } from "../../api/attempt";
import { codeOf, describeError } from "../../api/errors";
import { ConfirmButton } from "../../components/ConfirmButton";
import { DeleteTeamDocument } from "../../gql/teams/graphql";
import { forgetTeam } from "./forgetTeam";

/** Deletes the team after a question. */
export function DeleteTeam({ team }: { team: { id: string; name: string } }) {
  const [deleteTeam, { client }] = useMutation(DeleteTeamDocument);
  const navigate = useNavigate();

  const remove = async () => {
    if (!(await attempt(deleteTeam({ variables: { id: team.id } }), wordsOf))) return;
    await navigate("/teams");
    forgetTeam(client.cache, team.id);
  };

  return (
    <ConfirmButton
      mt="xl"
      title="Delete this team?"
      text="Its open offers end. Leads that are held stay with their holders."
      confirm="Delete"
      onConfirm={() => void remove()}
    >
      Delete team
    </ConfirmButton>
  );
}

function wordsOf(error: unknown): { title: string; text: string } {
  return codeOf(error) === "CONFLICT" ? USED : describeError(error);
}

const USED = {
  title: "The team is in use",
  text: "A route sends leads to it, or it is the next team of another team. Change these first.",
};
