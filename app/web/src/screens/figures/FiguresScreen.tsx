import { EmptyState } from "../../components/EmptyState";
import { PageTitle } from "../../components/PageTitle";

export function FiguresScreen() {
  return (
    <>
      <PageTitle title="Figures" />
      <EmptyState title="This screen is not built yet" />
    </>
  );
}
