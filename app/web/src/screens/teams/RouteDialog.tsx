import { useMutation } from "@apollo/client/react";
import { Button, Group, Select, Stack, Text, TextInput } from "@mantine/core";
import { type FormEvent, useState } from "react";

import { codeOf, describeError } from "../../api/errors";
import { Dialog } from "../../components/Dialog";
import {
  CreateRouteDocument,
  type RoutePartsFragment,
  RoutesDocument,
  UpdateRouteDocument,
  type CreateLeadRouteInput,
} from "../../gql/teams/graphql";

interface Named {
  id: string;
  name: string;
}

interface RouteDialogProps {
  /** Null for a new one. */
  route: RoutePartsFragment | null;
  sources: Named[];
  teams: Named[];
  onClose: () => void;
}

const MYSELF = "MYSELF";
const ZIPCODE = "ZIPCODE";

/** Asks for the values of a route and saves them. */
export function RouteDialog({ route, sources, teams, onClose }: RouteDialogProps) {
  const [createRoute] = useMutation(CreateRouteDocument, { refetchQueries: [RoutesDocument] });
  const [updateRoute] = useMutation(UpdateRouteDocument);
  const [sourceId, setSourceId] = useState(route?.leadSource?.id ?? sources[0]?.id ?? null);
  const [leadType, setLeadType] = useState(route?.leadType ?? "");
  const [target, setTarget] = useState(route ? targetOf(route) : MYSELF);
  const [problem, setProblem] = useState<string | null>(null);

  const save = async (event: FormEvent) => {
    event.preventDefault();
    if (!sourceId || !target) {
      setProblem("Choose a lead source, and who its leads go to.");
      return;
    }
    const input = { leadSourceId: sourceId, leadType: leadType.trim() || null, ...inputOf(target) };
    try {
      if (route) await updateRoute({ variables: { id: route.id, input } });
      else await createRoute({ variables: { input } });
      onClose();
    } catch (error) {
      setProblem(codeOf(error) === "CONFLICT" ? "The source already has a route for this type." : wordsOf(error));
    }
  };

  return (
    <Dialog opened title={route ? "Change route" : "Add route"} onClose={onClose}>
      <form onSubmit={(event) => void save(event)} noValidate>
        <Stack>
          <Select
            label="Lead source"
            data-autofocus
            allowDeselect={false}
            data={choices(sources)}
            value={sourceId}
            onChange={setSourceId}
          />
          <TextInput
            label="Type of leads"
            description="Such as Buyer. Leave it empty for all types without a route of their own."
            maxLength={255}
            value={leadType}
            onChange={(event) => {
              setLeadType(event.currentTarget.value);
            }}
          />
          <Select
            label="Leads go to"
            allowDeselect={false}
            data={[
              { value: MYSELF, label: "Myself" },
              { value: ZIPCODE, label: "My team with the ZIP code" },
              ...choices(teams),
            ]}
            value={target}
            onChange={setTarget}
          />
          {problem && (
            <Text role="alert" size="sm" c="var(--mantine-color-error)">
              {problem}
            </Text>
          )}
          <Group justify="flex-end">
            <Button type="submit">Save route</Button>
          </Group>
        </Stack>
      </form>
    </Dialog>
  );
}

function choices(named: Named[]): { value: string; label: string }[] {
  return named.map(({ id, name }) => ({ value: id, label: name }));
}

function targetOf(route: RoutePartsFragment): string | null {
  if (route.distributionTarget === "MYSELF") return MYSELF;
  return route.teamSelectionMethod === "ZIPCODE" ? ZIPCODE : (route.team?.id ?? null);
}

function inputOf(target: string): Omit<CreateLeadRouteInput, "leadSourceId" | "leadType"> {
  if (target === MYSELF) return { distributionTarget: "MYSELF" };
  if (target === ZIPCODE) return { distributionTarget: "TEAM_ROLLOUT", teamSelectionMethod: "ZIPCODE" };
  return { distributionTarget: "TEAM_ROLLOUT", teamSelectionMethod: "SPECIFIC_TEAM", teamId: target };
}

function wordsOf(error: unknown): string {
  return describeError(error).text;
}
