"""The enums of the tables, each member with the REST API's spelling as its value. They are stored by name."""

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


class RequestStatus(StrEnum):
    PENDING = "Pending"
    ACCEPTED = "Accepted"
    DECLINED = "Declined"


class ClaimedVia(StrEnum):
    APP = "None"
    EMAIL = "Email"
    TEXT = "Text"
    PHONE = "Phone"
    ASSIGNED = "Assigned"
    AUTO = "Auto"


class LeadOfferStatus(StrEnum):
    SCHEDULED = "Scheduled"
    SENT = "Sent"
    CLAIMED = "Claimed"
    DECLINED = "Declined"
    EXPIRED = "Expired"
    CANCELLED = "Cancelled"


OPEN_STATUSES = (LeadOfferStatus.SCHEDULED, LeadOfferStatus.SENT)
"""An offer that is neither answered nor ended."""


class EndReason(StrEnum):
    """Why an offer ended; a release brings back only what a claim had ended."""

    CLAIMED = "Claimed"
    LEFT = "Left"
    SWITCHED_OFF = "Switched off"
    AWAY = "Away"
    TEAM_DELETED = "Team deleted"
    IMPORTED = "Imported"


class SkipReason(StrEnum):
    """In the order of precedence: of several reasons the first is named."""

    ALREADY_OFFERED = "Already offered"
    USER_INACTIVE = "User inactive"
    NOT_A_MEMBER = "Not a member"
    INVITATION_DECLINED = "Invitation declined"
    INVITATION_PENDING = "Invitation pending"
    NO_DISTRIBUTION_OPTION = "No distribution option"
    USER_AWAY = "User away"


class Channel(StrEnum):
    CALL = "Call"
    TEXT = "Text"
    EMAIL = "Email"


class EventKind(StrEnum):
    OFFER_CLAIMED = "offer.claimed"
    ROLLOUT_EXHAUSTED = "rollout.exhausted"
    DELIVERY_FAILED = "delivery.failed"


class DeliveryStatus(StrEnum):
    PENDING = "Pending"
    SENT = "Sent"
    DELIVERED = "Delivered"
    FAILED = "Failed"
    CANCELLED = "Cancelled"
