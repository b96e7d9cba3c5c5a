"""The GraphQL API: schema, resolvers, and the HTTP door they are reached by."""
