import { EmptyState } from "../../components/EmptyState";
import { PageTitle } from "../../components/PageTitle";

export function TeamScreen() {
  return (
    <>
      <PageTitle title="Team" />
      <EmptyState title="This screen is not built yet" />
    </>
  );
}
