import type { OrderMethod } from "../../gql/teams/graphql";

/** The order methods in words. */
export const ORDER_METHODS: Record<OrderMethod, { label: string; text: string }> = {
  RANK: { label: "By rank", text: "The lowest rank is offered a lead first, equal ranks at the same time." },
  ROUND_ROBIN: { label: "By turns", text: "Members are first in turn, as often as their weight says." },
  TIME: { label: "By time", text: "Each member is offered a lead after minutes of their own." },
};
