"""The mutations, a module a noun.

Each is one transaction; a refusal has the field's own name as its path and wrote nothing.
"""

from strawberry.tools import merge_types

from app.graphql.mutations.availability import AvailabilityMutations
from app.graphql.mutations.leads import LeadMutations
from app.graphql.mutations.offers import OfferMutations
from app.graphql.mutations.routes import RouteMutations
from app.graphql.mutations.teams import TeamMutations

Mutation = merge_types(
    "Mutation", (OfferMutations, TeamMutations, RouteMutations, LeadMutations, AvailabilityMutations)
)
