import { useQuery } from "@apollo/client/react";

import { useViewer } from "../../app/Viewer";
import { BoardDocument, type BoardQuery } from "../../gql/board/graphql";
import { type BoardView, variablesOf } from "./boardView";

export interface Board {
  /** Of the view before, while the view's own are loaded. */
  data: BoardQuery | undefined;
  /** Empty until it is known. */
  viewerId: string;
  isLoading: boolean;
  error: Error | undefined;
  refetch: () => unknown;
}

export function useBoard(view: BoardView): Board {
  const viewer = useViewer();
  const me = viewer.data?.me.id ?? "";
  const { data, previousData, loading, error, refetch } = useQuery(BoardDocument, {
    variables: variablesOf(view, me),
    skip: !me,
  });
  return {
    data: data ?? previousData,
    viewerId: me,
    isLoading: loading,
    error: viewer.error ?? error,
    refetch: viewer.error ? viewer.refetch : refetch,
  };
}
