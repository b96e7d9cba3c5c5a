import { SimpleGrid, Stack, Text, Title } from "@mantine/core";
import type { ReactNode } from "react";

import { EmptyState } from "../../components/EmptyState";
import { ErrorNotice } from "../../components/ErrorNotice";
import { PageLoading } from "../../components/PageLoading";
import { PageTitle } from "../../components/PageTitle";
import { AvailabilityBar } from "./AvailabilityBar";
import { HeldLeadCard } from "./HeldLeadCard";
import { OfferCard } from "./OfferCard";
import { useFocusKept } from "./useFocusKept";
import { useInbox } from "./useInbox";

/** What an agent needs in the car: leads to claim now, leads to come, and leads that are theirs. */
export function InboxScreen() {
  const { me, lists, error, refetch } = useInbox();
  return (
    <>
      <PageTitle title="Inbox" />
      {error && <ErrorNotice error={error} retry={refetch} />}
      {!lists && !error && <PageLoading />}
      {me && <AvailabilityBar me={me} />}
      {lists && (
        <Stack gap="xl">
          <Section title="To claim now" count={lists.claimable.length}>
            {lists.claimable.length > 0 ? (
              <Cards>
                {lists.claimable.map((offer) => (
                  <OfferCard key={offer.id} offer={offer} />
                ))}
              </Cards>
            ) : (
              <EmptyState title="No leads to claim right now">
                <Text size="sm">
                  New leads appear here on their own. Your teams decide how you are notified of them.
                </Text>
              </EmptyState>
            )}
          </Section>
          {lists.upcoming.length > 0 && (
            <Section title="Coming up" count={lists.upcoming.length}>
              <Cards>
                {lists.upcoming.map((offer) => (
                  <OfferCard key={offer.id} offer={offer} />
                ))}
              </Cards>
            </Section>
          )}
          <Section title="My leads" count={lists.held.length}>
            {lists.held.length > 0 ? (
              <Cards>
                {lists.held.map((lead) => (
                  <HeldLeadCard key={lead.id} lead={lead} />
                ))}
              </Cards>
            ) : (
              <EmptyState title="You hold no leads">
                <Text size="sm">
                  Leads that you claim stay here, with the contact’s phone number and e-mail address.
                </Text>
              </EmptyState>
            )}
          </Section>
        </Stack>
      )}
    </>
  );
}

function Section({ title, count, children }: { title: string; count: number; children: ReactNode }) {
  const section = useFocusKept(count);
  return (
    <section aria-label={title} tabIndex={-1} ref={section} style={{ outline: "none" }}>
      <Title order={2} size="h3" mb="sm">
        {title}{" "}
        <Text span c="dimmed" inherit>
          {count > 0 && `(${String(count)})`}
        </Text>
      </Title>
      {children}
    </section>
  );
}

function Cards({ children }: { children: ReactNode }) {
  return (
    <SimpleGrid cols={{ base: 1, md: 2, xl: 3 }} spacing="md">
      {children}
    </SimpleGrid>
  );
}
