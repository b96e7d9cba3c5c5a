"""Lead Offers: a GraphQL server that offers each lead to the members of a team and lets exactly one of them have it."""
