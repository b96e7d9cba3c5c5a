"""Submitting a lead: its team's members are offered it, each at their moment, in one transaction."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, insert
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import SQLModel, col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.commands import deliveries
from app.commands.automatic import assign_automatically
from app.commands.preparation import Prepared, prepare
from app.errors import Code, Refusal
from app.models import OPEN_STATUSES, Lead, LeadOffer, LeadOfferStatus, Team
from app.observability import metrics
from app.rollout import Plan, PlannedOffer, Skipped


@dataclass(frozen=True, slots=True)
class Submitted:
    """What a submit did. `offers` are all of the lead's by this team, by `notify_at`, then id."""

    lead: Lead
    team: Team
    offers: tuple[LeadOffer, ...]
    created_count: int
    skipped: tuple[Skipped, ...]


async def submit_lead_offers(session: AsyncSession, viewer_id: int, lead_id: int, now: datetime) -> Submitted:
    """Offers the lead to its team (rules of submitting a lead). A second submit offers it to those who are new.

    Raises a Refusal: those of `prepare`, and NO_ELIGIBLE_MEMBERS where nobody is to be planned and no offer is open.
    """
    prepared = await prepare(session, viewer_id, lead_id, now, lock=True)
    lead, team, planned = prepared.lead, prepared.team, prepared.plan
    if planned.offers:
        await _write(session, prepared, now)
        metrics.after_commit(session, metrics.OFFERS_SCHEDULED.inc, len(planned.offers))
    elif not any(offer.status in OPEN_STATUSES for offer in prepared.earlier):
        raise _nobody(planned)
    return Submitted(lead, team, await _offers(session, lead, team), len(planned.offers), planned.skipped)


def _nobody(planned: Plan) -> Refusal:
    skipped = [{"userId": str(skip.user_id), "reason": skip.reason.name} for skip in planned.skipped]
    return Refusal(Code.NO_ELIGIBLE_MEMBERS, "Nobody in the team can be offered this lead now.", {"skipped": skipped})


async def _write(session: AsyncSession, prepared: Prepared, now: datetime) -> None:
    """The offers, the work of telling their users, and the record of it; then who gets the lead by itself at once."""
    lead, planned = prepared.lead, prepared.plan
    offer_ids = await _write_offers(session, prepared)
    await deliveries.schedule(
        session,
        [
            (offer_ids[offer.user_id], channel, offer.notify_at)
            for offer in planned.offers
            for channel in deliveries.channels(offer)
        ],
    )
    await _record(session, prepared, list(offer_ids.values()), now)
    lead.watched_since, lead.exhausted_at = lead.watched_since or now, None
    await session.flush()
    if any(offer.assign_automatically and offer.notify_at <= now for offer in planned.offers):
        await assign_automatically(session, lead.id, now)
        await session.refresh(lead)


_OFFERS, _ROLLOUTS, _ROLLOUT_OFFERS, _ROLLOUT_SKIPS = (
    SQLModel.metadata.tables[name] for name in ("lead_offers", "lead_rollouts", "rollout_offers", "rollout_skips")
)


def _upsert(insert: Any) -> Any:
    """One offer a lead and user: a cancelled one is planned anew in its row, any other is never touched."""
    new = insert(_OFFERS)
    renewed = {column.name: new.excluded[column.name] for column in _OFFERS.columns if not column.primary_key}
    return new.on_conflict_do_update(
        index_elements=["lead_id", "user_id"],
        set_=renewed,
        where=_OFFERS.c.status == LeadOfferStatus.CANCELLED,
    ).returning(_OFFERS.c.user_id, _OFFERS.c.id)


_UPSERT = {"postgresql": _upsert(postgresql.insert), "sqlite": _upsert(sqlite.insert)}


async def _write_offers(session: AsyncSession, prepared: Prepared) -> dict[int, int]:
    """Makes the offers or plans cancelled ones anew; the id of each by its user."""
    rows = [_row(offer, prepared.lead, prepared.team) for offer in prepared.plan.offers]
    return dict((await session.exec(_UPSERT[session.get_bind().dialect.name], params=rows)).all())


def _row(offer: PlannedOffer, lead: Lead, team: Team) -> dict[str, object]:
    return {
        "lead_id": lead.id,
        "user_id": offer.user_id,
        "team_id": team.id,
        "offered_by_id": lead.creator_id,
        "notify_at": offer.notify_at,
        "order_method": team.order_method,
        "rank": offer.rank,
        "assign_automatically": offer.assign_automatically,
        "has_call_alert": offer.has_call_alert,
        "has_text_alert": offer.has_text_alert,
        "has_email_alert": offer.has_email_alert,
        "status": LeadOfferStatus.SCHEDULED,
        "end_reason": None,
        "held_until": None,
    }


async def _record(session: AsyncSession, prepared: Prepared, offer_ids: list[int], now: datetime) -> None:
    """Keeps what this submit did, for whoever asks later why a lead went to one and not to another."""
    rollout = {
        "lead_id": prepared.lead.id,
        "team_id": prepared.team.id,
        "team_selection_method": prepared.method,
        "submitted_at": now,
    }
    rollout_id = (await session.exec(_NEW_ROLLOUT, params=rollout)).scalar_one()
    offers = [{"rollout_id": rollout_id, "offer_id": offer_id} for offer_id in offer_ids]
    await session.exec(_NEW_ROLLOUT_OFFERS, params=offers)
    skips = [
        {"rollout_id": rollout_id, "user_id": skip.user_id, "reason": skip.reason} for skip in prepared.plan.skipped
    ]
    if skips:
        await session.exec(_NEW_ROLLOUT_SKIPS, params=skips)


_NEW_ROLLOUT = insert(_ROLLOUTS).returning(_ROLLOUTS.c.id)
_NEW_ROLLOUT_OFFERS = insert(_ROLLOUT_OFFERS)
_NEW_ROLLOUT_SKIPS = insert(_ROLLOUT_SKIPS)
_BY_TEAM = (
    select(LeadOffer)
    .where(col(LeadOffer.lead_id) == bindparam("lead_id"), col(LeadOffer.team_id) == bindparam("team_id"))
    .order_by(col(LeadOffer.notify_at).nulls_last(), col(LeadOffer.id))
)


async def _offers(session: AsyncSession, lead: Lead, team: Team) -> tuple[LeadOffer, ...]:
    wanted = {"lead_id": lead.id, "team_id": team.id}
    return tuple(await session.exec(_BY_TEAM, params=wanted, execution_options={"populate_existing": True}))
