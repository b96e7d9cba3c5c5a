"""Who wants no texts: they have replied STOP."""

from sqlalchemy import ColumnElement, exists
from sqlmodel import col, select

from app.db.models import TextStop, User


def wants_no_texts() -> ColumnElement[bool]:
    """Of a user in the select around: they have asked for no texts to the number that they have now."""
    theirs = (col(TextStop.user_id) == col(User.id), col(TextStop.phone) == col(User.phone))
    return exists(select(1).where(*theirs).correlate(User))
