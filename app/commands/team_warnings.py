"""Reads what the warnings of teams depend on: three statements for any number of teams, two without next teams."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import and_, or_
from sqlalchemy.orm import aliased
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.access import visibility
from app.commands.candidates import rollout_settings
from app.commands.text_opt_outs import has_opted_out
from app.db.alert_columns import alerts_of
from app.db.functions import member_of
from app.db.models import DistributionOption, Team, TeamMember, TeamZipcode, User
from app.domain.enums import Channel, RequestStatus
from app.domain.planner import Candidate, Option, PlannedOffer, plan
from app.domain.team_warnings import NextTeam, Person, TeamWarning, find_warnings

ANY_TIME = datetime(2000, 1, 1, tzinfo=UTC)
"""Warnings depend on the order of the offers, not on the time of the submit."""


async def fetch_warnings(
    session: AsyncSession, teams: Collection[Team], unserved: Collection[Channel]
) -> dict[int, list[TeamWarning]]:
    """Return the warnings of each team by its id. `unserved` are the channels that this server cannot send on."""
    ids = [team.id for team in teams]
    next_of = {team.id: team.next_team_id for team in teams if team.next_team_id is not None}
    people = await fetch_people(session, {*ids, *next_of.values()})
    older_teams, names = await _fetch_older_teams(session, ids), await _fetch_names(session, next_of.values())
    next_teams = {team_id: NextTeam(names[next_id], people[next_id]) for team_id, next_id in next_of.items()}
    return {
        team.id: list(
            find_warnings(
                people[team.id],
                _planned(team, people[team.id]),
                older_teams[team.id],
                rollout_settings(team),
                next_teams.get(team.id),
                unserved,
            )
        )
        for team in teams
    }


async def fetch_people(session: AsyncSession, team_ids: Collection[int]) -> dict[int, list[Person]]:
    """Return the active users with a distribution option in each team, by the team's id and in order of user id."""
    same_member = and_(
        col(TeamMember.user_id) == col(DistributionOption.user_id),
        col(TeamMember.team_id) == col(DistributionOption.team_id),
    )
    accepted = or_(col(TeamMember.request_status) == RequestStatus.ACCEPTED, col(Team.creator_id) == col(User.id))
    statement = (
        select(DistributionOption, User, accepted.is_(True), has_opted_out())
        .join(User, col(User.id) == col(DistributionOption.user_id))
        .join(Team, col(Team.id) == col(DistributionOption.team_id))
        .outerjoin(TeamMember, same_member)
        .where(member_of(col(DistributionOption.team_id), team_ids), col(User.is_active))
        .order_by(col(User.id))
    )
    people: dict[int, list[Person]] = defaultdict(list)
    for option, user, has_accepted, no_texts in await session.exec(statement):
        person = Person(
            user_id=user.id,
            name=f"{user.first_name} {user.last_name}",
            has_phone=bool(user.phone),
            takes_texts=not no_texts,
            has_email=bool(user.email),
            has_quiet_hours=user.quiet_hours_start is not None,
            has_accepted=has_accepted,
            option=Option(
                rank=option.rank,
                minutes=option.mins_until_lead_offer,
                assign_automatically=option.assign_automatically,
                alerts=alerts_of(option),
                weight=option.weight,
                max_leads_per_day=option.max_leads_per_day,
            ),
        )
        people[option.team_id].append(person)
    return people


async def _fetch_names(session: AsyncSession, team_ids: Collection[int]) -> dict[int, str]:
    if not team_ids:
        return {}
    named = select(Team.id, Team.name).where(member_of(col(Team.id), team_ids))
    return dict((await session.exec(named)).all())


async def _fetch_older_teams(session: AsyncSession, team_ids: Collection[int]) -> dict[int, dict[str, str]]:
    """Return, by team and zipcode, the name of the creator's oldest team with the zipcode: it gets the leads."""
    older, older_zipcode = aliased(Team), aliased(TeamZipcode)
    is_older = or_(
        col(older.created_at) < col(Team.created_at),
        and_(col(older.created_at) == col(Team.created_at), col(older.id) < col(Team.id)),
    )
    statement: Any = (
        select(TeamZipcode.team_id, TeamZipcode.zipcode, older.name)
        .join(Team, col(Team.id) == col(TeamZipcode.team_id))
        .join(older_zipcode, col(older_zipcode.zipcode) == col(TeamZipcode.zipcode))
        .join(older, col(older.id) == col(older_zipcode.team_id))
        .where(member_of(col(TeamZipcode.team_id), team_ids))
        .where(is_older, visibility.usable_teams(col(Team.creator_id), older))
        .order_by(col(older.created_at).desc(), col(older.id).desc())
    )
    names: dict[int, dict[str, str]] = defaultdict(dict)
    for team_id, zipcode, name in await session.exec(statement):
        names[team_id][zipcode] = name  # the oldest comes last and wins
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
    without_limit = replace(rollout_settings(team), members_per_lead=None)
    return plan(candidates, (), without_limit, ANY_TIME).offers
