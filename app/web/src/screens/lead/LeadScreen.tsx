import { EmptyState } from "../../components/EmptyState";
import { PageTitle } from "../../components/PageTitle";

export function LeadScreen() {
  return (
    <>
      <PageTitle title="Lead" />
      <EmptyState title="This screen is not built yet" />
    </>
  );
}
