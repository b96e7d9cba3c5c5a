"""The planner's input: the members of a team, and what decides whether, when and in which order they get a lead.

These statements are compiled, because submits are frequent.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, and_, bindparam, exists, func, union
from sqlalchemy.orm import aliased
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.commands.locks import share
from app.db.alert_columns import alert_columns
from app.db.compiled import Statement
from app.db.functions import rows_parameter
from app.db.models import DistributionOption, Lead, LeadOffer, Team, TeamMember, Turn, User
from app.domain.alert_channels import Alerts
from app.domain.enums import OPEN_STATUSES
from app.domain.planner import Candidate, Option, RolloutSettings
from app.domain.time_zones import day_start
from app.domain.turns import MemberTurns


def rollout_settings(team: Team) -> RolloutSettings:
    """Return the settings of a team as the planner takes them."""
    return RolloutSettings(
        team.order_method, team.mins_until_next_alert, team.members_per_lead, team.keeps_contacts, team.turn_mark
    )


async def fetch_candidates(
    session: AsyncSession, team: Team, lead: Lead, at: datetime, *, lock: bool
) -> Sequence[Candidate]:
    """Return the members of the team and every user with an option in it, for a step that begins at `at`.

    With `lock`, the locks of these users are shared. The caller has locked a team with turns or caps exclusively, so
    that no other step uses the same turn or fills the same cap.
    """
    read = _SHARED_CANDIDATES if lock else _CANDIDATES
    rows = await read.all(session, team_id=team.id, creator_id=team.creator_id)
    candidates = [candidate for candidate, _ in rows]
    capped = [(c.user_id, day_start(zone, at)) for c, zone in rows if c.option and c.option.max_leads_per_day]
    if capped:
        counts = await count_leads(session, team.id, capped)
        candidates = [replace(each, leads_today=counts.get(each.user_id, 0)) for each in candidates]
    if team.keeps_contacts:
        claims = dict(await _CLAIMS_OF_CONTACT.all(session, contact_id=lead.contact_id, lead_id=lead.id))
        candidates = [replace(each, contact_claimed_at=claims.get(each.user_id)) for each in candidates]
    return candidates


async def count_leads(session: AsyncSession, team_id: int, since: Sequence[tuple[int, datetime]]) -> dict[int, int]:
    """Return how many leads users hold, by user id, that they got since a time of their own by offers of the team.

    Users without such leads are left out.
    """
    return dict(await _LEADS_SINCE.all(session, team_id=team_id, capped=since))


def has_got(user_id: Any, since: Any, team_id: Any) -> ColumnElement[bool]:
    """The user holds the lead, and got it since then by an offer of the team: a condition on leads and their offers."""
    return and_(
        col(Lead.claimed_by_id) == user_id,
        col(Lead.claimed_at) >= since,
        col(LeadOffer.lead_id) == col(Lead.id),
        col(LeadOffer.user_id) == user_id,
        col(LeadOffer.team_id) == team_id,
    )


class _Row(NamedTuple):
    candidate: Candidate
    timezone: str


def _row(*columns: Any) -> _Row:
    """Return the candidate of a row of `_COLUMNS`."""
    user_id, membership, is_creator, is_active, away_until, timezone, mark, taken, last_taken_at, *option = columns
    turns = MemberTurns(mark, taken, last_taken_at) if taken else None
    return _Row(Candidate(user_id, membership, is_creator, is_active, away_until, _option(*option), turns), timezone)


def _option(option_id: int | None, *values: Any) -> Option | None:
    if option_id is None:
        return None
    rank, minutes, assign_automatically, weight, cap, *alerts = values
    return Option(rank, minutes, assign_automatically, Alerts(*alerts), weight, cap)


_TEAM_ID = bindparam("team_id", type_=Team.__table__.c.id.type)  # type: ignore[attr-defined]
_IN_TEAM = col(TeamMember.team_id) == _TEAM_ID
_OF_TEAM = col(DistributionOption.team_id) == _TEAM_ID
_COLUMNS: Any = (
    User.id,
    TeamMember.request_status,
    col(User.id) == bindparam("creator_id"),
    User.is_active,
    User.away_until,
    User.timezone,
    Turn.mark,
    Turn.taken,
    Turn.last_taken_at,
    DistributionOption.id,
    DistributionOption.rank,
    DistributionOption.mins_until_lead_offer,
    DistributionOption.assign_automatically,
    DistributionOption.weight,
    DistributionOption.max_leads_per_day,
    *alert_columns(DistributionOption).values(),
)
_USER_IDS: Any = union(select(TeamMember.user_id).where(_IN_TEAM), select(DistributionOption.user_id).where(_OF_TEAM))
_SELECT = (
    select(*_COLUMNS)
    .select_from(User)
    .outerjoin(TeamMember, and_(_IN_TEAM, col(TeamMember.user_id) == col(User.id)))
    .outerjoin(DistributionOption, and_(_OF_TEAM, col(DistributionOption.user_id) == col(User.id)))
    .outerjoin(Turn, and_(col(Turn.team_id) == _TEAM_ID, col(Turn.user_id) == col(User.id)))
    .where(col(User.id).in_(_USER_IDS))
)
_CANDIDATES = Statement(_SELECT, _row)
_SHARED_CANDIDATES = Statement(share(_SELECT, User), _row)


def _pair(*columns: Any) -> tuple[Any, ...]:
    return columns


_CAPPED = rows_parameter("capped", User.__table__.c.id, Lead.__table__.c.claimed_at)  # type: ignore[attr-defined]
_USER_ID: Any = _CAPPED.c.id
_LEADS_SINCE = Statement[Any](
    select(_USER_ID, func.count()).where(has_got(_USER_ID, _CAPPED.c.claimed_at, _TEAM_ID)).group_by(_USER_ID), _pair
)

_HOLDER: Any = col(Lead.claimed_by_id)
_CLAIMED_AT: Any = func.max(func.coalesce(Lead.claimed_at, Lead.created_at))
_CLAIMS_OF_CONTACT = Statement[Any](
    select(_HOLDER, _CLAIMED_AT)
    .where(
        col(Lead.contact_id) == bindparam("contact_id"),
        col(Lead.id) != bindparam("lead_id"),
        col(Lead.claimed_by_id).is_not(None),
    )
    .group_by(col(Lead.claimed_by_id)),
    _pair,
)
"""The holders of other leads of a contact, and when each of them claimed the last one."""


def _is_contacts_agent() -> ColumnElement[bool]:
    """Return the condition that the user of an offer is the contact's agent, as an expression over its row.

    As in the planner, it is the last user who claimed another lead of the contact, of those whose offers of this lead
    by this team are open.
    """
    rival, this, other = aliased(LeadOffer), aliased(Lead), aliased(Lead)
    held = and_(
        col(other.contact_id) == col(this.contact_id),
        col(other.id) != col(this.id),
        col(other.claimed_by_id) == col(rival.user_id),
    )
    agent_id = (
        select(rival.user_id)
        .join(this, col(this.id) == col(rival.lead_id))
        .join(other, held)
        .where(
            col(rival.lead_id) == col(LeadOffer.lead_id),
            col(rival.team_id) == col(LeadOffer.team_id),
            col(rival.status).in_(OPEN_STATUSES),
        )
        .order_by(func.coalesce(other.claimed_at, other.created_at).desc(), col(rival.user_id))
        .limit(1)
        .correlate(LeadOffer)
        .scalar_subquery()
    )
    keeps_contacts = exists(
        select(1).where(col(Team.id) == col(LeadOffer.team_id), col(Team.keeps_contacts)).correlate(LeadOffer)
    )
    return and_(keeps_contacts, col(LeadOffer.user_id) == agent_id)


IS_CONTACTS_AGENT = _is_contacts_agent()
