"""Chains: a team may name a next team, which is offered a lead that nobody in the team takes."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import ColumnElement, and_, bindparam, exists, func
from sqlalchemy.orm import aliased
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.access import visibility
from app.commands.locks import lock_counted_teams, share
from app.db.compiled import Statement
from app.db.models import DistributionOption, LeadRollout, Team
from app.db.sqlalchemy_internals import detached
from app.db.types import Id, stored
from app.domain.bounds import LONGEST_CHAIN
from app.domain.enums import OrderMethod, RolloutCause


@dataclass(frozen=True, slots=True)
class ChainTeam:
    """A team that a lead can be distributed to, as the first or a later one of a chain."""

    team: Team
    has_caps: bool
    """Whether any of its members has a cap."""

    @property
    def is_counted(self) -> bool:
        """Whether a step reads what other steps write: turns or caps."""
        return self.has_caps or self.team.order_method is OrderMethod.ROUND_ROBIN


_OPTION_OF_TEAM = col(DistributionOption.team_id) == col(Team.id)
CHAIN_TEAMS: Any = select(
    Team, exists(select(1).where(_OPTION_OF_TEAM, col(DistributionOption.max_leads_per_day).is_not(None)))
)
"""Selects teams with the columns that `chain_team` takes. A statement adds its conditions."""

_team = detached(Team)


def chain_team(*columns: Any) -> ChainTeam:
    """Return the `ChainTeam` of a row of `CHAIN_TEAMS`."""
    return ChainTeam(_team(*columns[:-1]), bool(columns[-1]))


async def fetch_chain(
    session: AsyncSession, first: ChainTeam, *, longest: int, lock: bool, offered_by: Collection[int] = ()
) -> list[Team]:
    """Return the team and those that follow it: each one once, and at most `longest`.

    With `lock`, the locks of all of them are shared, and those of teams with turns or caps are exclusive. The caller
    shares the lock of the first. `offered_by` are the teams whose offers of the lead are open: an automatic assignment
    may need their locks later in the transaction, when it would be out of order to take them.
    """
    chain = [first]
    while len(chain) < longest and (following := chain[-1].team.next_team_id) is not None:
        found = None
        if following not in {each.team.id for each in chain}:
            found = await find_chain_team(session, following, lock=lock)
        if found is None:
            break
        chain.append(found)

    if lock and (counted := [each.team.id for each in chain if each.is_counted]):
        fresh = {team.id: team for team in await lock_counted_teams(session, {*counted, *offered_by})}
        chain = [replace(each, team=fresh.get(each.team.id, each.team)) for each in chain]
    return [each.team for each in chain]


async def find_chain_team(session: AsyncSession, team_id: int, *, lock: bool) -> ChainTeam | None:
    """Return the team unless it is deleted. With `lock`, its lock is shared."""
    return await _FOLLOWING[lock].first(session, team_id=team_id)


_LIVE = CHAIN_TEAMS.where(col(Team.id) == bindparam("team_id", type_=Id), visibility.is_live())
_FOLLOWING = {False: Statement(_LIVE, chain_team), True: Statement(share(_LIVE, Team), chain_team)}
"""Both with and without a lock."""


def following_team(lead: Any) -> ColumnElement[int | None]:
    """Return the id of the team that a lead goes on to, as an expression over its row; null if there is none.

    It equals `next_team_id` (app/commands/steps.py) of the running steps. The subqueries name the tables that are their
    own, because by itself SQLAlchemy takes the lead from the statement directly around a subquery only.
    """
    step, asked = aliased(LeadRollout), aliased(LeadRollout)
    team, following = aliased(Team), aliased(Team)
    is_running = _is_running(lead, asked)
    last_step = select(func.max(asked.id)).where(is_running).correlate_except(asked).scalar_subquery()
    count = select(func.count()).select_from(asked).where(is_running).correlate_except(asked).scalar_subquery()
    was_asked = exists(select(1).where(is_running, col(asked.team_id) == col(following.id)).correlate_except(asked))
    found: Any = (
        select(following.id)
        .join(team, col(team.next_team_id) == col(following.id))
        .join(step, col(step.team_id) == col(team.id))
        .where(col(step.id) == last_step, visibility.is_live(following), ~was_asked, count < LONGEST_CHAIN)
    )
    return found.correlate_except(step, team, following).scalar_subquery()  # type: ignore[no-any-return]


def has_gone_on(lead: Any, team_id: Any) -> ColumnElement[bool]:
    """Return whether the lead has gone on from the team to another one since its last submit, as an expression."""
    step, later = aliased(LeadRollout), aliased(LeadRollout)
    return exists(
        select(1)
        .where(
            _is_running(lead, step),
            col(step.team_id) == team_id,
            col(later.lead_id) == lead.id,
            col(later.id) > col(step.id),
        )
        .correlate_except(step, later)
    )


def _is_running(lead: Any, step: type[LeadRollout]) -> ColumnElement[bool]:
    """The step is one since the lead's last submit, as in `running_steps` (app/commands/passing_on.py)."""
    submit = aliased(LeadRollout)
    last_submit = (
        select(func.max(submit.id))
        .where(col(submit.lead_id) == lead.id, col(submit.cause) == stored(RolloutCause.SUBMITTED))
        .correlate_except(submit)
        .scalar_subquery()
    )
    return and_(
        col(step.lead_id) == lead.id,
        col(step.id) > func.coalesce(lead.ended_step_id, 0),
        col(step.id) >= func.coalesce(last_submit, 0),
    )
