"""Passing on: once a step is over, the lead is offered to the next team; after the last one, it is exhausted."""

from collections.abc import Collection, Sequence
from datetime import datetime
from enum import Enum, auto
from itertools import takewhile

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.commands import outbox
from app.commands.auto_assign import auto_assign
from app.commands.chains import fetch_chain, find_chain_team
from app.commands.exhaustion import report_exhausted
from app.commands.locks import lock_lead
from app.commands.step_end import set_gives_up_at
from app.commands.steps import known_offers, next_team_id, open_teams, plan_step, wait_minutes, write_step
from app.db.models import Lead, LeadRollout, Team
from app.domain.bounds import LONGEST_CHAIN
from app.domain.enums import RolloutCause


class StepEnd(Enum):
    """The outcome for a lead whose step seemed to be over."""

    NOT_OVER = auto()
    PASSED_ON = auto()
    EXHAUSTED = auto()


async def end_step(session: AsyncSession, lead_id: int, now: datetime) -> StepEnd:
    """If the step of a lead is over, offer the lead to the next team, or report it to its creator after the last one.

    A team with nobody to offer the lead to takes no time: its step is recorded, and the one after it is asked at once.
    Earlier offers stay as they are, so that those users may still claim.
    """
    lead = await lock_lead(session, lead_id)
    await set_gives_up_at(session, [lead_id], now)
    await session.refresh(lead)
    if lead.gives_up_at is None or lead.gives_up_at > now:
        return StepEnd.NOT_OVER

    steps = await running_steps(session, lead)
    asked = [team for _, team in steps]
    known = await known_offers(session, lead_id)
    for team in await _following(session, asked, open_teams(known)):
        previous, asked = asked[-1], [*asked, team]
        step = await plan_step(session, lead, team, known, RolloutCause.PASSED_ON, now, lock=True)
        method = steps[-1][0].team_selection_method
        offers = await write_step(session, lead, step, method, wait_minutes(session, asked), now)
        offer_ids = [offer.id for offer in offers]
        await outbox.emit_rollout_passed_on(session, lead_id, previous.id, team.id, offer_ids, now)
        if offers:
            await auto_assign(session, lead_id, now)
            await set_gives_up_at(session, [lead_id], now)
            return StepEnd.PASSED_ON

    await report_exhausted(session, lead, now)
    return StepEnd.EXHAUSTED


async def running_steps(session: AsyncSession, lead: Lead) -> list[tuple[LeadRollout, Team]]:
    """Return the steps of a lead since its last submit, in order, each with its team.

    There is none if the target of the lead was changed since then.
    """
    found = (
        select(LeadRollout, Team)
        .join(Team, col(Team.id) == col(LeadRollout.team_id))
        .where(col(LeadRollout.lead_id) == lead.id, col(LeadRollout.id) > (lead.ended_step_id or 0))
        .order_by(col(LeadRollout.id).desc())
    )
    steps: list[tuple[LeadRollout, Team]] = []
    for step, team in await session.exec(found, execution_options={"populate_existing": True}):
        steps.insert(0, (step, team))
        if step.cause is RolloutCause.SUBMITTED:
            break
    return steps


async def _following(session: AsyncSession, asked: Sequence[Team], offered_by: Collection[int]) -> list[Team]:
    """Return the teams that are to be asked after these, in order, locked as their steps need it."""
    if not asked or (team_id := next_team_id(asked)) is None:
        return []
    first = await find_chain_team(session, team_id, lock=True)
    if first is None:
        return []
    before = {team.id for team in asked}
    chain = await fetch_chain(session, first, longest=LONGEST_CHAIN - len(asked), lock=True, offered_by=offered_by)
    return [*takewhile(lambda team: team.id not in before, chain)]
