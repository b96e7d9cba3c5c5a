"""The time from when a lead could be answered until it was claimed, as SQL."""

from typing import Any

from sqlalchemy import ColumnElement, case

from app.db.functions import seconds_between
from app.domain.enums import ClaimedVia

UNANSWERED = (ClaimedVia.AUTO, ClaimedVia.ASSIGNED)
"""The ways in which a user gets a lead without an answer of theirs."""


def time_to_claim(
    begins: ColumnElement[Any], via: ColumnElement[Any], claimed_at: ColumnElement[Any]
) -> ColumnElement[int | None]:
    """Return the whole seconds until a claim; null if one of the times is unknown, or if nobody answered anything."""
    return case((via.not_in(UNANSWERED), seconds_between(begins, claimed_at)))
