"""Reads what the warnings of teams depend on: one expression per team, which any statement can select."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import orjson
from sqlalchemy import ColumnElement, Text, and_, cast, or_
from sqlalchemy.orm import aliased
from sqlmodel import SQLModel, col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.access import visibility
from app.commands.text_opt_outs import has_opted_out
from app.db.alert_columns import alert_columns
from app.db.functions import json_row, json_rows
from app.db.models import DistributionOption, Team, TeamMember, TeamZipcode, User
from app.domain.alert_channels import Alerts
from app.domain.enums import Channel, OrderMethod, RequestStatus
from app.domain.planner import Candidate, Option, PlannedOffer, RolloutSettings, plan
from app.domain.team_warnings import NextTeam, Person, TeamWarning, find_warnings

ANY_TIME = datetime(2000, 1, 1, tzinfo=UTC)
"""Warnings depend on the order of the offers, not on the time of the submit."""

_TEAMS = SQLModel.metadata.tables["teams"]


def warning_facts(team: Any) -> ColumnElement[str]:
    """Return what the warnings of a team depend on, for `warnings_of`, as JSON. `team` has the columns of its row."""
    following = aliased(Team)
    name_of_next = select(following.name).where(col(following.id) == team.next_team_id)
    return json_row(
        team.order_method,
        team.mins_until_next_alert,
        team.members_per_lead,
        team.keeps_contacts,
        team.turn_mark,
        _people(team.id),
        _older_teams(team.id),
        name_of_next.scalar_subquery(),
        _people(team.next_team_id),
    )


def warnings_of(facts: Sequence[Any], unserved: Collection[Channel]) -> list[TeamWarning]:
    """Return the warnings that follow from `warning_facts`. `unserved` are the channels that the server lacks."""
    order_method, gap_minutes, members_per_lead, keeps_contacts, turn_mark, *others = facts
    rows, older_teams, name_of_next, rows_of_next = others
    settings = RolloutSettings(
        OrderMethod[order_method], gap_minutes, members_per_lead, bool(keeps_contacts), turn_mark
    )
    people = list(_parse_people(rows))
    older = {zipcode: name for zipcode, name in older_teams if name is not None}
    following = None if name_of_next is None else NextTeam(name_of_next, list(_parse_people(rows_of_next)))
    return list(find_warnings(people, _planned(settings, people), older, settings, following, unserved))


async def fetch_people(session: AsyncSession, team_id: int) -> list[Person]:
    """Return the active users with a distribution option in the team, in order of user id."""
    team = _TEAMS.c
    rows: Any = select(cast(_people(team.id), Text)).where(team.id == team_id)
    return list(_parse_people(orjson.loads((await session.exec(rows)).one())))


def _people(team_id: ColumnElement[Any]) -> ColumnElement[str]:
    """The active users with a distribution option in the team, as `_parse_people` takes them."""
    team = aliased(Team)
    same_member = and_(
        col(TeamMember.user_id) == col(DistributionOption.user_id),
        col(TeamMember.team_id) == col(DistributionOption.team_id),
    )
    accepted = or_(col(TeamMember.request_status) == RequestStatus.ACCEPTED, col(team.creator_id) == col(User.id))
    statement = (
        select(
            json_rows(
                col(User.id),
                col(User.first_name),
                col(User.last_name),
                col(User.phone),
                has_opted_out(),
                col(User.email),
                col(User.quiet_hours_start),
                accepted.is_(True),
                col(DistributionOption.rank),
                col(DistributionOption.mins_until_lead_offer),
                col(DistributionOption.assign_automatically),
                col(DistributionOption.weight),
                col(DistributionOption.max_leads_per_day),
                *alert_columns(DistributionOption).values(),
            )
        )
        .select_from(DistributionOption)
        .join(User, col(User.id) == col(DistributionOption.user_id))
        .join(team, col(team.id) == col(DistributionOption.team_id))
        .outerjoin(TeamMember, same_member)
        .where(col(DistributionOption.team_id) == team_id, col(User.is_active))
    )
    return statement.scalar_subquery()


def _parse_people(rows: Sequence[Any]) -> Iterator[Person]:
    for row in sorted(rows):  # by the id of the user, which comes first
        user_id, first_name, last_name, phone, no_texts, email, quiet_hours_start, has_accepted, *option = row
        rank, minutes, assign_automatically, weight, max_leads_per_day, *alerts = option
        yield Person(
            user_id=user_id,
            name=f"{first_name} {last_name}",
            has_phone=bool(phone),
            takes_texts=not no_texts,
            has_email=bool(email),
            has_quiet_hours=quiet_hours_start is not None,
            has_accepted=bool(has_accepted),
            option=Option(
                rank=rank,
                minutes=minutes,
                assign_automatically=bool(assign_automatically),
                alerts=Alerts(*map(bool, alerts)),
                weight=weight,
                max_leads_per_day=max_leads_per_day,
            ),
        )


def _older_teams(team_id: ColumnElement[Any]) -> ColumnElement[str]:
    """Each zipcode of the team with the name of the creator's oldest team that has it too, which gets the leads."""
    team, older, older_zipcode = aliased(Team), aliased(Team), aliased(TeamZipcode)
    is_older = or_(
        col(older.created_at) < col(team.created_at),
        and_(col(older.created_at) == col(team.created_at), col(older.id) < col(team.id)),
    )
    oldest = (
        select(older.name)
        .join(older_zipcode, col(older_zipcode.team_id) == col(older.id))
        .where(col(older_zipcode.zipcode) == col(TeamZipcode.zipcode))
        .where(is_older, visibility.usable_teams(col(team.creator_id), older))
        .order_by(col(older.created_at), col(older.id))
        .limit(1)
        .correlate(team, TeamZipcode)
    )
    statement = (
        select(json_rows(col(TeamZipcode.zipcode), oldest.scalar_subquery()))
        .select_from(TeamZipcode)
        .join(team, col(team.id) == col(TeamZipcode.team_id))
        .where(col(TeamZipcode.team_id) == team_id)
    )
    return statement.scalar_subquery()


def _planned(settings: RolloutSettings, people: Sequence[Person]) -> Sequence[PlannedOffer]:
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
    return plan(candidates, (), replace(settings, members_per_lead=None), ANY_TIME).offers
