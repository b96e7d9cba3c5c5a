/** A distribution option, and its rank: null comes last. */
export interface Ranked {
  id: string;
  rank?: number | null | undefined;
}

/**
 * The ranks to change so that `moved` has its place in `order`. Between two of equal rank it joins them. Everybody else
 * keeps their rank if there is room; otherwise those who follow move on together, so that equal ranks stay equal.
 */
export function ranksAfterMove(order: Ranked[], moved: string): { id: string; rank: number | null }[] {
  const index = order.findIndex(({ id }) => id === moved);
  const [before, after] = [order[index - 1], order[index + 1]];
  if (before && before.rank == null) return [{ id: moved, rank: null }];
  if (before && after && before.rank === after.rank) return [{ id: moved, rank: before.rank ?? null }];
  const rank = before ? (before.rank ?? 0) + 1 : 1;
  const changes: { id: string; rank: number | null }[] = [{ id: moved, rank }];
  const shift = after?.rank == null ? 0 : rank + 1 - after.rank;
  if (shift > 0) {
    for (const next of order.slice(index + 1)) {
      if (next.rank != null) changes.push({ id: next.id, rank: next.rank + shift });
    }
  }
  return changes;
}
