"""The mutations, a module a noun.

Each is one transaction; a refusal has the field's own name as its path and wrote nothing.
"""

from strawberry.tools import merge_types

from app.graphql.mutations.offers import OfferMutations

Mutation = merge_types("Mutation", (OfferMutations,))
