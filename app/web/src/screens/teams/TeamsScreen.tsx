import { EmptyState } from "../../components/EmptyState";
import { PageTitle } from "../../components/PageTitle";

export function TeamsScreen() {
  return (
    <>
      <PageTitle title="Teams" />
      <EmptyState title="This screen is not built yet" />
    </>
  );
}
