"""The warnings of teams, from the database: two statements for any number of teams."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import and_, or_
from sqlalchemy.orm import aliased
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.commands.text_opt_outs import has_opted_out
from app.db.functions import member_of
from app.db.models import DistributionOption, Team, TeamMember, TeamZipcode, User
from app.domain.enums import Channel, RequestStatus
from app.domain.planner import Candidate, Option, PlannedOffer, plan
from app.domain.team_warnings import Person, TeamWarning, warnings

SOME_MOMENT = datetime(2000, 1, 1, tzinfo=UTC)
"""Settings are looked at apart from any lead; only what comes after what matters."""


async def fetch_warnings(
    session: AsyncSession, teams: Collection[Team], unserved: Collection[Channel]
) -> dict[int, list[TeamWarning]]:
    """What is wrong with each team, by its id; `unserved` are channels that this server is not set up for."""
    ids = [team.id for team in teams]
    people, older_teams = await fetch_people(session, ids), await _fetch_older_teams(session, ids)
    return {
        team.id: list(warnings(people[team.id], _planned(team, people[team.id]), older_teams[team.id], unserved))
        for team in teams
    }


async def fetch_people(session: AsyncSession, team_ids: Collection[int]) -> dict[int, list[Person]]:
    """The active users with an option in each team, by the team's id, in the order of their own."""
    of_user, of_team = (
        col(TeamMember.user_id) == col(DistributionOption.user_id),
        col(TeamMember.team_id) == col(DistributionOption.team_id),
    )
    has_accepted = or_(
        col(TeamMember.request_status) == RequestStatus.ACCEPTED, col(Team.creator_id) == col(User.id)
    ).is_(True)
    statement = (
        select(DistributionOption, User, has_accepted, has_opted_out())
        .join(User, col(User.id) == col(DistributionOption.user_id))
        .join(Team, col(Team.id) == col(DistributionOption.team_id))
        .outerjoin(TeamMember, and_(of_user, of_team))
        .where(member_of(col(DistributionOption.team_id), team_ids), col(User.is_active))
        .order_by(col(User.id))
    )
    people: dict[int, list[Person]] = defaultdict(list)
    for option, user, accepted, no_texts in await session.exec(statement):
        people[option.team_id].append(_person(option, user, has_accepted=accepted, takes_texts=not no_texts))
    return people


def _person(option: DistributionOption, user: User, *, has_accepted: bool, takes_texts: bool) -> Person:
    return Person(
        user_id=user.id,
        name=f"{user.first_name} {user.last_name}",
        has_phone=bool(user.phone),
        takes_texts=takes_texts,
        has_email=bool(user.email),
        has_quiet_hours=user.quiet_hours_start is not None,
        has_accepted=has_accepted,
        option=Option(
            option.rank,
            option.mins_until_lead_offer,
            option.assign_automatically,
            option.has_call_alert,
            option.has_text_alert,
            option.has_email_alert,
        ),
    )


async def _fetch_older_teams(session: AsyncSession, team_ids: Collection[int]) -> dict[int, dict[str, str]]:
    """Of each team and zipcode the name of the team that gets its leads: the creator's oldest with it."""
    older, of_older = aliased(Team), aliased(TeamZipcode)
    is_older = or_(
        col(older.created_at) < col(Team.created_at),
        and_(col(older.created_at) == col(Team.created_at), col(older.id) < col(Team.id)),
    )
    statement: Any = (
        select(TeamZipcode.team_id, TeamZipcode.zipcode, older.name)
        .join(Team, col(Team.id) == col(TeamZipcode.team_id))
        .join(of_older, col(of_older.zipcode) == col(TeamZipcode.zipcode))
        .join(older, col(older.id) == col(of_older.team_id))
        .where(member_of(col(TeamZipcode.team_id), team_ids), is_older)
        .where(col(older.creator_id) == col(Team.creator_id), col(older.deleted_at).is_(None))
        .order_by(col(older.created_at).desc(), col(older.id).desc())
    )
    names: dict[int, dict[str, str]] = defaultdict(dict)
    for team_id, zipcode, name in await session.exec(statement):
        names[team_id][zipcode] = name
    return names


def _planned(team: Team, people: Sequence[Person]) -> Sequence[PlannedOffer]:
    candidates = [
        Candidate(
            user_id=person.user_id,
            membership=RequestStatus.ACCEPTED if person.has_accepted else None,
            is_creator=False,
            is_active=True,
            away_until=None,
            option=person.option,
        )
        for person in people
    ]
    return plan(candidates, (), team.order_method, team.mins_until_next_alert, SOME_MOMENT).offers
