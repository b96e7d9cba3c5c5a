import { useQuery } from "@apollo/client/react";
import { Button, List, Stack, Text, Title } from "@mantine/core";

import { Dialog } from "../../components/Dialog";
import { ErrorNotice } from "../../components/ErrorNotice";
import { PageLoading } from "../../components/PageLoading";
import { type PlannedRowFragment, SubmitPreviewDocument } from "../../gql/lead/graphql";
import { Moment } from "../../time/Moment";
import { nameOf } from "../../components/enquiryWords";
import { SkippedList } from "./SkippedList";
import { tiersOf } from "./tiersOf";

/** Shows who would be offered the lead, when and how, before it is submitted. */
export function SubmitDialog({ id, onSubmit, onClose }: { id: string; onSubmit: () => void; onClose: () => void }) {
  const { data, error, refetch } = useQuery(SubmitPreviewDocument, { variables: { id }, fetchPolicy: "no-cache" });
  const plan = data?.previewLeadOffers;
  return (
    <Dialog
      opened
      title="Submit this lead?"
      onClose={onClose}
      action={
        <Button disabled={!plan || plan.offers.length === 0} onClick={onSubmit}>
          Submit
        </Button>
      }
    >
      {error && <ErrorNotice error={error} retry={refetch} />}
      {!plan && !error && <PageLoading rows={2} />}
      {plan && (
        <Stack gap="sm">
          <Title order={3} size="h5" className="any-word">
            {plan.team.name}
          </Title>
          <PlannedRows offers={plan.offers} />
          {plan.offers.length === 0 && <Text size="sm">Nobody else can be offered this lead now.</Text>}
          <SkippedList skipped={plan.skipped} />
          {plan.next.map((step) => (
            <Stack key={step.team.id} gap={4}>
              <Title order={3} size="h5" className="any-word">
                If nobody claims it by <Moment time={step.startsAt} />: {step.team.name}
              </Title>
              <PlannedRows offers={step.offers} />
            </Stack>
          ))}
          {plan.offers.length > 0 && <Text size="sm">If nobody claims it after that, you are notified.</Text>}
        </Stack>
      )}
    </Dialog>
  );
}

/** Each time once, with the people who are offered the lead then. */
function PlannedRows({ offers }: { offers: PlannedRowFragment[] }) {
  return tiersOf(offers).map(([time, tier]) => (
    <div key={time}>
      <Text size="sm" c="dimmed">
        <Moment time={time} />
      </Text>
      <List size="sm" listStyleType="none">
        {tier.map((offer) => (
          <List.Item key={offer.user.id} className="any-word">
            {nameOf(offer.user)}: {howOf(offer)}
          </List.Item>
        ))}
      </List>
    </div>
  ));
}

function howOf({ hasCallAlert, hasEmailAlert, hasTextAlert, assignAutomatically }: PlannedRowFragment): string {
  const channels = [hasCallAlert && "call", hasEmailAlert && "e-mail", hasTextAlert && "text message"].filter(Boolean);
  const how = channels.join(", ") || "no message";
  return assignAutomatically ? `${how}, assigned automatically` : how;
}
