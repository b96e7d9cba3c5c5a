"""The REST API of lead offers for FeathersJS clients: it parses and prints; filters and commands are shared."""
