import { useMutation, useQuery } from "@apollo/client/react";
import { Button, Group, Paper, Stack, Text, Title } from "@mantine/core";
import { useState } from "react";

import { ConfirmButton } from "../../components/ConfirmButton";
import { EmptyState } from "../../components/EmptyState";
import { ErrorNotice } from "../../components/ErrorNotice";
import { PageLoading } from "../../components/PageLoading";
import { DeleteRouteDocument, type RoutePartsFragment, RoutesDocument } from "../../gql/teams/graphql";
import { attempt } from "../../api/attempt";
import { RouteDialog } from "./RouteDialog";
import { SourceForm } from "./SourceForm";

/** The viewer's lead sources, and the routes that say who the leads of each are offered to. */
export function RoutesPanel({ teams }: { teams: { id: string; name: string }[] }) {
  const { data, error, refetch } = useQuery(RoutesDocument);
  const [edited, setEdited] = useState<RoutePartsFragment | "new" | null>(null);
  if (error) return <ErrorNotice error={error} retry={refetch} />;
  if (!data) return <PageLoading />;
  const { leadSources, leadRoutes } = data;
  return (
    <Stack gap="xl">
      <section aria-label="Lead sources">
        <Title order={2} size="h3" mb="sm">
          Lead sources
        </Title>
        <Text size="sm" mb="sm" className="any-word">
          {leadSources.data.map(({ name }) => name).join(", ") || "You have no lead sources. Add the first one."}
        </Text>
        <SourceForm />
      </section>
      <section aria-label="Routes">
        <Group justify="space-between" mb="sm">
          <Title order={2} size="h3">
            Routes
          </Title>
          {leadSources.data.length > 0 && (
            <Button
              variant="default"
              onClick={() => {
                setEdited("new");
              }}
            >
              Add route
            </Button>
          )}
        </Group>
        {leadRoutes.data.length === 0 && (
          <EmptyState title="No routes">
            <Text size="sm">Without a route, new leads stay with you. Add a route for a lead source.</Text>
          </EmptyState>
        )}
        <Stack>
          {leadRoutes.data.map((route) => (
            <RouteCard
              key={route.id}
              route={route}
              onEdit={() => {
                setEdited(route);
              }}
            />
          ))}
        </Stack>
      </section>
      {edited && (
        <RouteDialog
          route={edited === "new" ? null : edited}
          sources={leadSources.data}
          teams={teams}
          onClose={() => {
            setEdited(null);
          }}
        />
      )}
    </Stack>
  );
}

function RouteCard({ route, onEdit }: { route: RoutePartsFragment; onEdit: () => void }) {
  const [deleteRoute] = useMutation(DeleteRouteDocument, { refetchQueries: [RoutesDocument] });
  const title = `${route.leadSource?.name ?? "No source"}, ${route.leadType ?? "all types"}`;
  return (
    <Paper component="article" withBorder p="md" aria-label={title}>
      <Group justify="space-between">
        <div style={{ minWidth: 0 }}>
          <Title order={3} size="h5" className="any-word">
            {title}
          </Title>
          <Text size="sm" className="any-word">
            {targetOf(route)}
          </Text>
        </div>
        <Group gap="xs">
          <Button size="xs" variant="default" aria-label={`Change: ${title}`} onClick={onEdit}>
            Change
          </Button>
          <ConfirmButton
            size="xs"
            aria-label={`Delete: ${title}`}
            title="Delete this route?"
            text="Leads that exist stay as they are."
            confirm="Delete"
            onConfirm={() => void attempt(deleteRoute({ variables: { id: route.id } }))}
          >
            Delete
          </ConfirmButton>
        </Group>
      </Group>
    </Paper>
  );
}

function targetOf(route: RoutePartsFragment): string {
  if (route.distributionTarget === "MYSELF") return "Stays with me";
  if (route.teamSelectionMethod === "ZIPCODE") return "Offered to my team with the ZIP code";
  return `Offered to ${route.team?.name ?? "a team that was deleted"}`;
}
