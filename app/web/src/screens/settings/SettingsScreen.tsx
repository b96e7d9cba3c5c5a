import "../../app/otherStyles.css";

import { useQuery } from "@apollo/client/react";
import { Divider, Paper, SimpleGrid, Stack, Title } from "@mantine/core";

import { ErrorNotice } from "../../components/ErrorNotice";
import { PageLoading } from "../../components/PageLoading";
import { PageTitle } from "../../components/PageTitle";
import { SettingsDocument } from "../../gql/settings/graphql";
import { AbsenceForm } from "./AbsenceForm";
import { ApiKeys } from "./ApiKeys";
import { ProfileForm } from "./ProfileForm";
import { QuietHoursForm } from "./QuietHoursForm";

/** The viewer's profile, availability and API keys. */
export function SettingsScreen() {
  const { data, error, refetch } = useQuery(SettingsDocument);
  return (
    <>
      <PageTitle title="Settings" />
      {error && <ErrorNotice error={error} retry={refetch} />}
      {!data && !error && <PageLoading />}
      {data && (
        <Stack>
          <SimpleGrid cols={{ base: 1, md: 2 }}>
            <ProfileForm me={data.me} />
            <Paper withBorder p="md" component="section" aria-labelledby="availability">
              <Title order={2} size="h4" mb="sm" id="availability">
                My availability
              </Title>
              <AbsenceForm me={data.me} />
              <Divider my="md" />
              <QuietHoursForm me={data.me} />
            </Paper>
          </SimpleGrid>
          <ApiKeys keys={data.apiKeys.data} sources={data.leadSources.data} />
        </Stack>
      )}
    </>
  );
}
