"""Sample data for load tests and for trying things out: the same rows for the same numbers, on every machine.

Its present is ANCHOR, whenever it is made: the rollouts of the newest leads are half over at that instant, and all
others lie in the year before. Leaders are `leader-1@example.com` and so on, members `agent-1@example.com` and so on.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from faker import Faker
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel import SQLModel, col, select

from app.db.bulk import Advance, continue_numbers, insert_rows
from app.db.engine import Database
from app.db.models import User
from app.domain.alert_channels import Alerts
from app.domain.enums import (
    ClaimedVia,
    DistributionTarget,
    EndReason,
    LeadOfferStatus,
    OrderMethod,
    RequestStatus,
    TeamSelectionMethod,
)
from app.errors import ApiError, Code

ANCHOR = datetime(2026, 1, 1, tzinfo=UTC)
SEED = 2018

GAP = timedelta(minutes=15)
"""Between two ranks, or between two members of a team by time."""
ZIPCODES = 5
"""Of a team; no two teams share one."""

SOURCES = ("Website", "Open house", "Referral")
LEAD_TYPES = (None, "Seller", "Buyer")
"""Of the leads of each source."""
TIMEZONES = ("America/New_York", "America/Chicago", "America/Denver", "America/Los_Angeles")
CLAIMED_BY_HAND = (ClaimedVia.APP, ClaimedVia.APP, ClaimedVia.EMAIL, ClaimedVia.TEXT, ClaimedVia.PHONE)

Tables = dict[str, list[dict[str, Any]]]
"""Rows by table, in an order in which they may be written."""


@dataclass(frozen=True, slots=True)
class Size:
    """Each team has a leader and `members`; each lead, dealt out to the teams in turn, is offered to all of these."""

    teams: int
    members: int
    leads: int

    @property
    def offers(self) -> int:
        return self.leads * self.members

    @property
    def newest(self) -> int:
        """Leads whose rollout is half over at ANCHOR."""
        return max(1, self.leads // 20)

    @property
    def span(self) -> timedelta:
        """From a rollout's first offer to a gap after its last."""
        return self.members * GAP

    def agent(self, team: int, position: int) -> int:
        """The user id of a member; teams and positions count from 0."""
        return self.teams + team * self.members + position + 1

    def assigns(self, team: int, position: int) -> bool:
        """Whether the lead is assigned to this member by itself: the last of every third team."""
        return team % 3 == 2 and position == self.members - 1


class Names:
    """Drawn from pools: made one by one they would take longer than all the rest."""

    def __init__(self) -> None:
        fake = Faker("en_US")
        fake.seed_instance(SEED)
        self._first = [fake.first_name() for _ in range(499)]
        self._last = [fake.last_name() for _ in range(500)]

    def of(self, number: int) -> dict[str, str]:
        return {"first_name": self._first[number % 499], "last_name": self._last[number * 7 % 500]}


async def fill(database: Database, size: Size, advance: Advance = lambda _offers: None) -> None:
    """Fill an empty database, all or nothing; CONFLICT if it has users. `advance` counts offers."""
    names, random = Names(), Random(SEED)  # noqa: S311  nothing here is secret
    async with database.write() as session:
        if (await session.exec(select(col(User.id)).limit(1))).first() is not None:
            raise ApiError(Code.CONFLICT, "The database is not empty. Sample data go into an empty one only.")
        connection = await session.connection()
        for teams in _batches(size.teams, 100):
            await _insert(connection, [_team(size, team, names) for team in teams])
        for leads in _batches(size.leads, 1_000):
            await _insert(connection, [_lead(size, lead, names, random) for lead in leads])
            advance(len(leads) * size.members)
        for table in SQLModel.metadata.tables.values():
            if table.autoincrement_column is not None:
                await continue_numbers(connection, table)
    await _analyze(database)


def _batches(count: int, length: int) -> Iterator[range]:
    return (range(first, min(first + length, count)) for first in range(0, count, length))


async def _insert(connection: AsyncConnection, batch: Sequence[Tables]) -> None:
    for name in batch[0]:
        await insert_rows(connection, SQLModel.metadata.tables[name], [row for tables in batch for row in tables[name]])


async def _analyze(database: Database) -> None:
    """Plans need figures, and scans of an index alone need the marks that a vacuum sets."""
    async with database.read_engine.connect() as connection:
        await connection.exec_driver_sql("VACUUM ANALYZE" if database.is_postgresql else "ANALYZE")


def _team(size: Size, team: int, names: Names) -> Tables:
    leader, number = team + 1, team + 1
    agents = [size.agent(team, position) for position in range(size.members)]
    by_rank = team % 2 == 0
    return {
        "users": [
            _user(f"leader-{number}", leader, names),
            *(_user(f"agent-{i - size.teams}", i, names) for i in agents),
        ],
        "teams": [
            {
                "id": number,
                "name": f"Team {number}",
                "creator_id": leader,
                "order_method": OrderMethod.RANK if by_rank else OrderMethod.TIME,
                "mins_until_next_alert": _minutes(GAP) if by_rank else 0,
                "created_at": ANCHOR - timedelta(days=500),
            }
        ],
        "team_zipcodes": [{"team_id": number, "zipcode": zipcode} for zipcode in _zipcodes(team)],
        "team_members": [
            {"id": agent - size.teams, "team_id": number, "user_id": agent, "request_status": RequestStatus.ACCEPTED}
            for agent in agents
        ],
        "distribution_options": [
            {
                "id": agent - size.teams,
                "team_id": number,
                "user_id": agent,
                "rank": position + 1 if by_rank else None,
                "mins_until_lead_offer": 0 if by_rank else _minutes(position * GAP),
                **_alerts(size, team, position),
            }
            for position, agent in enumerate(agents)
        ],
        "lead_sources": [
            {"id": team * 3 + i + 1, "creator_id": leader, "name": name, "name_key": name.casefold()}
            for i, name in enumerate(SOURCES)
        ],
        "lead_routes": [_route(team, source) for source in range(len(SOURCES))],
    }


def _minutes(span: timedelta) -> int:
    return int(span.total_seconds()) // 60


def _zipcodes(team: int) -> list[str]:
    return [f"{team * ZIPCODES + i:05}" for i in range(ZIPCODES)]


def _user(role: str, number: int, names: Names) -> dict[str, Any]:
    return {
        "id": number,
        **names.of(number),
        "email": f"{role}@example.com",
        "phone": f"+1{200 + number % 700}55501{number % 100:02}",
        "timezone": TIMEZONES[number % 4],
        "is_active": True,
    }


def _alerts(size: Size, team: int, position: int) -> dict[str, bool]:
    return {
        "assign_automatically": size.assigns(team, position),
        **Alerts(call=position % 5 == 0, text=position % 2 == 0, email=True).fields(),
    }


def _target(team: int, source: int) -> dict[str, Any]:
    """Leads of the second source find their team by zipcode, all others name it."""
    by_zipcode = source == 1
    return {
        "distribution_target": DistributionTarget.TEAM_ROLLOUT,
        "team_selection_method": TeamSelectionMethod.ZIPCODE if by_zipcode else TeamSelectionMethod.SPECIFIC_TEAM,
        "team_id": None if by_zipcode else team + 1,
    }


def _route(team: int, source: int) -> dict[str, Any]:
    lead_type = LEAD_TYPES[source]
    return {
        "id": team * 3 + source + 1,
        "creator_id": team + 1,
        "lead_source_id": team * 3 + source + 1,
        **_target(team, source),
        "lead_type": lead_type,
        "lead_type_key": (lead_type or "").casefold(),
    }


def _lead(size: Size, lead: int, names: Names, random: Random) -> Tables:
    number, team, source = lead + 1, lead % size.teams, lead // size.teams % 3
    start, target = _start(size, lead), _target(team, source)
    moments = [start + position * GAP for position in range(size.members)]
    due = sum(moment <= ANCHOR for moment in moments)
    taker = next((i for i in range(due) if size.assigns(team, i) or random.random() < 0.2), None)
    offers = [
        {
            "id": lead * size.members + position + 1,
            "lead_id": number,
            "user_id": size.agent(team, position),
            "team_id": team + 1,
            "offered_by_id": team + 1,
            "notify_at": moment,
            "rank": position + 1 if team % 2 == 0 else None,
            **_alerts(size, team, position),
            **_status(position, due, taker, random),
        }
        for position, moment in enumerate(moments)
    ]
    return {
        "contacts": [_contact(number, team, names)],
        "leads": [
            {
                "id": number,
                "contact_id": number,
                "creator_id": team + 1,
                "source_id": team * 3 + source + 1,
                **target,
                "zipcode": random.choice(_zipcodes(team)),
                "type": LEAD_TYPES[source],
                "created_at": start - timedelta(seconds=20),
                **_claim(size, team, moments, taker, random),
            }
        ],
        "lead_offers": offers,
        "lead_rollouts": [
            {
                "id": number,
                "lead_id": number,
                "team_id": team + 1,
                "team_selection_method": target["team_selection_method"],
                "submitted_at": start,
            }
        ],
        "rollout_offers": [{"rollout_id": number, "offer_id": offer["id"]} for offer in offers],
    }


def _start(size: Size, lead: int) -> datetime:
    """When a lead is submitted: over the year before ANCHOR, the newest within one rollout of it.

    Each has its own millisecond of the minute, so that no two moments of offers are the same.
    """
    older = size.leads - size.newest
    if lead < older:
        year = timedelta(days=364) - size.span
        start = ANCHOR - timedelta(days=365) + year * lead / older
    else:
        start = ANCHOR - timedelta(minutes=1) - size.span * (size.leads - lead) / size.newest
    return start.replace(second=0, microsecond=0) + timedelta(milliseconds=lead * 7919 % 60_000)


def _status(position: int, due: int, taker: int | None, random: Random) -> dict[str, Any]:
    """Of an unclaimed lead the last offer that is due stays open: were all declined, the next would move up."""
    ended: EndReason | None = None
    if position == taker:
        status = LeadOfferStatus.CLAIMED
    elif taker is not None and position > taker:
        status, ended = LeadOfferStatus.CANCELLED, EndReason.CLAIMED
    elif position >= due:
        status = LeadOfferStatus.SCHEDULED
    elif random.random() < 0.15 and position != due - 1:
        status = LeadOfferStatus.DECLINED
    elif taker is not None:
        status, ended = LeadOfferStatus.EXPIRED, EndReason.CLAIMED
    else:
        status = LeadOfferStatus.SENT
    return {"status": status, "end_reason": ended}


def _claim(size: Size, team: int, moments: list[datetime], taker: int | None, random: Random) -> dict[str, Any]:
    """Before the next member's turn."""
    if taker is None:
        return {"claimed_by_id": None, "claimed_at": None, "claimed_via": None}
    automatic = size.assigns(team, taker)
    after = timedelta(0) if automatic else GAP * random.random()
    return {
        "claimed_by_id": size.agent(team, taker),
        "claimed_at": min(moments[taker] + after, ANCHOR),
        "claimed_via": ClaimedVia.AUTO if automatic else random.choice(CLAIMED_BY_HAND),
    }


def _contact(number: int, team: int, names: Names) -> dict[str, Any]:
    return {
        "id": number,
        "owner_id": team + 1,
        **names.of(number * 13),
        "email": f"contact-{number}@example.com",
        "mobile_phone": f"+1{200 + number % 700}55501{number % 100:02}",
    }
