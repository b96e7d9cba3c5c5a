"""The GraphQL API: the schema, its resolvers, and its endpoints over HTTP, WebSocket and server-sent events."""
