import { EmptyState } from "../../components/EmptyState";
import { PageTitle } from "../../components/PageTitle";

export function InboxScreen() {
  return (
    <>
      <PageTitle title="Inbox" />
      <EmptyState title="This screen is not built yet" />
    </>
  );
}
