import { Stack, Text } from "@mantine/core";

import type { LeadSkippedFragment } from "../../gql/lead/graphql";
import { nameOf } from "../../components/enquiryWords";
import { SKIPPED } from "./words";

/** Who was not offered the lead, and why. */
export function SkippedList({ skipped }: { skipped: LeadSkippedFragment[] }) {
  if (skipped.length === 0) return null; // no empty line
  return (
    <Stack gap={4}>
      {skipped.map(({ user, reason }) => (
        <Text key={user.id} size="sm" c="dimmed" className="any-word">
          Skipped: {nameOf(user)} {SKIPPED[reason]}
        </Text>
      ))}
    </Stack>
  );
}
