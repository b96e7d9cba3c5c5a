"""Steps of a rollout: each offers a lead to one team. A step is planned when it begins, and written as a whole.

These statements are compiled, because submits are frequent.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Insert, bindparam, func, insert, select, true, update
from sqlalchemy.dialects import postgresql
from sqlmodel import SQLModel, col
from sqlmodel.ext.asyncio.session import AsyncSession

from app.commands import outbox
from app.commands.candidates import fetch_candidates, rollout_settings
from app.commands.step_end import unclaimed_minutes
from app.db.compiled import Statement
from app.db.functions import rows_parameter
from app.db.models import Lead, LeadOffer, Team
from app.db.sqlalchemy_internals import detached
from app.db.types import Id, UTCDateTime, stored
from app.domain.alert_channels import ALERT_FIELDS
from app.domain.bounds import LONGEST_CHAIN
from app.domain.enums import OPEN_STATUSES, LeadOfferStatus, RolloutCause, TeamSelectionMethod
from app.domain.planner import EarlierOffer, PlannedOffer, RolloutPlan, plan
from app.observability import metrics


class KnownOffer(NamedTuple):
    """An offer of the lead that exists, or in a preview would exist, when a step begins."""

    user_id: int | None
    status: LeadOfferStatus
    notify_at: datetime | None
    rank: int | None
    team_id: int | None

    @property
    def is_open(self) -> bool:
        return self.status in OPEN_STATUSES


@dataclass(frozen=True, slots=True)
class Step:
    """A team that is asked to take a lead, why, and the plan for its members."""

    team: Team
    cause: RolloutCause
    plan: RolloutPlan
    has_options: bool
    """Whether the team has any distribution option."""


async def plan_step(
    session: AsyncSession,
    lead: Lead,
    team: Team,
    known: Iterable[KnownOffer],
    cause: RolloutCause,
    at: datetime,
    *,
    lock: bool,
) -> Step:
    """Plan a step that begins at `at`. Nothing is written. See `fetch_candidates` for the locks."""
    candidates = await fetch_candidates(session, team, lead, at, lock=lock)
    earlier = [
        EarlierOffer(offer.user_id, offer.status, offer.notify_at, offer.rank, offer.team_id == team.id)
        for offer in known
    ]
    planned = plan(candidates, earlier, rollout_settings(team), at, cause)
    return Step(team, cause, planned, any(candidate.option for candidate in candidates))


async def known_offers(session: AsyncSession, lead_id: int) -> list[KnownOffer]:
    """Return all offers of a lead, by whatever team."""
    return await _OFFERS_OF_LEAD.all(session, lead_id=lead_id)


def open_teams(known: Iterable[KnownOffer]) -> set[int]:
    """Return the ids of the teams whose offers of the lead are open."""
    return {offer.team_id for offer in known if offer.is_open and offer.team_id is not None}


def next_team_id(asked: Sequence[Team]) -> int | None:
    """Return the id of the team that follows those that were asked since the submit, or None.

    A team is asked once between two submits, also if simultaneous changes made the chain a ring, or too long.
    """
    following = asked[-1].next_team_id
    return None if following in {team.id for team in asked} or len(asked) >= LONGEST_CHAIN else following


def wait_minutes(session: AsyncSession, asked: Sequence[Team]) -> int:
    """Return how long the lead waits after the last offer of the last of these teams."""
    minutes = asked[-1].mins_until_next_team
    return unclaimed_minutes(session) if minutes is None or next_team_id(asked) is None else minutes


async def write_step(
    session: AsyncSession, lead: Lead, step: Step, method: TeamSelectionMethod, wait: int, now: datetime
) -> list[LeadOffer]:
    """Write the offers of a step, their deliveries, the turn and the record. Return the offers.

    The lead then waits `wait` minutes after its last offer, and it may be reported as exhausted again if there are
    offers.
    """
    planned, team = step.plan, step.team
    offers = await _write_offers(session, lead, step) if planned.offers else []
    if planned.turn is not None:
        turn, turns = planned.turn, planned.turn.member_turns
        await _MOVE_TEAM.run(session, team_id=team.id, mark=turn.team_mark)
        await _MOVE_MEMBER.run(
            session,
            team_id=team.id,
            user_id=turn.user_id,
            mark=turns.mark,
            taken=turns.taken,
            last_taken_at=turns.last_taken_at,
        )

    rollout_id = await _NEW_ROLLOUT.one(
        session,
        lead_id=lead.id,
        team_id=team.id,
        method=method,
        now=now,
        wait_minutes=wait,
        cause=step.cause,
        turn_user_id=planned.turn_user_id,
    )
    if offers:
        await _NEW_ROLLOUT_OFFERS.run(session, rollout_id=rollout_id, made=[(offer.id,) for offer in offers])
    if planned.skipped:
        skipped = [(skip.user_id, skip.reason) for skip in planned.skipped]
        await _NEW_ROLLOUT_SKIPS.run(session, rollout_id=rollout_id, skipped=skipped)

    if lead.first_team_id is None:
        await _FIRST_STEP.run(session, lead_id=lead.id, team_id=team.id)
        lead.first_team_id = team.id  # for further steps of this submit, which do not read the lead again
    if offers and (lead.watched_since is None or lead.exhausted_at is not None):
        await _WATCH.run(session, lead_id=lead.id, now=now)
    return offers


async def _write_offers(session: AsyncSession, lead: Lead, step: Step) -> list[LeadOffer]:
    planned = step.plan.offers
    written = await _UPSERT_OFFERS.all(
        session,
        lead_id=lead.id,
        team_id=step.team.id,
        offered_by_id=lead.creator_id,
        order_method=step.team.order_method,
        planned=[_planned_row(new) for new in planned],
    )
    offer_ids = {offer.user_id: offer.id for offer in written}
    await outbox.schedule_deliveries(
        session, [outbox.Announcement(offer_ids[new.user_id], new.alerts, new.notify_at) for new in planned]
    )
    metrics.after_commit(session, metrics.OFFERS_SCHEDULED.inc, len(planned))
    return written


_KNOWN: Any = [getattr(LeadOffer, name) for name in KnownOffer._fields]
_OFFERS_OF_LEAD = Statement(select(*_KNOWN).where(col(LeadOffer.lead_id) == bindparam("lead_id")), KnownOffer)


# What a step writes

_OFFERS, _ROLLOUTS, _ROLLOUT_OFFERS, _ROLLOUT_SKIPS = (
    SQLModel.metadata.tables[name] for name in ("lead_offers", "lead_rollouts", "rollout_offers", "rollout_skips")
)
_PLANNED = rows_parameter(
    "planned",
    _OFFERS.c.user_id,
    _OFFERS.c.notify_at,
    _OFFERS.c.rank,
    _OFFERS.c.assign_automatically,
    *(_OFFERS.c[name] for name in ALERT_FIELDS.values()),
)


def _planned_row(new: PlannedOffer) -> tuple[Any, ...]:
    return new.user_id, new.notify_at, new.rank, new.assign_automatically, *new.alerts.fields().values()


def _upsert_offers() -> Insert:
    """Insert the planned offers. A cancelled offer is planned again in the same row; all others stay as they are."""
    same = ("lead_id", "team_id", "offered_by_id", "order_method")
    row: dict[str, ColumnElement[Any]] = {name: bindparam(name, type_=_OFFERS.c[name].type) for name in same}
    row |= {"status": stored(LeadOfferStatus.SCHEDULED), **_PLANNED.c}
    # SQLite accepts PostgreSQL's ON CONFLICT; without a WHERE it would read ON as the start of a join.
    new = postgresql.insert(_OFFERS).from_select(list(row), select(*row.values()).where(true()))
    return new.on_conflict_do_update(
        index_elements=["lead_id", "user_id"],
        set_={column.name: new.excluded[column.name] for column in _OFFERS.columns if not column.primary_key},
        where=_OFFERS.c.status == LeadOfferStatus.CANCELLED,
    ).returning(*_OFFERS.columns)


_UPSERT_OFFERS = Statement(_upsert_offers(), detached(LeadOffer))

_NEW_ROLLOUT = Statement(
    insert(_ROLLOUTS)
    .values(
        lead_id=bindparam("lead_id"),
        team_id=bindparam("team_id"),
        team_selection_method=bindparam("method"),
        submitted_at=bindparam("now"),
        wait_minutes=bindparam("wait_minutes"),
        cause=bindparam("cause"),
        turn_user_id=bindparam("turn_user_id"),
    )
    .returning(_ROLLOUTS.c.id),
    int,
)
_ROLLOUT_ID = bindparam("rollout_id", type_=Id)
_MADE = rows_parameter("made", _ROLLOUT_OFFERS.c.offer_id)
_NEW_ROLLOUT_OFFERS = Statement[None](
    insert(_ROLLOUT_OFFERS).from_select(["rollout_id", "offer_id"], select(_ROLLOUT_ID, *_MADE.c))
)
_SKIPPED = rows_parameter("skipped", _ROLLOUT_SKIPS.c.user_id, _ROLLOUT_SKIPS.c.reason)
_NEW_ROLLOUT_SKIPS = Statement[None](
    insert(_ROLLOUT_SKIPS).from_select(["rollout_id", "user_id", "reason"], select(_ROLLOUT_ID, *_SKIPPED.c))
)
_FIRST_STEP = Statement[None](
    update(Lead).where(col(Lead.id) == bindparam("lead_id")).values(first_team_id=bindparam("team_id", type_=Id))
)
_WATCH = Statement[None](
    update(Lead)
    .where(col(Lead.id) == bindparam("lead_id"))
    .values(watched_since=func.coalesce(Lead.watched_since, bindparam("now", type_=UTCDateTime)), exhausted_at=None)
)

_TURNS = SQLModel.metadata.tables["turns"]
_MOVE_TEAM = Statement[None](
    update(Team)
    .where(col(Team.id) == bindparam("team_id"))
    .values(turn_mark=bindparam("mark", type_=_TURNS.c.mark.type))
)


def _upsert_turn() -> Insert:
    new = postgresql.insert(_TURNS).values({column.name: bindparam(column.name) for column in _TURNS.columns})
    moved = {name: new.excluded[name] for name in ("mark", "taken", "last_taken_at")}
    return new.on_conflict_do_update(index_elements=["team_id", "user_id"], set_=moved)


_MOVE_MEMBER = Statement[None](_upsert_turn())
