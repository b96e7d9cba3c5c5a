import { EmptyState } from "../../components/EmptyState";
import { PageTitle } from "../../components/PageTitle";

export function BoardScreen() {
  return (
    <>
      <PageTitle title="Board" />
      <EmptyState title="This screen is not built yet" />
    </>
  );
}
