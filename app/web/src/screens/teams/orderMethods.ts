import type { OrderMethod } from "../../gql/teams/graphql";

/** The order methods in words. */
export const ORDER_METHODS: Record<OrderMethod, { label: string; text: string }> = {
  RANK: {
    label: "By rank",
    text: "The lowest rank is offered a lead first; equal ranks are offered it at the same time.",
  },
  ROUND_ROBIN: {
    label: "By turns",
    text: "Members take turns at being first. A higher weight gives a member more turns.",
  },
  TIME: { label: "By time", text: "Each member is offered a lead after a number of minutes of their own." },
};
