"""Recipients: which users can see what has changed, found by one statement for all changes and all users."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import datetime

from sqlmodel import col, select

from app.access import visibility
from app.access.list_fields import team_of_last_step
from app.db.engine import Database
from app.db.functions import member_of
from app.db.models import Lead, LeadOffer, User

Recipients = Mapping[int, Collection[int]]
"""The ids of the users who can see a row, by the id of the row."""

Groups = Mapping[int, Mapping[int, int | None]]
"""The lead of an offer, or the teams of a lead, by the id of the offer or lead. Each comes with the id of the only user
who may know of it, or None if every recipient may."""


async def offer_recipients(db: Database, offer_ids: Collection[int], user_ids: Collection[int]) -> Recipients:
    """Return which of these users can see which of these offers."""
    statement = (
        select(col(LeadOffer.id), col(User.id))
        .join(User, visibility.offers(col(User.id)))
        .where(member_of(col(LeadOffer.id), offer_ids))
        .where(member_of(col(User.id), user_ids))
    )
    found: dict[int, list[int]] = defaultdict(list)
    async with db.read() as session:
        for offer_id, user_id in (await session.exec(statement)).all():
            found[offer_id].append(user_id)
    return found


async def lead_recipients(
    db: Database, lead_ids: Collection[int], user_ids: Collection[int], now: datetime
) -> Recipients:
    """Return which of these users can see which of these leads."""
    viewers = visibility.lead_viewers(lead_ids, now)
    statement = viewers.where(member_of(viewers.selected_columns[1], user_ids))
    found: dict[int, list[int]] = defaultdict(list)
    async with db.read() as session:
        for lead_id, user_id in (await session.exec(statement)).all():
            found[lead_id].append(user_id)
    return found


async def teams_of_leads(db: Database, lead_ids: Collection[int]) -> Groups:
    """Return the teams that each of these leads belongs to: the named one, and the one that was offered it last.

    The latter belongs to the lead for its creator alone, as in `list_fields.rollout_team_id`.
    """
    teams = (col(Lead.team_id), team_of_last_step(col(Lead.id)))
    statement = select(col(Lead.id), col(Lead.creator_id), *teams).where(member_of(col(Lead.id), lead_ids))
    found: dict[int, dict[int, int | None]] = {}
    async with db.read() as session:
        for lead_id, creator_id, named, offered in (await session.exec(statement)).all():
            of_creator = {} if offered is None else {offered: creator_id}
            found[lead_id] = {**of_creator, **({} if named is None else {named: None})}
    return found
