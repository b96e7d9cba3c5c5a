"""Generates sample data for load tests and demonstrations. Equal sizes give equal rows, on every machine.

The data's present is always ANCHOR: the rollouts of the newest leads are half over at that time, and all others lie in
the year before. Leaders are `leader-1@example.com` and so on, members `agent-1@example.com` and so on.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel import SQLModel, col, select

from app.commands import outbox
from app.commands.contact_keys import add_keys_in_bulk
from app.db.bulk import Advance, continue_ids, insert_rows
from app.db.engine import Database
from app.db.models import User
from app.domain.alert_channels import Alerts
from app.domain.distribution_targets import Target
from app.domain.enums import (
    ClaimedVia,
    ClaimEnd,
    DeliveryStatus,
    DistributionTarget,
    LeadOfferStatus,
    OrderMethod,
    RequestStatus,
    TeamSelectionMethod,
)
from app.domain.offer_states import CLAIMED, OfferState, after_claim
from app.domain.turns import stride
from app.errors import ApiError, Code

ANCHOR = datetime(2026, 1, 1, tzinfo=UTC)
SEED = 2018

GAP = timedelta(minutes=15)
"""Between the tiers of a team by rank, and the members of any other team."""
ZIPCODES = 5
"""Per team. No two teams share a zipcode."""

SOURCES = ("Website", "Open house", "Referral")
LEAD_TYPES = (None, "Seller", "Buyer")
"""The type of each source's leads."""
TIMEZONES = ("America/New_York", "America/Chicago", "America/Denver", "America/Los_Angeles")
CLAIMED_BY_HAND = (ClaimedVia.APP, ClaimedVia.APP, ClaimedVia.EMAIL, ClaimedVia.TEXT, ClaimedVia.PHONE)

CITIES = (
    ("Austin", "TX"), ("Boulder", "CO"), ("Chicago", "IL"), ("Denver", "CO"), ("Fresno", "CA"), ("Hampton", "VA"),
    ("Miami", "FL"), ("Portland", "OR"), ("San José", "CA"), ("Tucson", "AZ"),
)  # fmt: skip
"""The city of each team's leads, and its state."""
STREETS = ("Cedar Lane", "Lake Street", "Main Street", "Maple Avenue", "Oak Street", "Park Road", "Second Street")
LISTING_STATUSES = ("For Sale", "For Sale", "Pending", "Sold")
MESSAGES = (
    "Is this house still for sale? I can come on Saturday.\nPlease call me after 5 pm.",
    "We are moving in spring and would like to see it.",
    "What are the property taxes, and how old is the roof?",
    "¿Está disponible todavía? Gracias.",
)
"""The texts that people write on the website."""

FIRST_NAMES = (
    "Ada", "Alan", "Annie", "Barbara", "Ben", "Carlos", "Chen", "Christine", "Daniel", "Dorothy", "Edith", "Elena",
    "Evelyn", "Frank", "Gladys", "Grace", "Hedy", "Hiro", "Ingrid", "Ivan", "James", "Joan", "Katherine", "Kofi",
    "Lin", "Margaret", "Mary", "Melba", "Miguel", "Nadia", "Noor", "Olga", "Omar", "Paul", "Priya", "Quinn", "Rosa",
    "Samuel", "Sofia", "Tara", "Thomas", "Uma", "Valerie", "Victor", "Wanda", "Yusuf", "Zoe",
)  # fmt: skip
LAST_NAMES = (
    "Adams", "Allen", "Baker", "Bennett", "Brooks", "Carter", "Chavez", "Clark", "Cohen", "Cooper", "Darden", "Diaz",
    "Easley", "Evans", "Fischer", "Foster", "Garcia", "Granville", "Green", "Hamilton", "Hill", "Hughes", "Ito",
    "Jackson", "Johnson", "Kaur", "Kelly", "Khan", "Larsen", "Lee", "Lopez", "Martin", "Mendes", "Moore", "Nguyen",
    "Novak", "Okafor", "Owens", "Park", "Patel", "Perez", "Reed", "Roy", "Santos", "Silva", "Turner", "Vaughan",
    "Walker", "West", "Wright", "Young",
)  # fmt: skip

DECLINED = OfferState(LeadOfferStatus.DECLINED)

Tables = dict[str, list[dict[str, Any]]]
"""Rows by table, in an order that foreign keys allow."""


@dataclass(frozen=True, slots=True)
class Size:
    """The number of teams, of members of each beside its leader, and of leads.

    The teams get the leads in turn. Each lead is offered to all members of its team.
    """

    teams: int
    members: int
    leads: int

    @property
    def offers(self) -> int:
        return self.leads * self.members

    @property
    def newest(self) -> int:
        """The number of leads whose rollout is half over at ANCHOR."""
        return max(1, self.leads // 20)

    @property
    def span(self) -> timedelta:
        """The time from a rollout's first offer to a gap after its last."""
        return self.members * GAP

    def agent(self, team: int, position: int) -> int:
        """Return the user id of a member. Teams and positions count from 0."""
        return self.teams + team * self.members + position + 1

    def in_line(self, team: int, lead: int, place: int) -> int:
        """Return the position of the member who is at this place in the order in which a lead is offered.

        With equal weights, a round robin line goes on by one member for each lead of the team.
        """
        turn = lead // self.teams if _order_method(team) is OrderMethod.ROUND_ROBIN else 0
        return (turn + place) % self.members

    def assigns(self, team: int, position: int) -> bool:
        """Return whether leads are assigned to this member automatically: the last member of every third team."""
        return team % 3 == 2 and position == self.members - 1


def _name(number: int) -> dict[str, str]:
    """Return the names of a person. They repeat after every combination of first and last name was used."""
    last, first = divmod(number, len(FIRST_NAMES))
    return {"first_name": FIRST_NAMES[first], "last_name": LAST_NAMES[(last + first) % len(LAST_NAMES)]}


async def fill(database: Database, size: Size, advance: Advance = lambda _offers: None) -> None:
    """Fill an empty database in one transaction. `advance` counts offers. Raises CONFLICT if the database has users."""
    random = Random(SEED)  # noqa: S311  nothing here is secret
    async with database.write() as session:
        if (await session.exec(select(col(User.id)).limit(1))).first() is not None:
            raise ApiError(Code.CONFLICT, "The database is not empty. Sample data goes into an empty database only.")
        connection = await session.connection()
        for teams in _batches(size.teams, 100):
            await _insert(connection, [_team(size, team) for team in teams])
        for leads in _batches(size.leads, 1_000):
            tables = [_lead(size, lead, random) for lead in leads]
            await _insert(connection, tables)
            await outbox.schedule_deliveries(session, _announcements(tables))
            advance(len(leads) * size.members)
        for table in SQLModel.metadata.tables.values():
            if table.autoincrement_column is not None:
                await continue_ids(connection, table)
    await _analyze(database)


def _batches(count: int, length: int) -> Iterator[range]:
    return (range(first, min(first + length, count)) for first in range(0, count, length))


async def _insert(connection: AsyncConnection, batch: Sequence[Tables]) -> None:
    for name in batch[0]:
        rows = [row for tables in batch for row in tables[name]]
        await insert_rows(connection, SQLModel.metadata.tables[name], rows)
        if name == "contacts":
            await add_keys_in_bulk(connection, rows)


def _announcements(batch: Sequence[Tables]) -> list[outbox.Announcement]:
    return [
        outbox.Announcement(offer["id"], Alerts.from_fields(offer), offer["notify_at"])
        for tables in batch
        for offer in tables["lead_offers"]
        if offer["status"] is LeadOfferStatus.SCHEDULED
    ]


async def _analyze(database: Database) -> None:
    """Collect statistics for the query planner. Index-only scans of PostgreSQL also need the marks of a vacuum."""
    async with database.read_engine.connect() as connection:
        await connection.exec_driver_sql("VACUUM ANALYZE" if database.is_postgresql else "ANALYZE")


def _order_method(team: int) -> OrderMethod:
    """Return the order method of a team: of four teams, two are by rank, one by time and one round robin."""
    return (OrderMethod.RANK, OrderMethod.TIME, OrderMethod.RANK, OrderMethod.ROUND_ROBIN)[team % 4]


def _team(size: Size, team: int) -> Tables:
    leader, number = team + 1, team + 1
    agents = [size.agent(team, position) for position in range(size.members)]
    method, turns = _order_method(team), _turns(size, team)
    return {
        "users": [
            _user(f"leader-{number}", leader),
            *(_user(f"agent-{i - size.teams}", i) for i in agents),
        ],
        "teams": [
            {
                "id": number,
                "name": f"Team {number}",
                "creator_id": leader,
                "order_method": method,
                "mins_until_next_alert": 0 if method is OrderMethod.TIME else _minutes(GAP),
                "turn_mark": max((turn["mark"] for turn in turns), default=stride(1)) - stride(1),
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
                "rank": position + 1 if method is OrderMethod.RANK else None,
                "mins_until_lead_offer": _minutes(position * GAP) if method is OrderMethod.TIME else 0,
                **_alerts(size, team, position),
            }
            for position, agent in enumerate(agents)
        ],
        "turns": turns,
        "lead_sources": [
            {"id": team * 3 + i + 1, "creator_id": leader, "name": name, "name_key": name.casefold()}
            for i, name in enumerate(SOURCES)
        ],
        "lead_routes": [_route(team, source) for source in range(len(SOURCES))],
    }


def _turns(size: Size, team: int) -> list[dict[str, Any]]:
    """Return the turns that the leads of a round robin team have used: one each, which goes on along the line."""
    if _order_method(team) is not OrderMethod.ROUND_ROBIN:
        return []
    leads = range(team, size.leads, size.teams)
    of_member = {position: leads[position :: size.members] for position in range(size.members)}
    return [
        {
            "team_id": team + 1,
            "user_id": size.agent(team, position),
            "mark": len(used) * stride(1),
            "taken": len(used),
            "last_taken_at": _start(size, used[-1]),
        }
        for position, used in of_member.items()
        if used
    ]


def _minutes(span: timedelta) -> int:
    return int(span.total_seconds()) // 60


def _zipcodes(team: int) -> list[str]:
    return [f"{team * ZIPCODES + i:05}" for i in range(ZIPCODES)]


def _user(role: str, number: int) -> dict[str, Any]:
    return {
        "id": number,
        **_name(number),
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


def _target(team: int, source: int) -> Target:
    """Return the target of a source's leads: the second source selects the team by zipcode, the others name it."""
    method = TeamSelectionMethod.ZIPCODE if source == 1 else TeamSelectionMethod.SPECIFIC_TEAM
    return Target(DistributionTarget.TEAM_ROLLOUT, method, team + 1).normalized()


def _route(team: int, source: int) -> dict[str, Any]:
    lead_type = LEAD_TYPES[source]
    return {
        "id": team * 3 + source + 1,
        "creator_id": team + 1,
        "lead_source_id": team * 3 + source + 1,
        **asdict(_target(team, source)),
        "lead_type": lead_type,
        "lead_type_key": (lead_type or "").casefold(),
    }


def _lead(size: Size, lead: int, random: Random) -> Tables:
    number, team, source = lead + 1, lead % size.teams, lead // size.teams % 3
    start, target, method = _start(size, lead), _target(team, source), _order_method(team)
    moments = [start + position * GAP for position in range(size.members)]
    due = sum(moment <= ANCHOR for moment in moments)
    line = [size.in_line(team, lead, place) for place in range(size.members)]
    claims = _claims(size, team, moments[:due], line, random)
    releaser = next((claim.place for claim in claims if claim.ended_at is not None), None)
    taker = next((claim.place for claim in claims if claim.ended_at is None), None)
    offers = [
        {
            "id": lead * size.members + place + 1,
            "lead_id": number,
            "user_id": size.agent(team, line[place]),
            "team_id": team + 1,
            "offered_by_id": team + 1,
            "notify_at": moment,
            "rank": None if method is OrderMethod.TIME else place + 1,
            **_alerts(size, team, line[place]),
            **(DECLINED if place == releaser else _state(place, due, taker, random))._asdict(),
        }
        for place, moment in enumerate(moments)
    ]
    return {
        "contacts": [_contact(number, team)],
        "leads": [
            {
                "id": number,
                "contact_id": number,
                "creator_id": team + 1,
                "source_id": team * 3 + source + 1,
                **asdict(target),
                "zipcode": random.choice(_zipcodes(team)),
                "type": LEAD_TYPES[source],
                **_enquiry(number, team, source),
                "created_at": start - timedelta(seconds=20),
                **_holder(size, team, line, claims),
            }
        ],
        "lead_offers": offers,
        "claims": [
            {
                "lead_id": number,
                "user_id": offers[claim.place]["user_id"],
                "team_id": team + 1,
                "offer_id": offers[claim.place]["id"],
                "via": claim.via,
                "claimed_at": claim.claimed_at,
                "ended_at": claim.ended_at,
                "end_reason": None if claim.ended_at is None else ClaimEnd.RELEASED,
            }
            for claim in claims
        ],
        "deliveries": [row for place, offer in enumerate(offers) for row in _deliveries(offer, place, claims)],
        "lead_rollouts": [
            {
                "id": number,
                "lead_id": number,
                "team_id": team + 1,
                "team_selection_method": target.team_selection_method,
                "submitted_at": start,
                "turn_user_id": size.agent(team, line[0]) if method is OrderMethod.ROUND_ROBIN else None,
            }
        ],
        "rollout_offers": [{"rollout_id": number, "offer_id": offer["id"]} for offer in offers],
    }


def _enquiry(number: int, team: int, source: int) -> dict[str, Any]:
    """Return what a lead says: everything if it came from the website, nothing if it is a referral."""
    (city, state), kind = CITIES[team % len(CITIES)], SOURCES[source]
    has_listing, is_written = kind != "Referral", kind == "Website"
    place = number % len(MESSAGES)
    return {
        "message": MESSAGES[place] if is_written else None,
        "listing_price": (150 + number * 7919 % 900) * 1_000 if has_listing else None,
        "mls_id": f"ML{1_000_000 + number}" if has_listing else None,
        "listing_status": LISTING_STATUSES[number % len(LISTING_STATUSES)] if has_listing else None,
        "street_address": f"{number % 900 + 1} {STREETS[number % len(STREETS)]}" if has_listing else None,
        "city": city if has_listing else None,
        "state": state if has_listing else None,
        "language": ("es" if place == len(MESSAGES) - 1 else "en") if is_written else None,
        "external_id": f"web-{number}" if is_written else None,
    }


@dataclass(frozen=True, slots=True)
class _Claim:
    """A claim by the member at this place of the line. It ended by a release, if it has ended."""

    place: int
    via: ClaimedVia
    claimed_at: datetime
    ended_at: datetime | None


def _claims(size: Size, team: int, moments: list[datetime], line: list[int], random: Random) -> list[_Claim]:
    """Return the claims of a lead: none, one, or one that was released and perhaps another one after it.

    `moments` has the times of the offers that are due by ANCHOR, and `line` the positions of the members in the order
    of their offers. A claim comes before the next offer is due. A release comes when that would have been due, so that
    the offers keep their times.
    """
    claims: list[_Claim] = []
    for place, moment in enumerate(moments):
        automatic = size.assigns(team, line[place])
        if not automatic and random.random() >= 0.2:
            continue
        after = timedelta(0) if automatic else GAP * random.random()
        via = ClaimedVia.AUTO if automatic else random.choice(CLAIMED_BY_HAND)
        is_released = not claims and not automatic and place + 1 < len(moments) and random.random() < 0.2
        ended_at = moments[place + 1] if is_released else None
        claims.append(_Claim(place, via, min(moment + after, ANCHOR), ended_at))
        if ended_at is None:
            break
    return claims


def _start(size: Size, lead: int) -> datetime:
    """Return when a lead is submitted: within the year before ANCHOR, or for the newest leads one rollout before it.

    Each lead has its own millisecond of the minute, so that no two offers are due at the same time.
    """
    older = size.leads - size.newest
    if lead < older:
        year = timedelta(days=364) - size.span
        start = ANCHOR - timedelta(days=365) + year * lead / older
    else:
        start = ANCHOR - timedelta(minutes=1) - size.span * (size.leads - lead) / size.newest
    return start.replace(second=0, microsecond=0) + timedelta(milliseconds=lead * 7919 % 60_000)


def _state(position: int, due: int, taker: int | None, random: Random) -> OfferState:
    """Return the state of an offer. The last due offer of an unclaimed lead stays open, or the lead would escalate."""
    if position == taker:
        return CLAIMED
    waits = position >= due if taker is None else position > taker
    status = LeadOfferStatus.SCHEDULED if waits else LeadOfferStatus.SENT
    if not waits and random.random() < 0.15 and position != due - 1:
        return DECLINED
    return OfferState(status) if taker is None else after_claim(status)


def _deliveries(offer: dict[str, Any], place: int, claims: Sequence[_Claim]) -> list[dict[str, Any]]:
    """Return the deliveries of an offer that have ended. Those of scheduled offers are pending, and `fill` writes them.

    A claim cancels those that are not due. After a release, the users of the offers that the claim had ended are
    notified again. A user to whom the lead is assigned is notified all the same.
    """
    rows: list[dict[str, Any]] = []
    due_at = offer["notify_at"]
    for claim in claims:
        is_own = place == claim.place
        latest = ANCHOR if is_own and claim.via is ClaimedVia.AUTO else claim.claimed_at
        rows += _messages(offer, due_at if is_own or due_at < claim.claimed_at else None, latest)
        has_declined = offer["status"] is LeadOfferStatus.DECLINED and place <= claim.place
        if claim.ended_at is None or has_declined:
            return rows
        due_at = max(due_at, claim.ended_at)
    return rows if offer["status"] is LeadOfferStatus.SCHEDULED else rows + _messages(offer, due_at, ANCHOR)


def _messages(offer: dict[str, Any], due_at: datetime | None, latest: datetime) -> list[dict[str, Any]]:
    """Return a delivery for each channel of an offer: sent within three seconds, or cancelled without a `due_at`."""
    delay = timedelta(milliseconds=offer["id"] * 37 % 3_000)
    return [
        {
            "offer_id": offer["id"],
            "channel": channel,
            "status": DeliveryStatus.CANCELLED if due_at is None else DeliveryStatus.SENT,
            "attempts": int(due_at is not None),
            "sent_at": None if due_at is None else min(due_at + delay, latest),
        }
        for channel in Alerts.from_fields(offer).channels
    ]


def _holder(size: Size, team: int, line: Sequence[int], claims: Sequence[_Claim]) -> dict[str, Any]:
    """Return the columns of a lead that say who has it."""
    last = claims[-1] if claims and claims[-1].ended_at is None else None
    return {
        "claimed_by_id": None if last is None else size.agent(team, line[last.place]),
        "claimed_at": None if last is None else last.claimed_at,
        "claimed_via": None if last is None else last.via,
        "first_claimed_at": claims[0].claimed_at if claims else None,
        "first_claimed_via": claims[0].via if claims else None,
        "first_team_id": team + 1,
        "was_released": any(claim.ended_at is not None for claim in claims),
    }


def _contact(number: int, team: int) -> dict[str, Any]:
    return {
        "id": number,
        "owner_id": team + 1,
        **_name(number * 13),
        "email": f"contact-{number}@example.com",
        "mobile_phone": f"+1{200 + number % 700}55501{number % 100:02}",
    }
