"""The REST address of lead offers, in the dialect of FeathersJS: a parser and a printer over what GraphQL uses."""
