"""The enums of the domain as GraphQL enums. Later versions may add values, so clients must accept unknown ones."""

from enum import Enum, StrEnum

import strawberry

from app.domain.enums import (
    ApiScope,
    Channel,
    ClaimedVia,
    ClaimEnd,
    DeliveryStatus,
    DistributionTarget,
    LeadOfferStatus,
    OrderMethod,
    RequestStatus,
    RolloutCause,
    SkipReason,
    TeamSelectionMethod,
)
from app.domain.figures import FigureGroup
from app.domain.team_warnings import TeamWarningCode

__all__ = [
    "ApiScope",
    "Channel",
    "ClaimEnd",
    "ClaimedVia",
    "DeliveryStatus",
    "DistributionTarget",
    "FigureGroup",
    "InvitationAnswer",
    "LeadOfferStatus",
    "OrderMethod",
    "RequestStatus",
    "RolloutCause",
    "SkipReason",
    "SortDirection",
    "SubmitRefusalCode",
    "TeamSelectionMethod",
    "TeamWarningCode",
]


def _describe(kind: type[StrEnum], description: str, **values: str) -> None:
    """Make an enum of the domain a GraphQL enum, with a description of each value."""
    strawberry.enum(kind, description=description)
    for value in kind.__strawberry_definition__.values:  # type: ignore[attr-defined]
        value.description = values[value.name]


@strawberry.enum(description="Direction of a sort. Null values come last in both directions.")
class SortDirection(Enum):
    ASC = strawberry.enum_value("asc", description="Ascending: smallest, earliest or first in the alphabet first.")
    DESC = strawberry.enum_value("desc", description="Descending: largest, latest or last in the alphabet first.")


@strawberry.enum(description="Answer to an invitation. It can be changed later.")
class InvitationAnswer(Enum):
    ACCEPTED = strawberry.enum_value("ACCEPTED", description="Joins the team, also after an earlier DECLINED.")
    DECLINED = strawberry.enum_value(
        "DECLINED", description="Declines the invitation, or leaves the team after an earlier ACCEPTED."
    )


@strawberry.enum(description="Why a received lead could not be submitted: an error code of submitLeadOffers.")
class SubmitRefusalCode(Enum):
    TEAM_NOT_USABLE = strawberry.enum_value(
        "TEAM_NOT_USABLE", description="The team of the lead's route is missing or deleted."
    )
    ZIPCODE_MISSING = strawberry.enum_value(
        "ZIPCODE_MISSING", description="The lead's route chooses the team by ZIP code, and the lead has none."
    )
    NO_TEAM_FOR_ZIPCODE = strawberry.enum_value(
        "NO_TEAM_FOR_ZIPCODE", description="None of your teams has the lead's ZIP code."
    )
    NO_DISTRIBUTION_OPTIONS = strawberry.enum_value(
        "NO_DISTRIBUTION_OPTIONS", description="The team has no distribution options."
    )
    NO_ELIGIBLE_MEMBERS = strawberry.enum_value(
        "NO_ELIGIBLE_MEMBERS", description="Nobody in the team can be offered the lead now. See skipped."
    )


_describe(
    ApiScope,
    "A permission of an API key.",
    READ="Queries, subscriptions and GET in the REST API.",
    WRITE="Mutations and POST in the REST API.",
    INTAKE="Sending leads to POST /leads and POST /intake. A key with this scope alone can do nothing else, and those "
    "addresses tell it no more than the id of the lead.",
)
_describe(
    FigureGroup,
    "Ways to group the leads of leadFigures. Groups without leads are left out.",
    DAY="The day in the time zone. Groups are ordered by it.",
    SOURCE="The source that the lead came from. Groups are ordered by its id, and leads without a source come last.",
    TEAM="The team of the lead's first step. Groups are ordered by its id, and leads that no team was offered come "
    "last.",
    TYPE="The lead's type, trimmed and without regard to case. Groups are ordered by it, and leads without a type come "
    "last.",
    WEEK="The week, from Monday to Sunday, in the time zone. Groups are ordered by it.",
)
_describe(
    DistributionTarget,
    "How a lead is distributed. REST spelling: Myself, Team Rollout.",
    MYSELF="Nobody: the lead stays with its creator and cannot be submitted.",
    TEAM_ROLLOUT="The members of a team, in the team's orderMethod.",
)
_describe(
    TeamSelectionMethod,
    "How the team of a rollout is chosen. REST spelling: Specific Team, Zipcode.",
    SPECIFIC_TEAM="The team that the lead or its route names.",
    ZIPCODE="Your team that has the lead's ZIP code in its distributionZipcodes; if several have it, the oldest.",
)
_describe(
    OrderMethod,
    "Order in which the members of a team are offered a lead. REST spelling: Rank, Time, Round Robin.",
    RANK="By rank, lowest first. The next rank follows after minsUntilNextAlert minutes; equal ranks come together.",
    TIME="By time: each member after their own minsUntilLeadOffer minutes from the submit.",
    ROUND_ROBIN="By turns, one member after the other. The next in the line follows after minsUntilNextAlert minutes.",
)
_describe(
    RequestStatus,
    "State of an invitation to a team. REST spelling: Pending, Accepted, Declined.",
    PENDING="The invited user has not answered. They are offered no leads.",
    ACCEPTED="The user is a member and is offered leads.",
    DECLINED="The user declined the invitation, or left the team.",
)
_describe(
    ClaimedVia,
    "How a user got a lead. REST spelling: None (for APP), Email, Text, Phone, Assigned, Auto.",
    APP="Claimed through the API, by claimLeadOffer.",
    EMAIL="Claimed by the link in an e-mail.",
    TEXT="Claimed by the link in a text message, or by a reply to it.",
    PHONE="Claimed by a key press during a phone call.",
    ASSIGNED="Assigned by the lead's creator, by assignLead.",
    AUTO="Assigned automatically when an offer with assignAutomatically was due.",
)
_describe(
    ClaimEnd,
    "The reason why a user does not have a lead any more.",
    RELEASED="The user, the lead's creator or an operator released the lead.",
    REASSIGNED="The lead's creator gave the lead to another user.",
)
_describe(
    LeadOfferStatus,
    "State of a lead offer.",
    SCHEDULED="The user has not been notified yet. The lead can be claimed from notifyAt on.",
    SENT="The user has been notified, no channel worked, or none was switched on. The lead can be claimed.",
    CLAIMED="The user of this offer holds the lead.",
    DECLINED="The user declined the offer, or released the lead after claiming it.",
    EXPIRED="Another user holds the lead, and this offer had been SENT. It is SENT again if the lead is released.",
    CANCELLED="Withdrawn. The lead was claimed before notifyAt, the user left the team, was deactivated, or was away "
    "at notifyAt, or the team was deleted. A release of the lead or a new submit may schedule it again.",
)
_describe(
    RolloutCause,
    "The reason why a team was offered a lead.",
    SUBMITTED="The lead was submitted.",
    PASSED_ON="The team before it had its time, or had nobody left.",
)
_describe(
    SkipReason,
    "Why a submit made no new offer for a member. If several reasons apply, the first in the order ALREADY_OFFERED, "
    "USER_INACTIVE, NOT_A_MEMBER, INVITATION_DECLINED, INVITATION_PENDING, NO_DISTRIBUTION_OPTION, USER_AWAY, "
    "CAP_REACHED, BEYOND_LIMIT.",
    ALREADY_OFFERED="The user already has an offer of this lead that is SCHEDULED, SENT or DECLINED.",
    USER_INACTIVE="The user's account is deactivated.",
    NOT_A_MEMBER="The user has a distribution option but is not, or is no longer, a member of the team.",
    INVITATION_DECLINED="The user declined the invitation, or left the team.",
    INVITATION_PENDING="The user has not answered the invitation.",
    NO_DISTRIBUTION_OPTION="The member has no distribution option, so it is not known when to offer them a lead.",
    USER_AWAY="The user is away at the time of the submit.",
    CAP_REACHED="The user has got as many leads by offers of this team today as their distribution option allows.",
    BEYOND_LIMIT="As many members as the team's limit allows come before the user or already have an open offer.",
)
_describe(
    Channel,
    "A channel on which a user is notified of an offer.",
    CALL="A phone call.",
    TEXT="A text message (SMS).",
    EMAIL="An e-mail.",
)
_describe(
    DeliveryStatus,
    "State of a delivery.",
    PENDING="Not sent yet, or to be tried again at nextAttemptAt.",
    SENT="The provider accepted the message.",
    DELIVERED="The provider reported that the message arrived.",
    FAILED="Given up after a permanent failure or the fifth temporary one. The field error says why.",
    CANCELLED="Withdrawn before it was sent.",
)
_describe(
    TeamWarningCode,
    "Kind of a problem in a team's settings.",
    NO_USABLE_CHANNEL="The member is not notified of offers: no channel is switched on, or none can reach them.",
    CHANNEL_NOT_SET_UP="A channel is switched on for the member that this server is not configured to send on.",
    NEVER_REACHED="The lead is assigned to another member automatically before this member is notified.",
    ZIPCODE_OF_AN_OLDER_TEAM="An older team of yours also has the ZIP code and gets its leads.",
    INVITATION_NOT_ACCEPTED="The user has a distribution option, but must accept the invitation to be offered leads.",
    LIMIT_WITHOUT_NEXT_TEAM="The number of members to whom a lead is offered is limited, and no next team follows.",
    NEXT_TEAM_HAS_NOBODY="An unclaimed lead goes on to the next team, but nobody there can be offered leads.",
)
