"""Submits a lead: plans offers to its team's members and writes them, in one transaction.

The checks and the plan come first and write nothing, so that a preview shares them. These statements are compiled,
because submits are frequent.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Insert, and_, bindparam, func, insert, true, union, update
from sqlalchemy.dialects import postgresql
from sqlmodel import SQLModel, col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.access import visibility
from app.commands import outbox
from app.commands.auto_assign import auto_assign
from app.commands.claim import already_claimed
from app.commands.locks import lock_lead, lock_visible_lead, require_creator, share
from app.commands.step_end import set_gives_up_at, unclaimed_minutes
from app.db.alert_columns import alert_columns
from app.db.compiled import Statement
from app.db.functions import rows_parameter
from app.db.models import DistributionOption, Lead, LeadOffer, Team, TeamMember, TeamZipcode, User
from app.db.sqlalchemy_internals import detached
from app.db.types import Id, UTCDateTime, stored
from app.domain.alert_channels import ALERT_FIELDS, Alerts
from app.domain.enums import OPEN_STATUSES, DistributionTarget, LeadOfferStatus, TeamSelectionMethod
from app.domain.planner import (
    Candidate,
    EarlierOffer,
    Option,
    PlannedOffer,
    RolloutPlan,
    RolloutSettings,
    Skipped,
    plan,
)
from app.errors import ApiError, Code
from app.observability import metrics


@dataclass(frozen=True, slots=True)
class Submission:
    """A lead that may be submitted, its team, how the team was chosen, and the offers that a submit would make."""

    lead: Lead
    team: Team
    method: TeamSelectionMethod
    earlier: Sequence[LeadOffer]
    """The lead's existing offers, by whatever team."""
    plan: RolloutPlan


@dataclass(frozen=True, slots=True)
class Submitted:
    """The result of a submit. `offers` are all offers of the lead by this team, by `notify_at`, then id."""

    lead: Lead
    team: Team
    offers: Sequence[LeadOffer]
    created_count: int
    skipped: tuple[Skipped, ...]


async def submit_lead_offers(session: AsyncSession, viewer_id: int, lead_id: int, now: datetime) -> Submitted:
    """Offer the lead to the members of its team; a second submit offers it to those who have no offer yet.

    Raises the errors of `prepare_submission`, and NO_ELIGIBLE_MEMBERS if nobody can be planned and no offer is open.
    """
    submission = await prepare_submission(session, viewer_id, lead_id, now, lock=True)
    lead, team, planned = submission.lead, submission.team, submission.plan
    if planned.offers:
        await _write(session, submission, now)
        if any(offer.assign_automatically and offer.notify_at <= now for offer in planned.offers):
            await auto_assign(session, lead.id, now)
            lead = await lock_lead(session, lead.id)
        await set_gives_up_at(session, [lead.id], now)
        metrics.after_commit(session, metrics.OFFERS_SCHEDULED.inc, len(planned.offers))
    elif not any(offer.status in OPEN_STATUSES for offer in submission.earlier):
        skipped = [{"userId": str(skip.user_id), "reason": skip.reason.name} for skip in planned.skipped]
        message = f"Nobody in the team {team.name} can be offered this lead now. See skipped for the reasons."
        raise ApiError(Code.NO_ELIGIBLE_MEMBERS, message, {"skipped": skipped})
    offers = await _BY_TEAM.all(session, lead_id=lead.id, team_id=team.id)
    return Submitted(lead, team, offers, len(planned.offers), planned.skipped)


async def prepare_submission(
    session: AsyncSession, viewer_id: int, lead_id: int, now: datetime, *, lock: bool, at: datetime | None = None
) -> Submission:
    """Check a submit as of `now` and plan it as of `at`, by default `now`. Nothing is written.

    With `lock` the lead's row is locked first, so that no offer is made while somebody claims the lead. The locks of
    its team and of the candidates are shared, so that the plan is of one state of both.

    Raises the first error that applies: NOT_FOUND, FORBIDDEN, NOT_TEAM_ROLLOUT, ALREADY_CLAIMED, TEAM_NOT_USABLE,
    ZIPCODE_MISSING, NO_TEAM_FOR_ZIPCODE, NO_DISTRIBUTION_OPTIONS.
    """
    lead = await _submittable_lead(session, viewer_id, lead_id, now, lock=lock)
    # An imported lead may lack the method. It then goes to the team that it names.
    method = lead.team_selection_method or TeamSelectionMethod.SPECIFIC_TEAM
    by_zipcode = method is TeamSelectionMethod.ZIPCODE
    team = await (_team_by_zipcode if by_zipcode else _specific_team)(session, lead, lock=lock)

    read_candidates = _SHARED_CANDIDATES if lock else _CANDIDATES
    candidates = await read_candidates.all(session, team_id=team.id, creator_id=team.creator_id)
    if not any(candidate.option for candidate in candidates):
        raise ApiError(Code.NO_DISTRIBUTION_OPTIONS, f"The team {team.name} has no distribution options.")

    earlier = await _OFFERS_OF_LEAD.all(session, lead_id=lead.id)
    known = [
        EarlierOffer(offer.user_id, offer.status, offer.notify_at, offer.rank, offer.team_id == team.id)
        for offer in earlier
    ]
    planned = plan(candidates, known, rollout_settings(team), at or now)
    return Submission(lead, team, method, earlier, planned)


# Checks of the lead and choice of its team

_VISIBLE_LEAD = Statement(
    select(Lead).where(
        col(Lead.id) == bindparam("lead_id"),
        visibility.leads(bindparam("viewer_id", type_=Id), bindparam("now", type_=UTCDateTime)),
    ),
    detached(Lead),
)


async def _submittable_lead(session: AsyncSession, viewer_id: int, lead_id: int, now: datetime, *, lock: bool) -> Lead:
    if lock:
        lead = await lock_visible_lead(session, viewer_id, lead_id, now)
    else:
        lead = await _VISIBLE_LEAD.first(session, lead_id=lead_id, viewer_id=viewer_id, now=now)
    require_creator(None if lead is None else lead.creator_id, viewer_id, to="submit")
    assert lead is not None
    if lead.distribution_target is not DistributionTarget.TEAM_ROLLOUT:
        raise ApiError(Code.NOT_TEAM_ROLLOUT, "The lead's distribution target is not Team Rollout.")
    if lead.claimed_by_id is not None:
        raise await already_claimed(session, lead)
    return lead


_USABLE = select(Team).where(visibility.usable_teams(bindparam("creator_id", type_=Id)))
_SPECIFIC = _USABLE.where(col(Team.id) == bindparam("team_id"))
_OLDEST_WITH_ZIPCODE = (
    _USABLE.join(TeamZipcode, col(TeamZipcode.team_id) == col(Team.id))
    .where(col(TeamZipcode.zipcode) == bindparam("zipcode"))
    .order_by(col(Team.created_at), col(Team.id))
    .limit(1)
)
_BY_ID = {False: Statement(_SPECIFIC, detached(Team)), True: Statement(share(_SPECIFIC, Team), detached(Team))}
_BY_ZIPCODE = {
    False: Statement(_OLDEST_WITH_ZIPCODE, detached(Team)),
    True: Statement(share(_OLDEST_WITH_ZIPCODE, Team, TeamZipcode), detached(Team)),
}
"""Both with and without a lock."""


async def _specific_team(session: AsyncSession, lead: Lead, *, lock: bool) -> Team:
    team = await _BY_ID[lock].first(session, creator_id=lead.creator_id, team_id=lead.team_id)
    if team is None:
        raise ApiError(Code.TEAM_NOT_USABLE, "The lead's team is missing or deleted, or you did not create it.")
    return team


async def _team_by_zipcode(session: AsyncSession, lead: Lead, *, lock: bool) -> Team:
    """Return the creator's oldest team with the lead's zipcode."""
    if not lead.zipcode:
        raise ApiError(Code.ZIPCODE_MISSING, "The lead has no zipcode, and its team is selected by zipcode.")
    team = await _BY_ZIPCODE[lock].first(session, creator_id=lead.creator_id, zipcode=lead.zipcode)
    if team is None:
        raise ApiError(Code.NO_TEAM_FOR_ZIPCODE, f"None of your teams has the zipcode {lead.zipcode}.")
    return team


# The planner's input

_OFFERS_OF_LEAD = Statement(
    select(LeadOffer).where(col(LeadOffer.lead_id) == bindparam("lead_id")), detached(LeadOffer)
)


def rollout_settings(team: Team) -> RolloutSettings:
    """Return the settings of a team as the planner takes them."""
    return RolloutSettings(team.order_method, team.mins_until_next_alert)


def _candidate(
    user_id: int,
    membership: Any,
    is_creator: bool,
    is_active: bool,
    away_until: datetime | None,
    option_id: int | None,
    *values: Any,
) -> Candidate:
    rank, minutes, assign_automatically, *alerts = values
    option = None if option_id is None else Option(rank, minutes, assign_automatically, Alerts(*alerts))
    return Candidate(user_id, membership, is_creator, is_active, away_until, option)


_IN_TEAM = col(TeamMember.team_id) == bindparam("team_id")
_OF_TEAM = col(DistributionOption.team_id) == bindparam("team_id")
_CANDIDATE_COLUMNS: tuple[Any, ...] = (
    User.id,
    TeamMember.request_status,
    col(User.id) == bindparam("creator_id"),
    User.is_active,
    User.away_until,
    DistributionOption.id,
    DistributionOption.rank,
    DistributionOption.mins_until_lead_offer,
    DistributionOption.assign_automatically,
    *alert_columns(DistributionOption).values(),
)
_USER_IDS = union(select(TeamMember.user_id).where(_IN_TEAM), select(DistributionOption.user_id).where(_OF_TEAM))
_SELECT_CANDIDATES = (
    select(*_CANDIDATE_COLUMNS)
    .select_from(User)
    .outerjoin(TeamMember, and_(_IN_TEAM, col(TeamMember.user_id) == col(User.id)))
    .outerjoin(DistributionOption, and_(_OF_TEAM, col(DistributionOption.user_id) == col(User.id)))
    .where(col(User.id).in_(_USER_IDS))
)
_CANDIDATES = Statement(_SELECT_CANDIDATES, _candidate)
_SHARED_CANDIDATES = Statement(share(_SELECT_CANDIDATES, User), _candidate)
"""The members of a team, and every user with a distribution option in it."""


# What a submit writes

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
    ).returning(_OFFERS.c.user_id, _OFFERS.c.id)


_UPSERT_OFFERS = Statement(_upsert_offers(), lambda user_id, offer_id: (user_id, offer_id))

_NEW_ROLLOUT = Statement(
    insert(_ROLLOUTS)
    .values(
        lead_id=bindparam("lead_id"),
        team_id=bindparam("team_id"),
        team_selection_method=bindparam("method"),
        submitted_at=bindparam("now"),
        wait_minutes=bindparam("wait_minutes"),
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
_WATCH = Statement[None](
    update(Lead)
    .where(col(Lead.id) == bindparam("lead_id"))
    .values(watched_since=func.coalesce(Lead.watched_since, bindparam("now", type_=UTCDateTime)), exhausted_at=None)
)
_BY_TEAM = Statement(
    select(LeadOffer)
    .where(col(LeadOffer.lead_id) == bindparam("lead_id"), col(LeadOffer.team_id) == bindparam("team_id"))
    .order_by(col(LeadOffer.notify_at).nulls_last(), col(LeadOffer.id)),
    detached(LeadOffer),
)


async def _write(session: AsyncSession, submission: Submission, now: datetime) -> None:
    """Write the offers, their deliveries and the record of the rollout, and watch the lead for exhaustion again."""
    lead, team, planned = submission.lead, submission.team, submission.plan
    written = await _UPSERT_OFFERS.all(
        session,
        lead_id=lead.id,
        team_id=team.id,
        offered_by_id=lead.creator_id,
        order_method=team.order_method,
        planned=[_planned_row(new) for new in planned.offers],
    )
    offer_ids = dict(written)
    await outbox.schedule_deliveries(
        session,
        [outbox.Announcement(offer_ids[new.user_id], new.alerts, new.notify_at) for new in planned.offers],
    )

    rollout_id = await _NEW_ROLLOUT.one(
        session,
        lead_id=lead.id,
        team_id=team.id,
        method=submission.method,
        now=now,
        wait_minutes=unclaimed_minutes(session),
    )
    await _NEW_ROLLOUT_OFFERS.run(session, rollout_id=rollout_id, made=[(offer_id,) for offer_id in offer_ids.values()])
    if planned.skipped:
        skipped = [(skip.user_id, skip.reason) for skip in planned.skipped]
        await _NEW_ROLLOUT_SKIPS.run(session, rollout_id=rollout_id, skipped=skipped)

    if lead.watched_since is None or lead.exhausted_at is not None:
        await _WATCH.run(session, lead_id=lead.id, now=now)
