"""Prints the users of the demo with their teams and an access token each."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

from sqlmodel import col, select

from app.access.tokens import TOKEN_SCOPES, issue_token
from app.config import read_settings
from app.db.engine import connect
from app.db.models import Team, TeamMember, User

HOURS = 24


async def print_people() -> None:
    settings = read_settings()
    db = connect(settings.database_url)
    async with db.read() as session:
        users = (await session.exec(select(User).where(col(User.is_active)).order_by(col(User.id)))).all()
        teams = (await session.exec(select(Team).order_by(col(Team.id)))).all()
        members = (await session.exec(select(TeamMember))).all()
    await db.close()
    now = datetime.now(UTC)
    for user in users:
        print(f"{user.first_name} {user.last_name} <{user.email}>, {describe(user, teams, members)}")
        print(f"  {issue_token(settings, user.id, ' '.join(TOKEN_SCOPES), HOURS, now)}")


def describe(user: User, teams: Sequence[Team], members: Sequence[TeamMember]) -> str:
    leads = [f"leads {team.name}" for team in teams if team.creator_id == user.id]
    names = {team.id: team.name for team in teams}
    invited = [f"{m.request_status.lower()} in {names[m.team_id]}" for m in members if m.user_id == user.id]
    return ", ".join([*leads, *invited]) or "in no team"


asyncio.run(print_people())
