"""The mutations, one module per noun.

Each mutation is one transaction. If it fails, the error has the field's name as its path, and nothing was written.
"""

import strawberry

from app.graphql.mutations.api_keys import ApiKeyMutations
from app.graphql.mutations.availability import AvailabilityMutations
from app.graphql.mutations.leads import LeadMutations
from app.graphql.mutations.offers import OfferMutations
from app.graphql.mutations.receive import ReceiveMutations
from app.graphql.mutations.routes import RouteMutations
from app.graphql.mutations.teams import TeamMutations
from app.graphql.mutations.users import UserMutations


@strawberry.type(
    description="Mutations need a token or API key with the scope write. Each one runs in a transaction of its own: if "
    "it fails, its field is null, errors has an entry with the field's name as its path, and nothing was written."
)
class Mutation(
    OfferMutations,
    TeamMutations,
    RouteMutations,
    LeadMutations,
    ReceiveMutations,
    AvailabilityMutations,
    UserMutations,
    ApiKeyMutations,
): ...
