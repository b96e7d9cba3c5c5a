"""Prints the users of the demo with their teams and an access token each."""

import asyncio
from datetime import UTC, datetime

from app.config import read_settings
from app.db.engine import connect
from app.http.demo_people import demo_people

HOURS = 24


async def print_people() -> None:
    settings = read_settings()
    db = connect(settings.database_url)
    people = await demo_people(settings, db, HOURS, datetime.now(UTC))
    await db.close()
    for person in people:
        print(f"{person.name} <{person.email}>: {person.description}")
        print(f"  {person.token}")


asyncio.run(print_people())
