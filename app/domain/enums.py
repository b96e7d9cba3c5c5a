"""Enums of the tables. A member's value is its spelling in the REST API; the database stores its name."""

from enum import StrEnum


class DistributionTarget(StrEnum):
    MYSELF = "Myself"
    TEAM_ROLLOUT = "Team Rollout"


class TeamSelectionMethod(StrEnum):
    SPECIFIC_TEAM = "Specific Team"
    ZIPCODE = "Zipcode"


class OrderMethod(StrEnum):
    RANK = "Rank"
    TIME = "Time"
    ROUND_ROBIN = "Round Robin"


class RolloutCause(StrEnum):
    """The reason why a team was offered a lead: a step of a rollout is submitted, or follows the step before it."""

    SUBMITTED = "Submitted"
    PASSED_ON = "Passed on"


class RequestStatus(StrEnum):
    PENDING = "Pending"
    ACCEPTED = "Accepted"
    DECLINED = "Declined"


class ClaimedVia(StrEnum):
    APP = "None"  # the REST API has no name for a claim in the app
    EMAIL = "Email"
    TEXT = "Text"
    PHONE = "Phone"
    ASSIGNED = "Assigned"
    AUTO = "Auto"


class ClaimEnd(StrEnum):
    """The reason why a claim ended."""

    RELEASED = "Released"
    REASSIGNED = "Reassigned"


class LeadOfferStatus(StrEnum):
    SCHEDULED = "Scheduled"
    SENT = "Sent"
    CLAIMED = "Claimed"
    DECLINED = "Declined"
    EXPIRED = "Expired"
    CANCELLED = "Cancelled"


OPEN_STATUSES = (LeadOfferStatus.SCHEDULED, LeadOfferStatus.SENT)
"""Statuses of an offer that the user has not answered and that has not ended."""


class EndReason(StrEnum):
    """The reason why an offer ended. A release reopens only the offers that a claim had ended."""

    CLAIMED = "Claimed"
    LEFT = "Left"
    SWITCHED_OFF = "Switched off"
    AWAY = "Away"
    CAP = "Cap"
    TEAM_DELETED = "Team deleted"
    IMPORTED = "Imported"


class SkipReason(StrEnum):
    """The reason why a submit skipped a user, in the order of precedence: the first that applies is reported."""

    ALREADY_OFFERED = "Already offered"
    USER_INACTIVE = "User inactive"
    NOT_A_MEMBER = "Not a member"
    INVITATION_DECLINED = "Invitation declined"
    INVITATION_PENDING = "Invitation pending"
    NO_DISTRIBUTION_OPTION = "No distribution option"
    USER_AWAY = "User away"
    CAP_REACHED = "Cap reached"
    BEYOND_LIMIT = "Beyond limit"


class Channel(StrEnum):
    CALL = "Call"
    TEXT = "Text"
    EMAIL = "Email"


class ApiScope(StrEnum):
    """The permissions of an access token or an API key. The values are those of the claim `scope` of a token.

    `read` is for queries and subscriptions, `write` for mutations, `intake` for the addresses that take in enquiries.
    """

    READ = "read"
    WRITE = "write"
    INTAKE = "intake"


class EventKind(StrEnum):
    OFFER_CLAIMED = "offer.claimed"
    ROLLOUT_PASSED_ON = "rollout.passed_on"
    ROLLOUT_EXHAUSTED = "rollout.exhausted"
    DELIVERY_FAILED = "delivery.failed"


class DeliveryStatus(StrEnum):
    PENDING = "Pending"
    SENT = "Sent"
    DELIVERED = "Delivered"
    FAILED = "Failed"
    CANCELLED = "Cancelled"
