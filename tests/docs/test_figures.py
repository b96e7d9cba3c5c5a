"""docs/figures.md: the examples are true."""

import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.commands.assign import assign_lead
from app.commands.claim import claim_lead_offer, decline_lead_offer
from app.commands.passing_on import StepEnd, end_step
from app.commands.release import release_lead
from app.commands.submit import submit_lead_offers
from app.db.models import Delivery, Lead, LeadOffer, User
from app.domain.enums import ClaimedVia, DeliveryStatus, LeadOfferStatus
from app.domain.figures import summarize
from tests.docs.pages import DOCS, table
from tests.support.api import Api
from tests.support.world import World

PAGE = DOCS["figures"]
DAY = datetime(2026, 3, 2, tzinfo=UTC)
EVENT = re.compile(
    r"(?P<user>\w+) (?P<verb>receives|submits|claims|declines|releases|assigns) lead (?P<lead>\d)"
    r"(?:, an? (?P<type>\w+)| to (?P<to>\w+))?|Nobody has claimed lead (?P<exhausted>\d), and Alice is notified"
)


class Example:
    """Runs the events of the page."""

    def __init__(self, world: World) -> None:
        self.world, self.users, self.leads = world, dict[str, User](), dict[str, Lead]()

    async def begin(self) -> None:
        alice, bob, carol = [await self.world.user(name) for name in ("Alice", "Bob", "Carol")]
        self.users = {"Alice": alice, "Bob": bob, "Carol": carol}
        self.team = await self.world.team(alice, mins_until_next_alert=15)
        await self.world.member(self.team, bob, rank=1)
        await self.world.member(self.team, carol, rank=2)

    async def happen(self, time: str, event: str) -> None:
        hour, minute = map(int, time.split(":"))
        now, told = DAY.replace(hour=hour, minute=minute), EVENT.fullmatch(event)
        assert told, f"nobody understands: {event}"
        if told["verb"] == "receives":
            self.leads[told["lead"]] = await self.world.lead(
                self.users["Alice"], self.team, type=told["type"], created_at=now
            )
            return
        lead_id = self.leads[told["lead"] or told["exhausted"]].id
        async with self.world.database.write() as session:
            await self.send(session, now)
            if told["exhausted"]:
                assert await end_step(session, lead_id, now) is StepEnd.EXHAUSTED
            else:
                to = self.users.get(told["to"] or "")
                await self.command(session, told["verb"], self.users[told["user"]], lead_id, to, now)

    async def command(
        self, session: AsyncSession, verb: str, user: User, lead_id: int, to: User | None, now: datetime
    ) -> None:
        found = select(LeadOffer.id).where(col(LeadOffer.lead_id) == lead_id, col(LeadOffer.user_id) == user.id)
        offer_id = (await session.exec(found)).one_or_none() or 0
        commands: dict[str, Callable[[], Awaitable[Any]]] = {
            "submits": lambda: submit_lead_offers(session, user.id, lead_id, now),
            "claims": lambda: claim_lead_offer(session, user.id, offer_id, ClaimedVia.APP, now),
            "declines": lambda: decline_lead_offer(session, user.id, offer_id, now),
            "releases": lambda: release_lead(session, user.id, lead_id, now),
            "assigns": lambda: assign_lead(session, user.id, lead_id, to.id if to else 0, now),
        }
        await commands[verb]()

    async def send(self, session: AsyncSession, now: datetime) -> None:
        """Send what is due, as a worker does."""
        due = (
            select(Delivery, LeadOffer)
            .join(LeadOffer, col(LeadOffer.id) == col(Delivery.offer_id))
            .where(col(Delivery.status) == DeliveryStatus.PENDING, col(Delivery.next_attempt_at) <= now)
        )
        for delivery, offer in (await session.exec(due)).all():
            delivery.status, delivery.sent_at, delivery.next_attempt_at = DeliveryStatus.SENT, now, None
            if offer.status is LeadOfferStatus.SCHEDULED:
                offer.status = LeadOfferStatus.SENT
        await session.flush()


async def test_the_example_is_true(api: Api, world: World) -> None:
    """The events give the figures that the queries of the page return."""
    example = Example(world)
    await example.begin()
    for time, event in table(PAGE, "time"):
        await example.happen(time, event)
    viewer = api.user(example.users["Alice"])
    of_leads, of_members = re.findall(r"```graphql\n(.*?)```", PAGE, re.DOTALL)

    found = (await viewer.ask(of_leads))["leadFigures"]
    assert [_row(group) for group in found] == table(PAGE, "type")
    found = (await viewer.ask(of_members, teamId=str(example.team.id)))["memberFigures"]
    assert [_row(member | member.pop("user")) for member in found] == [
        row[1:] + row[:1] for row in table(PAGE, "firstName")
    ]


def _row(figures: dict[str, Any]) -> list[str]:
    name = [figures.pop("firstName")] if "firstName" in figures else []
    times = figures.pop("timeToClaim")
    return [str(value) for value in (*figures.values(), *times.values(), *name)]


@pytest.mark.parametrize(("durations", "count", "median", "p90", "within"), table(PAGE, "durations"))
def test_the_durations_are_true(durations: str, count: str, median: str, p90: str, within: str) -> None:
    found = summarize(map(int, durations.split(",")))
    shown = (found.count, found.median, found.p90, found.within_5_minutes)
    assert shown == tuple(map(int, (count, median, p90, within)))
