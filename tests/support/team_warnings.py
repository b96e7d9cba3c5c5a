"""Reads the warnings of teams without an API."""

from collections.abc import Collection
from typing import Any

import orjson
from sqlalchemy import Text, cast
from sqlmodel import SQLModel, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.commands.team_warnings import warning_facts, warnings_of
from app.db.functions import member_of
from app.domain.team_warnings import TeamWarning


async def fetch_warnings(session: AsyncSession, team_ids: Collection[int]) -> dict[int, list[TeamWarning]]:
    """Return the warnings of each team by its id, on a server that has every channel."""
    team = SQLModel.metadata.tables["teams"].c
    facts: Any = select(team.id, cast(warning_facts(team), Text)).where(member_of(team.id, team_ids))
    return {team_id: warnings_of(orjson.loads(text), ()) for team_id, text in await session.exec(facts)}
