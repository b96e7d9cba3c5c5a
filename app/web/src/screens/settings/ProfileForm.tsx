import { useMutation } from "@apollo/client/react";
import { Button, Group, Paper, Select, Stack, TextInput, Title } from "@mantine/core";
import { useForm } from "@mantine/form";
import { notifications } from "@mantine/notifications";
import { useState } from "react";

import { ErrorNotice } from "../../components/ErrorNotice";
import { type MySettingsFragment, SaveProfileDocument } from "../../gql/settings/graphql";
import { fieldErrors } from "./fieldErrors";

type Profile = Pick<MySettingsFragment, "firstName" | "lastName" | "phone" | "timezone">;

const REFUSED = {
  firstName: "Enter a first name of at most 255 characters.",
  lastName: "Enter a last name of at most 255 characters.",
  phone: "Enter a phone number with its area code, for example +1 202 555 0142.",
  timezone: "Choose a time zone from the list.",
};

/** The viewer's names, phone number and time zone. What was not changed is not sent: an imported person may have no last name. */
export function ProfileForm({ me }: { me: MySettingsFragment }) {
  const [save, { loading }] = useMutation(SaveProfileDocument);
  const [error, setError] = useState<unknown>(null);
  const form = useForm({
    initialValues: {
      firstName: me.firstName,
      lastName: me.lastName,
      phone: me.phone ?? "",
      timezone: me.timezone,
    },
    validate: {
      firstName: (name) => (name.trim() || name === me.firstName ? null : REFUSED.firstName),
      lastName: (name) => (name.trim() || name === me.lastName ? null : REFUSED.lastName),
    },
  });

  const submit = form.onSubmit(async ({ phone, ...values }) => {
    setError(null);
    try {
      const { data } = await save({ variables: { input: changed(me, { ...values, phone: phone.trim() || null }) } });
      const saved = data?.updateMe?.me;
      if (saved) form.setValues({ ...values, ...saved, phone: saved.phone ?? "" });
      notifications.show({ message: "Your profile is saved." });
    } catch (problem) {
      const refused = fieldErrors(problem, REFUSED);
      form.setErrors(refused);
      if (Object.keys(refused).length === 0) setError(problem);
    }
  });

  return (
    <Paper withBorder p="md" component="section" aria-labelledby="profile">
      <Title order={2} size="h4" mb="sm" id="profile">
        My profile
      </Title>
      <form onSubmit={submit} noValidate>
        <Stack gap="sm">
          <TextInput label="First name" autoComplete="given-name" {...form.getInputProps("firstName")} />
          <TextInput label="Last name" autoComplete="family-name" {...form.getInputProps("lastName")} />
          <TextInput
            label="Phone"
            type="tel"
            autoComplete="tel"
            description="For text messages about new leads"
            {...form.getInputProps("phone")}
          />
          <Select
            label="Time zone"
            searchable
            allowDeselect={false}
            nothingFoundMessage="No such time zone"
            data={timezones(me.timezone)}
            limit={50}
            {...form.getInputProps("timezone")}
          />
          {error !== null && <ErrorNotice error={error} />}
          <Group>
            <Button type="submit" loading={loading}>
              Save profile
            </Button>
          </Group>
        </Stack>
      </form>
    </Paper>
  );
}

function changed(me: MySettingsFragment, profile: Profile): Partial<Profile> {
  const entries = Object.entries(profile).filter(([name, value]) => value !== me[name as keyof Profile]);
  return Object.fromEntries(entries);
}

/** The zones that the browser knows, and the current one, which it may not know. */
function timezones(current: string): string[] {
  return [...new Set([current, "UTC", ...Intl.supportedValuesOf("timeZone")])].sort();
}
