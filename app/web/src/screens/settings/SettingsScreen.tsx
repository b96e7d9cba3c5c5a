import { EmptyState } from "../../components/EmptyState";
import { PageTitle } from "../../components/PageTitle";

export function SettingsScreen() {
  return (
    <>
      <PageTitle title="Settings" />
      <EmptyState title="This screen is not built yet" />
    </>
  );
}
