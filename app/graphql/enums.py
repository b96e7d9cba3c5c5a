"""The enums of the tables as GraphQL enums. A client treats a value it does not know as something else."""

from enum import Enum, StrEnum

import strawberry

from app.domain.enums import (
    Channel,
    ClaimedVia,
    DeliveryStatus,
    DistributionTarget,
    LeadOfferStatus,
    OrderMethod,
    RequestStatus,
    SkipReason,
    TeamSelectionMethod,
)
from app.domain.team_warnings import TeamWarningCode

__all__ = [
    "Channel",
    "ClaimedVia",
    "DeliveryStatus",
    "DistributionTarget",
    "InvitationAnswer",
    "LeadOfferStatus",
    "OrderMethod",
    "RequestStatus",
    "SkipReason",
    "SortDirection",
    "TeamSelectionMethod",
    "TeamWarningCode",
]


def _describe(kind: type[StrEnum], description: str, **values: str) -> None:
    """Makes a table's enum a GraphQL enum, with descriptions of its values."""
    strawberry.enum(kind, description=description)
    for value in kind.__strawberry_definition__.values:  # type: ignore[attr-defined]
        value.description = values.get(value.name)


@strawberry.enum(description="Which way a list runs. Nulls come last in both directions.")
class SortDirection(Enum):
    ASC = "asc"
    DESC = "desc"


@strawberry.enum(
    description="What an invited user may answer. ACCEPTED after DECLINED joins again; DECLINED after ACCEPTED leaves "
    "the team."
)
class InvitationAnswer(Enum):
    ACCEPTED = RequestStatus.ACCEPTED
    DECLINED = RequestStatus.DECLINED


_describe(
    DistributionTarget,
    "Who a lead is distributed to. REST spelling: Myself, Team Rollout.",
    MYSELF="Nobody else: its creator keeps it.",
    TEAM_ROLLOUT="The members of a team, one after the other.",
)
_describe(
    TeamSelectionMethod,
    "How the team of a rollout is chosen. REST spelling: Specific Team, Zipcode.",
    SPECIFIC_TEAM="The team that the lead or its route names.",
    ZIPCODE="The team that has the lead's zipcode; of several the oldest.",
)
_describe(
    OrderMethod,
    "Order in which a team's members are offered a lead. REST spelling: Rank, Time.",
    RANK="Lowest rank first, the next after the team's minsUntilNextAlert.",
    TIME="Each member their own minutes after the submit.",
)
_describe(
    RequestStatus,
    "State of an invitation to a team. REST spelling: Pending, Accepted, Declined.",
    PENDING="The invited user has not answered.",
    ACCEPTED="The user is a member and is offered leads.",
    DECLINED="The user declined, or has left.",
)
_describe(
    ClaimedVia,
    "How a lead was claimed. REST spelling: None (for APP), Email, Text, Phone, Assigned, Auto.",
    APP="By claimLeadOffer.",
    EMAIL="By the link in an e-mail.",
    TEXT="By the link in a text message, or a reply to it.",
    PHONE="By a key press during a call.",
    ASSIGNED="Given by the lead's creator.",
    AUTO="By an offer that assigns automatically.",
)
_describe(
    LeadOfferStatus,
    "What has become of an offer.",
    SCHEDULED="Notification not sent yet.",
    SENT="A message has gone out, or every channel was given up on, or there is none.",
    CLAIMED="This offer's user has the lead.",
    DECLINED="This offer's user does not want the lead, or gave it back.",
    EXPIRED="Somebody else has the lead, and this offer had been sent. SENT again if the lead is released.",
    CANCELLED="Withdrawn: the lead was claimed before this was sent, or the user left, was switched off, was away when "
    "it came due, or the team was deleted. A release of the lead or a new submit schedules it again.",
)
_describe(
    SkipReason,
    "Why a member of the team got no new offer from a submit; of several, the first in this order.",
    ALREADY_OFFERED="Has an offer of this lead that is scheduled, sent or declined.",
    USER_INACTIVE="The account is switched off.",
    NOT_A_MEMBER="Has a distribution option, but is not (or no longer) in the team.",
    INVITATION_DECLINED="Declined the invitation, or left.",
    INVITATION_PENDING="Has not answered the invitation.",
    NO_DISTRIBUTION_OPTION="Nobody has set how this member is offered leads.",
    USER_AWAY="Is away at the moment of the submit.",
)
_describe(Channel, "A way to reach a user.")
_describe(
    DeliveryStatus,
    "What has become of a delivery.",
    PENDING="Not sent yet, or to be tried again at nextAttemptAt.",
    SENT="Handed over to the channel's provider.",
    DELIVERED="The provider says that it arrived.",
    FAILED="Given up on; error says why.",
    CANCELLED="Withdrawn before it was sent.",
)
_describe(
    TeamWarningCode,
    "What in a team's settings will not do what it seems to.",
    NO_USABLE_CHANNEL="Nothing tells the member of an offer: no channel is switched on, or none that reaches them.",
    CHANNEL_NOT_SET_UP="The member is to be alerted by a channel that this server cannot send on.",
    NEVER_REACHED="The lead is assigned to somebody else automatically before the member is told.",
    ZIPCODE_OF_AN_OLDER_TEAM="An older team of yours has the zipcode, too, and gets its leads.",
    INVITATION_NOT_ACCEPTED="Has an option, but is offered no leads before accepting the invitation.",
)
