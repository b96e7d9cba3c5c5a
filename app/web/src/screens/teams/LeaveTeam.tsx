import { useMutation } from "@apollo/client/react";
import { useNavigate } from "react-router";

import { ConfirmButton } from "../../components/ConfirmButton";
import { AnswerInvitationDocument, type TeamPartsFragment } from "../../gql/teams/graphql";
import { attempt } from "../../api/attempt";
import { forgetTeam } from "./forgetTeam";

/** The way out of a team for one of its members. */
export function LeaveTeam({ team, me }: { team: TeamPartsFragment; me: string }) {
  const [answerInvitation, { client }] = useMutation(AnswerInvitationDocument);
  const navigate = useNavigate();
  const member = team.members?.data.find(({ user }) => user.id === me);
  if (!member) return null;

  const leave = async () => {
    if (!(await attempt(answerInvitation({ variables: { id: member.id, answer: "DECLINED" } })))) return;
    await navigate("/teams");
    forgetTeam(client.cache, team.id);
  };

  return (
    <ConfirmButton
      mt="xl"
      title="Leave this team?"
      text="You are offered no more leads by it. Leads that you hold stay yours."
      confirm="Leave"
      onConfirm={() => void leave()}
    >
      Leave team
    </ConfirmButton>
  );
}
