"""Everybody does everything at once while a worker runs; then what the database says must still make sense."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.commands.assigning import assign_lead
from app.commands.availability import clear_away, set_away
from app.commands.claiming import claim_lead_offer, decline_lead_offer
from app.commands.members import respond_to_invitation
from app.commands.releasing import release_lead
from app.commands.submit import submit_lead_offers
from app.db import Database
from app.errors import Refusal
from app.main import utc_now
from app.models import (
    Channel,
    ClaimedVia,
    Delivery,
    DeliveryStatus,
    EndReason,
    Lead,
    LeadOffer,
    LeadOfferStatus,
    RequestStatus,
    TeamMember,
    User,
)
from app.notifications.worker import Worker
from tests.api import settings_for
from tests.processes import FULL
from tests.test_dispatch import Recorder
from tests.world import Cast, World

ACTIONS = 400 if FULL else 12
"""Of each user: counted, not timed, because a busy machine takes longer."""

USERS, LEADS = 16, 50

Action = Callable[[AsyncSession], Awaitable[Any]]


class Storm:
    def __init__(self, cast: Cast, leads: list[Lead], members: dict[int, int]) -> None:
        self.cast, self.leads, self.members = cast, leads, members
        self.done = 0

    async def rage(self, database: Database, user: User, chance: random.Random) -> None:
        """Does one thing after the other. Refusals are answers; anything else fails the test."""
        for _ in range(ACTIONS):
            with suppress(Refusal):
                async with database.write() as session:
                    await self.act(session, user, chance)
                self.done += 1

    async def act(self, session: AsyncSession, user: User, chance: random.Random) -> None:
        lead, now = chance.choice(self.leads), utc_now()
        alice = self.cast.alice.id
        found = select(LeadOffer.id).where(col(LeadOffer.lead_id) == lead.id, col(LeadOffer.user_id) == user.id)
        offer_id = (await session.exec(found)).one_or_none() or 0
        answer = chance.choice([RequestStatus.ACCEPTED, RequestStatus.DECLINED])
        away_until = now + timedelta(milliseconds=chance.randint(1, 500))
        actions: list[Action] = [
            lambda s: submit_lead_offers(s, alice, lead.id, now),
            lambda s: claim_lead_offer(s, user.id, offer_id, ClaimedVia.APP, now),
            lambda s: decline_lead_offer(s, user.id, offer_id, now),
            lambda s: release_lead(s, user.id, lead.id, now),
            lambda s: assign_lead(s, alice, lead.id, user.id, now),
            lambda s: respond_to_invitation(s, user.id, self.members[user.id], answer, now),
            lambda s: set_away(s, user.id, away_until, now),
            lambda s: clear_away(s, user.id),
        ]
        await chance.choices(actions, weights=[6, 4, 3, 3, 1, 1, 1, 1])[0](session)


async def test_a_storm_leaves_sense(
    database: Database,
    elsewhere: Database,
    database_url: str,
    world: World,
    cast: Cast,
    caplog: pytest.LogCaptureFixture,
) -> None:
    users = [
        await world.member_user(cast.team, rank=n % 4, assign_automatically=n % 8 == 7, has_email_alert=n % 5 != 0)
        for n in range(USERS)
    ]
    cast.team.mins_until_next_alert = 1
    await world.add(cast.team)
    leads = [await world.lead(cast.alice, cast.team) for _ in range(LEADS)]
    async with database.read() as session:
        members = {member.user_id: member.id for member in await session.exec(select(TeamMember))}
    channel = Recorder()
    worker = Worker(database, settings_for(database_url), dict.fromkeys(Channel, channel), utc_now)
    working = asyncio.create_task(worker.run())
    storm = Storm(cast, leads, members)
    await asyncio.gather(
        *(storm.rage((database, elsewhere)[n % 2], user, random.Random(n)) for n, user in enumerate(users))
    )
    worker.stop()
    await working
    assert storm.done > USERS
    assert "The worker failed" not in caplog.text
    await check(database, channel)


async def check(database: Database, channel: Recorder) -> None:
    async with database.read() as session:
        leads = (await session.exec(select(Lead))).all()
        offers = (await session.exec(select(LeadOffer))).all()
        deliveries = (await session.exec(select(Delivery))).all()
    for lead in leads:
        its = [offer for offer in offers if offer.lead_id == lead.id]
        statuses = {offer.status for offer in its}
        claimed = [offer.user_id for offer in its if offer.status is LeadOfferStatus.CLAIMED]
        if lead.claimed_by_id is not None:
            assert claimed == [lead.claimed_by_id]
            assert not statuses & {LeadOfferStatus.SCHEDULED, LeadOfferStatus.SENT}
        else:
            assert not statuses & {LeadOfferStatus.CLAIMED, LeadOfferStatus.EXPIRED}
            assert EndReason.CLAIMED not in {offer.end_reason for offer in its}
    said = {f"delivery-{delivery.id}" for delivery in deliveries if delivery.status is DeliveryStatus.SENT}
    sent = [message.id for message in channel.sent]
    assert said == set(sent)
    assert len(sent) == len(set(sent))
    assert not [one for one in deliveries if one.lease and one.status is not DeliveryStatus.CANCELLED]
