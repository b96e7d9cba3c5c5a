import "../../app/otherStyles.css";

import { useApolloClient, useReactiveVar } from "@apollo/client/react";
import { Box, Button, Group, Pagination, Text } from "@mantine/core";
import { useSearchParams } from "react-router";

import { EmptyState } from "../../components/EmptyState";
import { ErrorNotice } from "../../components/ErrorNotice";
import { PageLoading } from "../../components/PageLoading";
import { PageTitle } from "../../components/PageTitle";
import { BoardFilters } from "./BoardFilters";
import { addressOf, type BoardView, isFiltered, PAGE_SIZE, viewOf } from "./boardView";
import { LeadCards } from "./LeadCards";
import { LeadTable } from "./LeadTable";
import { NewLead } from "./NewLead";
import { newLeads, showNewLeads } from "./newLeads";
import { useBoard } from "./useBoard";
import { LOCALE } from "../../time/locale";

/** The leads of a leader. The address keeps the filters, the order and the page. */
export function BoardScreen() {
  const [address, setAddress] = useSearchParams();
  const view = viewOf(address);
  const { data, viewerId, isLoading, error, refetch } = useBoard(view);
  const change = (changed: Partial<BoardView>) => {
    setAddress((current) => addressOf({ ...viewOf(current), page: 1, ...changed }), {
      replace: changed.page === undefined,
    });
  };
  const leads = data?.leads;
  return (
    <>
      <PageTitle title="Board">{data && <NewLead data={data} viewerId={viewerId} />}</PageTitle>
      <BoardFilters view={view} data={data} onChange={change} />
      <NewLeads shown={leads?.data ?? []} />
      {error && <ErrorNotice error={error} retry={refetch} />}
      {!leads && !error && <PageLoading rows={5} />}
      {leads && (
        <Box aria-busy={isLoading}>
          <Text size="sm" c="dimmed" role="status" mb="xs">
            {totalOf(leads.total)}
          </Text>
          {leads.data.length === 0 && !isLoading && <Empty view={view} total={leads.total} onChange={change} />}
          {leads.data.length > 0 && (
            <>
              <LeadTable leads={leads.data} search={address.toString()} />
              <LeadCards leads={leads.data} search={address.toString()} />
            </>
          )}
          {leads.total > PAGE_SIZE && (
            <Group justify="center" mt="md" component="nav" aria-label="Pages">
              <Pagination
                total={Math.ceil(leads.total / PAGE_SIZE)}
                value={view.page}
                siblings={0}
                size="md"
                getControlProps={(control) => ({ "aria-label": `${control} page` })}
                getItemProps={(page) => ({ "aria-label": `Page ${String(page)}` })}
                onChange={(page) => {
                  change({ page });
                  window.scrollTo({ top: 0 });
                }}
              />
            </Group>
          )}
        </Box>
      )}
    </>
  );
}

function totalOf(total: number): string {
  return total === 1 ? "1 lead" : `${total.toLocaleString(LOCALE)} leads`;
}

/** Offers to show the leads that came in, but for those that are shown already. */
function NewLeads({ shown }: { shown: readonly { id: string }[] }) {
  const { cache } = useApolloClient();
  const count = useReactiveVar(newLeads).filter((id) => shown.every((lead) => lead.id !== id)).length;
  return (
    <div role="status">
      {count > 0 && (
        <Button
          fullWidth
          variant="light"
          mb="sm"
          onClick={() => {
            showNewLeads(cache);
          }}
        >
          {count === 1 ? "Show 1 new lead" : `Show ${String(count)} new leads`}
        </Button>
      )}
    </div>
  );
}

interface EmptyProps {
  view: BoardView;
  total: number;
  onChange: (change: Partial<BoardView>) => void;
}

function Empty({ view, total, onChange }: EmptyProps) {
  if (total > 0) {
    return (
      <EmptyState title="There are fewer pages now">
        <Button
          variant="default"
          onClick={() => {
            onChange({ page: 1 });
          }}
        >
          Go to the first page
        </Button>
      </EmptyState>
    );
  }
  if (isFiltered(view)) {
    return (
      <EmptyState title="No leads match">
        <Text size="sm">Clear a filter, or look for another contact.</Text>
      </EmptyState>
    );
  }
  return (
    <EmptyState title="You have no leads yet">
      <Text size="sm">Leads that your sources send, or that you create with “New lead”, appear here.</Text>
    </EmptyState>
  );
}
