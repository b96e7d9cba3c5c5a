import { useApolloClient, useMutation } from "@apollo/client/react";
import { Button, Group, NumberInput, Select, SimpleGrid, Stack, Textarea, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useState } from "react";
import { useNavigate } from "react-router";

import { ErrorNotice } from "../../components/ErrorNotice";
import { type BoardQuery, CreateLeadDocument } from "../../gql/board/graphql";
import { fieldErrors } from "../settings/fieldErrors";
import { BY_ZIPCODE, inputOf, missingFrom, MYSELF, NO_VALUES, REFUSED } from "./newLeadInput";
import { noteCreatedLead } from "./newLeads";

interface NewLeadFormProps {
  /** Those of the viewer, to which a lead can go. */
  teams: BoardQuery["teams"]["data"];
  sources: BoardQuery["leadSources"]["data"];
}

/** Creates a lead from an enquiry, and goes to it: where it is to be submitted, with the preview open. */
export function NewLeadForm({ teams, sources }: NewLeadFormProps) {
  const [create, { loading }] = useMutation(CreateLeadDocument);
  const { cache } = useApolloClient();
  const navigate = useNavigate();
  const [error, setError] = useState<unknown>(null);
  const form = useForm({
    initialValues: { ...NO_VALUES, target: teams.length === 1 ? (teams[0]?.id ?? BY_ZIPCODE) : BY_ZIPCODE },
    validate: missingFrom,
  });
  const isOffered = form.values.target !== MYSELF;

  const focusFirst = (errors: Record<string, unknown>) => {
    const first = Object.keys(form.values).find((field) => errors[field]);
    if (first) form.getInputNode(first)?.focus();
  };

  const save = (isSubmitted: boolean) =>
    form.onSubmit(async (values) => {
      setError(null);
      try {
        const { data } = await create({ variables: { input: inputOf(values) } });
        const id = data?.createLead?.lead.id;
        if (!id) return;
        noteCreatedLead(cache, id);
        await navigate(`/board/${id}`, { state: { submit: isSubmitted } });
      } catch (problem) {
        const refused = fieldErrors(problem, REFUSED);
        const errors = { ...refused, target: refused["teamId"] };
        form.setErrors(errors);
        focusFirst(errors);
        if (Object.keys(refused).length === 0) setError(problem);
      }
    }, focusFirst);

  return (
    <form onSubmit={save(isOffered)} noValidate>
      <Stack gap="sm">
        <SimpleGrid cols={{ base: 1, xs: 2 }} spacing="sm">
          <TextInput label="First name" data-autofocus {...form.getInputProps("firstName")} />
          <TextInput label="Last name" {...form.getInputProps("lastName")} />
          <TextInput label="E-mail" type="email" {...form.getInputProps("email")} />
          <TextInput label="Phone" type="tel" {...form.getInputProps("mobilePhone")} />
          <TextInput label="Type" placeholder="For example Buyer" {...form.getInputProps("type")} />
          <NumberInput
            label="Price"
            hideControls
            allowNegative={false}
            allowDecimal={false}
            thousandSeparator=","
            {...form.getInputProps("listingPrice")}
          />
          <TextInput label="Street and number" {...form.getInputProps("streetAddress")} />
          <TextInput label="City" {...form.getInputProps("city")} />
          <TextInput label="State" {...form.getInputProps("state")} />
          <TextInput label="ZIP code" inputMode="numeric" {...form.getInputProps("zipcode")} />
        </SimpleGrid>
        <Textarea label="Message" autosize minRows={2} maxRows={8} {...form.getInputProps("message")} />
        <Select
          label="Source"
          placeholder="None"
          clearable
          searchable
          clearButtonProps={{ "aria-label": "Choose no source" }}
          nothingFoundMessage="No source has this name"
          data={sources.map(({ id, name }) => ({ value: id, label: name }))}
          {...form.getInputProps("sourceId")}
        />
        <Select
          label="Offer it to"
          allowDeselect={false}
          data={[
            ...teams.map(({ id, name }) => ({ value: id, label: name })),
            { value: BY_ZIPCODE, label: "The team of its ZIP code" },
            { value: MYSELF, label: "Nobody: I keep it" },
          ]}
          {...form.getInputProps("target")}
        />
        {error !== null && <ErrorNotice error={error} />}
        <Group justify="flex-end" mt="sm">
          {isOffered && (
            <Button
              variant="default"
              disabled={loading}
              onClick={() => {
                save(false)();
              }}
            >
              Create only
            </Button>
          )}
          <Button type="submit" loading={loading}>
            {isOffered ? "Create and preview" : "Create"}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
