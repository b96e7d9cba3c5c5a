"""What a submit writes: its offers, the record of it, and that the lead is watched again."""

from collections.abc import Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any

from sqlalchemy import ColumnElement, Insert, bindparam, func, insert, true, update
from sqlalchemy.dialects import postgresql
from sqlmodel import SQLModel, col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.commands.preparation import Prepared
from app.db.compiled import Statement
from app.db.functions import rows_parameter
from app.db.models import Lead, LeadOffer
from app.db.sqlalchemy_internals import detached
from app.db.types import Id, UTCDateTime, stored
from app.domain.enums import LeadOfferStatus

_OFFERS, _ROLLOUTS, _ROLLOUT_OFFERS, _ROLLOUT_SKIPS = (
    SQLModel.metadata.tables[name] for name in ("lead_offers", "lead_rollouts", "rollout_offers", "rollout_skips")
)
_PLANNED = rows_parameter(
    "planned",
    _OFFERS.c.user_id,
    _OFFERS.c.notify_at,
    _OFFERS.c.rank,
    _OFFERS.c.assign_automatically,
    _OFFERS.c.has_call_alert,
    _OFFERS.c.has_text_alert,
    _OFFERS.c.has_email_alert,
)
_as_planned = attrgetter(*_PLANNED.c.keys())


def _upsert() -> Insert:
    """One offer a lead and user: a cancelled one is planned anew in its row, any other is never touched."""
    same = ("lead_id", "team_id", "offered_by_id", "order_method")
    row: dict[str, ColumnElement[Any]] = {name: bindparam(name, type_=_OFFERS.c[name].type) for name in same}
    row |= {"status": stored(LeadOfferStatus.SCHEDULED), **_PLANNED.c}
    # SQLite has PostgreSQL's ON CONFLICT, and tells it from a join by the WHERE before it.
    new = postgresql.insert(_OFFERS).from_select(list(row), select(*row.values()).where(true()))
    return new.on_conflict_do_update(
        index_elements=["lead_id", "user_id"],
        set_={column.name: new.excluded[column.name] for column in _OFFERS.columns if not column.primary_key},
        where=_OFFERS.c.status == LeadOfferStatus.CANCELLED,
    ).returning(_OFFERS.c.user_id, _OFFERS.c.id)


_UPSERT = Statement(_upsert(), lambda user_id, offer_id: (user_id, offer_id))


async def write_offers(session: AsyncSession, prepared: Prepared) -> dict[int, int]:
    """Makes the offers or plans cancelled ones anew; the id of each by its user."""
    lead, team = prepared.lead, prepared.team
    written = await _UPSERT.all(
        session,
        lead_id=lead.id,
        team_id=team.id,
        offered_by_id=lead.creator_id,
        order_method=team.order_method,
        planned=[_as_planned(offer) for offer in prepared.plan.offers],
    )
    return dict(written)


_NEW_ROLLOUT = Statement(
    insert(_ROLLOUTS)
    .values(
        lead_id=bindparam("lead_id"),
        team_id=bindparam("team_id"),
        team_selection_method=bindparam("method"),
        submitted_at=bindparam("now"),
    )
    .returning(_ROLLOUTS.c.id),
    int,
)
_ROLLOUT_ID = bindparam("rollout_id", type_=Id)
_MADE = rows_parameter("made", _ROLLOUT_OFFERS.c.offer_id)
_NEW_OFFERS = Statement[None](
    insert(_ROLLOUT_OFFERS).from_select(["rollout_id", "offer_id"], select(_ROLLOUT_ID, *_MADE.c))
)
_SKIPPED = rows_parameter("skipped", _ROLLOUT_SKIPS.c.user_id, _ROLLOUT_SKIPS.c.reason)
_NEW_SKIPS = Statement[None](
    insert(_ROLLOUT_SKIPS).from_select(["rollout_id", "user_id", "reason"], select(_ROLLOUT_ID, *_SKIPPED.c))
)


async def record(session: AsyncSession, prepared: Prepared, offer_ids: Sequence[int], now: datetime) -> None:
    """Keeps what this submit did, for whoever asks later why a lead went to one and not to another."""
    rollout_id = await _NEW_ROLLOUT.one(
        session, lead_id=prepared.lead.id, team_id=prepared.team.id, method=prepared.method, now=now
    )
    await _NEW_OFFERS.run(session, rollout_id=rollout_id, made=[(offer_id,) for offer_id in offer_ids])
    if prepared.plan.skipped:
        skipped = [(skip.user_id, skip.reason) for skip in prepared.plan.skipped]
        await _NEW_SKIPS.run(session, rollout_id=rollout_id, skipped=skipped)


_WATCH = Statement[None](
    update(Lead)
    .where(col(Lead.id) == bindparam("lead_id"))
    .values(watched_since=func.coalesce(Lead.watched_since, bindparam("now", type_=UTCDateTime)), exhausted_at=None)
)


async def watch(session: AsyncSession, lead: Lead, now: datetime) -> None:
    """From now on, or from before, the lead counts as one that somebody should take."""
    if lead.watched_since is None or lead.exhausted_at is not None:
        await _WATCH.run(session, lead_id=lead.id, now=now)


_BY_TEAM = Statement(
    select(LeadOffer)
    .where(col(LeadOffer.lead_id) == bindparam("lead_id"), col(LeadOffer.team_id) == bindparam("team_id"))
    .order_by(col(LeadOffer.notify_at).nulls_last(), col(LeadOffer.id)),
    detached(LeadOffer),
)


async def offers_by_team(session: AsyncSession, lead_id: int, team_id: int) -> Sequence[LeadOffer]:
    """The lead's offers by this team, made now or before, in the order of their moments."""
    return await _BY_TEAM.all(session, lead_id=lead_id, team_id=team_id)
