import { useMutation } from "@apollo/client/react";
import { Checkbox, Group, Stack } from "@mantine/core";

import {
  ChangeOptionDocument,
  type OptionPartsFragment,
  type OrderMethod,
  TeamNotesDocument,
  type UpdateDistributionOptionInput,
} from "../../gql/teams/graphql";
import { attempt } from "../../api/attempt";
import { NumberField } from "./NumberField";

const YEAR = 525_600; // minutes

const TICKS = [
  ["hasEmailAlert", "E-mail"],
  ["hasTextAlert", "Text message"],
  ["hasCallAlert", "Phone call"],
  ["assignAutomatically", "Assign automatically"],
] as const;

interface OptionFieldsProps {
  option: OptionPartsFragment;
  orderMethod: OrderMethod;
  name: string;
}

/** How a team offers leads to one person: each field is saved at once. */
export function OptionFields({ option, orderMethod, name }: OptionFieldsProps) {
  const [changeOption] = useMutation(ChangeOptionDocument, { refetchQueries: [TeamNotesDocument] });
  const change = (input: UpdateDistributionOptionInput, shown?: Partial<OptionPartsFragment>) =>
    attempt(
      changeOption({
        variables: { id: option.id, input },
        ...(shown && {
          optimisticResponse: { updateDistributionOption: { distributionOption: { ...option, ...shown } } },
        }),
      }),
    );
  return (
    <Stack gap="sm">
      <Group gap="md" align="flex-start">
        {orderMethod === "RANK" && (
          <NumberField
            label="Rank"
            about={name}
            value={option.rank ?? null}
            min={0}
            max={2_147_483_647}
            empty="Last"
            save={(rank) => change({ rank })}
          />
        )}
        {orderMethod === "TIME" && (
          <NumberField
            label="After minutes"
            about={name}
            value={option.minsUntilLeadOffer}
            min={0}
            max={YEAR}
            save={(minsUntilLeadOffer) => change({ minsUntilLeadOffer })}
          />
        )}
        {orderMethod === "ROUND_ROBIN" && (
          <NumberField
            label="Weight"
            about={name}
            value={option.weight}
            min={1}
            max={100}
            save={(weight) => change({ weight })}
          />
        )}
        <NumberField
          label="Most leads a day"
          about={name}
          value={option.maxLeadsPerDay ?? null}
          min={0}
          max={1000}
          empty="Any number"
          save={(maxLeadsPerDay) => change({ maxLeadsPerDay })}
        />
      </Group>
      <Group gap="md">
        {TICKS.map(([field, label]) => (
          <Checkbox
            key={field}
            label={label}
            aria-label={`${label}: ${name}`}
            checked={option[field]}
            onChange={({ currentTarget: { checked } }) => void change({ [field]: checked }, { [field]: checked })}
          />
        ))}
      </Group>
    </Stack>
  );
}
