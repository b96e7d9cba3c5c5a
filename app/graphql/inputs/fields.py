"""Declarations of arguments and input fields."""

from typing import Annotated, Any, TypeVar

import strawberry
from strawberry import UNSET, argument

T = TypeVar("T")

Input = Annotated[T, argument(description="The values to write.")]
ApiKeyId = Annotated[strawberry.ID, argument(description="Id of the API key.")]
ContactId = Annotated[strawberry.ID, argument(description="Id of the contact.")]
DistributionOptionId = Annotated[strawberry.ID, argument(description="Id of the distribution option.")]
LeadId = Annotated[strawberry.ID, argument(description="Id of the lead.")]
LeadOfferId = Annotated[strawberry.ID, argument(description="Id of the offer.")]
LeadRouteId = Annotated[strawberry.ID, argument(description="Id of the lead route.")]
TeamId = Annotated[strawberry.ID, argument(description="Id of the team.")]
TeamMemberId = Annotated[strawberry.ID, argument(description="Id of the membership.")]
WaitingInvitationId = Annotated[strawberry.ID, argument(description="Id of the waiting invitation.")]
UserId = Annotated[strawberry.ID, argument(description="Id of the user.")]

PATCH = "A field that is left out keeps its value."
NOT_NULL = "Null is BAD_USER_INPUT."


def optional(description: str) -> Any:
    """Declare an input field that clients may leave out; it is UNSET then, which is not null."""
    return strawberry.field(default=UNSET, description=description)


def required(description: str) -> Any:
    """Declare an input field that clients must send."""
    return strawberry.field(description=description)


def defaulted(default: Any, description: str) -> Any:
    """Declare an input field with a default value."""
    return strawberry.field(default=default, description=description)
