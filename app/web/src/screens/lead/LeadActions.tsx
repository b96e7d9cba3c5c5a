import { useMutation } from "@apollo/client/react";
import { Button, Group } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useState } from "react";
import { useNavigate } from "react-router";

import { attempt } from "../../api/attempt";
import { ConfirmDialog } from "../../components/ConfirmDialog";
import {
  AssignLeadDocument,
  type LeadDetailsFragment,
  ReleaseLeadDocument,
  SubmitLeadDocument,
} from "../../gql/lead/graphql";
import { AssignDialog } from "./AssignDialog";
import { SubmitDialog } from "./SubmitDialog";

/** What the viewer may do with the lead now, as the API says. `isSubmitting` opens the preview of a submit at once. */
export function LeadActions({ lead, isSubmitting }: { lead: LeadDetailsFragment; isSubmitting: boolean }) {
  const { id, viewerCanSubmit, viewerCanAssign, viewerCanRelease } = lead;
  const [submit] = useMutation(SubmitLeadDocument);
  const [assign] = useMutation(AssignLeadDocument);
  const [release] = useMutation(ReleaseLeadDocument);
  const [dialog, setDialog] = useState<"submit" | "assign" | "release" | null>(isSubmitting ? "submit" : null);
  const navigate = useNavigate();
  const close = () => {
    setDialog(null);
    if (isSubmitting) void navigate(".", { replace: true, state: null }); // or it would open again with the page
  };
  const run = async (title: string, action: () => Promise<unknown>) => {
    close();
    if (await attempt(action())) notifications.show({ message: title });
  };
  return (
    <Group gap="sm">
      {viewerCanSubmit && (
        <Button
          onClick={() => {
            setDialog("submit");
          }}
        >
          Submit
        </Button>
      )}
      {viewerCanAssign && (
        <Button
          variant="default"
          onClick={() => {
            setDialog("assign");
          }}
        >
          Assign
        </Button>
      )}
      {viewerCanRelease && (
        <Button
          variant="default"
          onClick={() => {
            setDialog("release");
          }}
        >
          Release
        </Button>
      )}
      {dialog === "submit" && (
        <SubmitDialog
          id={id}
          onClose={close}
          onSubmit={() => void run("The lead is submitted", () => submit({ variables: { id } }))}
        />
      )}
      {dialog === "assign" && (
        <AssignDialog
          id={id}
          onClose={close}
          onAssign={(userId) => void run("The lead is assigned", () => assign({ variables: { id, userId } }))}
        />
      )}
      <ConfirmDialog
        opened={dialog === "release"}
        title="Release this lead?"
        text="Its holder loses it, and it is offered to the others again."
        confirm="Release"
        onConfirm={() => void run("The lead is released", () => release({ variables: { id } }))}
        onClose={close}
      />
    </Group>
  );
}
