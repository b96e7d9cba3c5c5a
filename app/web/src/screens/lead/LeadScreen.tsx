import "../../app/otherStyles.css";

import { useQuery } from "@apollo/client/react";
import { Anchor, Group, Paper, Stack, Text, Title } from "@mantine/core";
import { Link, useLocation, useParams } from "react-router";

import { ContactLinks } from "../../components/ContactLinks";
import { EmptyState } from "../../components/EmptyState";
import { ErrorNotice } from "../../components/ErrorNotice";
import { PageLoading } from "../../components/PageLoading";
import { PageTitle } from "../../components/PageTitle";
import { LeadDocument, type LeadDetailsFragment } from "../../gql/lead/graphql";
import { LeadStatusBadge } from "../board/LeadStatusBadge";
import { Enquiry } from "../../components/Enquiry";
import { nameOf } from "../../components/enquiryWords";
import { ClaimHistory } from "./ClaimHistory";
import { LeadActions } from "./LeadActions";
import classes from "./LeadScreen.module.css";
import { leadTitle } from "./leadTitle";
import { RolloutTimeline } from "./RolloutTimeline";
import { useFreshLead } from "./staleLeads";
import { firstStepOf, wayOnOf } from "./wayOn";

/** What a link to this screen may say: the board's view to go back to, and that the lead is to be submitted. */
interface LeadState {
  search?: string;
  submit?: boolean;
}

/** A lead with its rollout. */
export function LeadScreen() {
  const { leadId: id = "" } = useParams();
  const { data, previousData, error, refetch } = useQuery(LeadDocument, { variables: { id } });
  const known = data ?? (previousData?.lead?.id === id ? previousData : undefined);
  useFreshLead(id, data !== undefined, refetch);
  const state = useLocation().state as LeadState | null;
  return (
    <>
      <Anchor component={Link} to={{ pathname: "/board", search: state?.search ?? "" }} size="sm" underline="always">
        Back to the board
      </Anchor>
      <PageTitle title={known?.lead ? leadTitle(known.lead) : "Lead"}>
        {known?.lead && <LeadActions key={id} lead={known.lead} isSubmitting={state?.submit ?? false} />}
      </PageTitle>
      {error && <ErrorNotice error={error} retry={refetch} />}
      {!known && !error && <PageLoading />}
      {known && !known.lead && (
        <EmptyState title="There is no such lead">
          <Text size="sm">It may have been deleted, or you may have lost access to it. Go back to the board.</Text>
        </EmptyState>
      )}
      {known?.lead && <LeadContent lead={known.lead} />}
    </>
  );
}

function LeadContent({ lead }: { lead: LeadDetailsFragment }) {
  const wayOn = lead.rollouts && wayOnOf(lead);
  return (
    <div className={classes["columns"] ?? ""}>
      <section aria-label="Enquiry" className={classes["enquiry"] ?? ""}>
        <Title order={2} size="h3" mb="sm">
          Enquiry
        </Title>
        <Paper withBorder p="md">
          <Stack gap="sm">
            <Stack gap={4} role="status">
              <Group gap="sm">
                {lead.rollouts && <LeadStatusBadge lead={lead} />}
                {lead.claimedBy && (
                  <Text size="sm" className="any-word">
                    Held by {nameOf(lead.claimedBy)}
                  </Text>
                )}
              </Group>
              {wayOn && <Text size="sm">{wayOn}</Text>}
            </Stack>
            <Enquiry lead={lead} />
            <ContactLinks phone={lead.contact.mobilePhone} email={lead.contact.email} />
          </Stack>
        </Paper>
      </section>
      {lead.rollouts && (
        <section aria-label="Rollout" className={classes["rollout"] ?? ""}>
          <Title order={2} size="h3" mb="sm">
            Rollout
          </Title>
          {lead.rollouts.length + lead.offers.data.length > 0 ? (
            <RolloutTimeline lead={lead} />
          ) : (
            <EmptyState title="Nobody has been offered this lead yet">
              <Text size="sm" className="any-word">
                {firstStepOf(lead)}
              </Text>
            </EmptyState>
          )}
        </section>
      )}
      {lead.claims && (
        <section aria-label="History" className={classes["history"] ?? ""}>
          <Title order={2} size="h3" mb="sm">
            History
          </Title>
          <ClaimHistory claims={lead.claims} />
        </section>
      )}
    </div>
  );
}
