"""Offer states: the status of an offer, and the reason for its end, after its lead is claimed, released or imported."""

from typing import NamedTuple

from app.domain.enums import EndReason, LeadOfferStatus


class OfferState(NamedTuple):
    status: LeadOfferStatus
    end_reason: EndReason | None = None


CLAIMED = OfferState(LeadOfferStatus.CLAIMED)


def after_claim(status: LeadOfferStatus) -> OfferState:
    """Return the state of an offer that was open, or CLAIMED by the last holder, once another user has its lead."""
    if status is LeadOfferStatus.SCHEDULED:
        return OfferState(LeadOfferStatus.CANCELLED, EndReason.CLAIMED)
    return OfferState(LeadOfferStatus.EXPIRED, EndReason.CLAIMED)


def after_release(status: LeadOfferStatus, end_reason: EndReason | None) -> LeadOfferStatus | None:
    """Return the status that a release gives an offer back, or None unless a claim had ended the offer."""
    if status is LeadOfferStatus.EXPIRED:
        return LeadOfferStatus.SENT
    if status is LeadOfferStatus.CANCELLED and end_reason is EndReason.CLAIMED:
        return LeadOfferStatus.SCHEDULED
    return None


def imported(user_id: int | None, holder_id: int | None, *, is_ahead: bool) -> OfferState:
    """Return the state of an imported offer, for which the REST API has no field.

    `is_ahead` says that `notify_at` is in the future; an offer without `notify_at` was sent. `holder_id` is the user
    who has claimed the lead.
    """
    if is_ahead and user_id is None:
        return OfferState(LeadOfferStatus.CANCELLED, EndReason.IMPORTED)
    status = LeadOfferStatus.SCHEDULED if is_ahead else LeadOfferStatus.SENT
    if holder_id is None:
        return OfferState(status)
    return CLAIMED if user_id == holder_id else after_claim(status)
