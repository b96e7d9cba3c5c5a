import { useMutation } from "@apollo/client/react";
import { Button, Checkbox, NumberInput, Radio, Select, Stack, TextInput, Title } from "@mantine/core";
import { useForm } from "@mantine/form";
import { notifications } from "@mantine/notifications";

import { describeError, invalidFields } from "../../api/errors";
import { type OrderMethod, type TeamSettingsFragment, UpdateTeamDocument } from "../../gql/teams/graphql";
import { ORDER_METHODS } from "./orderMethods";
import { LOCALE } from "../../time/locale";

const YEAR = 525_600; // minutes

interface SettingsFormProps {
  team: TeamSettingsFragment;
  /** The viewer's other teams, to which leads can go on. */
  teams: { id: string; name: string }[];
}

/** The name of a team, and how it offers leads. */
export function SettingsForm({ team, teams }: SettingsFormProps) {
  const [updateTeam, { loading }] = useMutation(UpdateTeamDocument);
  const form = useForm({
    initialValues: {
      name: team.name,
      orderMethod: team.orderMethod,
      minsUntilNextAlert: team.minsUntilNextAlert as number | string,
      membersPerLead: (team.membersPerLead ?? "") as number | string,
      nextTeamId: team.nextTeam?.id ?? null,
      minsUntilNextTeam: (team.minsUntilNextTeam ?? 30) as number | string,
      keepsContacts: team.keepsContacts,
    },
    validate: {
      name: (name) => (name.trim() ? null : "Enter a name for the team."),
      minsUntilNextAlert: (value, { orderMethod }) => (orderMethod === "TIME" ? null : outside(value, 0, YEAR)),
      membersPerLead: (value) => (value === "" ? null : outside(value, 1, 200)),
      minsUntilNextTeam: (value, { nextTeamId }) => (nextTeamId ? outside(value, 0, YEAR) : null),
    },
  });
  const { orderMethod, nextTeamId } = form.values;

  const save = async (values: typeof form.values) => {
    const input = {
      name: values.name,
      orderMethod: values.orderMethod,
      minsUntilNextAlert: values.orderMethod === "TIME" ? 0 : Number(values.minsUntilNextAlert),
      membersPerLead: values.membersPerLead === "" ? null : Number(values.membersPerLead),
      nextTeamId: values.nextTeamId,
      minsUntilNextTeam: values.nextTeamId ? Number(values.minsUntilNextTeam) : null,
      keepsContacts: values.keepsContacts,
    };
    try {
      await updateTeam({ variables: { id: team.id, input } });
      notifications.show({ title: "Saved", message: "The settings of the team are saved." });
    } catch (error) {
      const { title, text } = describeError(error);
      const wrong = invalidFields(error).map((field) => field.replace("input.", ""));
      const shown = wrong.filter((field) => field in values);
      for (const field of shown) form.setFieldError(field, REFUSED[field] ?? "This value is not valid.");
      if (shown.length === 0) notifications.show({ color: "red", title, message: text });
    }
  };

  return (
    <form onSubmit={form.onSubmit((values) => void save(values))} noValidate>
      <Title order={2} size="h3" my="sm">
        How leads are offered
      </Title>
      <Stack maw={560}>
        <TextInput label="Name" maxLength={255} {...form.getInputProps("name")} />
        <Radio.Group
          label="Order method"
          {...form.getInputProps("orderMethod")}
          onChange={(value) => {
            form.setFieldValue("orderMethod", value as OrderMethod);
          }}
        >
          <Stack gap="xs" mt="xs">
            {Object.entries(ORDER_METHODS).map(([method, { label, text }]) => (
              <Radio key={method} value={method} label={label} description={text} />
            ))}
          </Stack>
        </Radio.Group>
        {orderMethod !== "TIME" && (
          <NumberInput
            label="Minutes until the next offer"
            description="If nobody has claimed the lead by then, it is offered to the next in the order."
            {...NUMBER}
            {...form.getInputProps("minsUntilNextAlert")}
          />
        )}
        <NumberInput
          label="Members per lead"
          description="How many are offered a lead. Leave it empty for all members."
          {...NUMBER}
          {...form.getInputProps("membersPerLead")}
        />
        <Select
          label="Next team"
          description="Leads that nobody here claims go on to it."
          placeholder="No next team"
          clearable
          data={teams.map(({ id, name }) => ({ value: id, label: name }))}
          clearButtonProps={{ "aria-label": "No next team" }}
          {...form.getInputProps("nextTeamId")}
        />
        {nextTeamId && (
          <NumberInput
            label="Minutes until the next team"
            description="Counted from the last offer in this team."
            {...NUMBER}
            {...form.getInputProps("minsUntilNextTeam")}
          />
        )}
        <Checkbox
          label="Members are offered new leads of their contacts first"
          {...form.getInputProps("keepsContacts", { type: "checkbox" })}
        />
        <div>
          <Button type="submit" loading={loading}>
            Save settings
          </Button>
        </div>
      </Stack>
    </form>
  );
}

const NUMBER = { allowDecimal: false, allowNegative: false, clampBehavior: "none", hideControls: true } as const;

const REFUSED: Record<string, string> = {
  nextTeamId: "Leads cannot go on to this team: the chain would lead back, or have more than five teams.",
};

function outside(value: number | string, min: number, max: number): string | null {
  const number = value === "" ? NaN : Number(value);
  if (Number.isInteger(number) && number >= min && number <= max) return null;
  return `Enter a whole number from ${min.toLocaleString(LOCALE)} to ${max.toLocaleString(LOCALE)}.`;
}
