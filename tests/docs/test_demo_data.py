"""The demo data: leads to submit, a rollout in progress, and a member for each reason to be skipped."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from sqlmodel import col, select

from app.commands.outbox import count_silent_offers
from app.commands.submit import Submitted, submit_lead_offers
from app.commands.team_warnings import fetch_people
from app.db.engine import Database
from app.db.models import Delivery, Lead, LeadOffer, Team
from app.domain.enums import Channel, LeadOfferStatus, OrderMethod, SkipReason
from app.domain.team_chains import chain_from
from app.errors import ApiError, Code
from app.importer import Report, import_lists, parse
from tests.support.team_warnings import fetch_warnings

KATHERINE, DOROTHY = 1, 5


@pytest.fixture
def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
async def report(database: Database, demo_data: bytes, now: datetime) -> Report:
    async with database.write() as session:
        return await import_lists(session, parse(demo_data), now)


async def submit(database: Database, lead: int, now: datetime) -> Submitted:
    async with database.write() as session:
        return await submit_lead_offers(session, KATHERINE, lead, now)


def test_no_field_is_unknown_or_adjusted(report: Report) -> None:
    assert (report.unknown, report.adjusted) == ({}, {})


async def test_leads_of_the_website_say_what_was_asked(database: Database, report: Report) -> None:
    async with database.read() as session:
        lead = await session.get_one(Lead, 2)
    assert (lead.city, lead.listing_price, lead.external_id) == ("Armonk", 450_000, "web-2")
    assert "\n" in (lead.message or "")


async def test_a_lead_for_each_order_method(database: Database, report: Report, now: datetime) -> None:
    assert (await submit(database, 2, now)).team.order_method is OrderMethod.RANK
    assert (await submit(database, 3, now)).team.order_method is OrderMethod.TIME
    assert (await submit(database, 8, now)).team.order_method is OrderMethod.ROUND_ROBIN


async def test_a_chain_that_ends_in_a_pond_without_warnings(database: Database, report: Report) -> None:
    """Every team has somebody to offer lead 8 to, and nobody in the last one is notified."""
    async with database.read() as session:
        lead = await session.get_one(Lead, 8)
        assert lead.team_id is not None
        teams = {each.id: each for each in await session.exec(select(Team))}
        chain = chain_from(lead.team_id, {each.id: each.next_team_id for each in teams.values()})
        warnings = await fetch_warnings(session, chain)
        people = {number: await fetch_people(session, number) for number in chain}
    assert [teams[number].order_method for number in chain] == [
        OrderMethod.ROUND_ROBIN,
        OrderMethod.RANK,
        OrderMethod.TIME,
    ]
    assert warnings == {number: [] for number in chain}
    alerts = {number: [person.option.alerts.channels for person in people[number]] for number in chain}
    assert len({person.option.weight for person in people[chain[0]]}) > 1
    assert all(all(alerts[number]) for number in chain[:-1])
    assert alerts[chain[-1]]
    assert not any(alerts[chain[-1]])


async def test_a_member_for_each_reason_to_be_skipped(database: Database, report: Report, now: datetime) -> None:
    await submit(database, 2, now)
    reasons = {skip.reason for skip in (await submit(database, 2, now)).skipped}
    assert reasons == set(SkipReason) - {SkipReason.USER_AWAY, SkipReason.CAP_REACHED, SkipReason.BEYOND_LIMIT}


async def test_offers_of_every_stage(database: Database, report: Report) -> None:
    statuses = defaultdict(list)
    async with database.read() as session:
        for offer in await session.exec(select(LeadOffer).order_by(col(LeadOffer.notify_at), col(LeadOffer.id))):
            statuses[offer.lead_id].append(offer.status)
    sent, ahead = LeadOfferStatus.SENT, LeadOfferStatus.SCHEDULED
    assert statuses == {
        1: [LeadOfferStatus.EXPIRED, LeadOfferStatus.EXPIRED, LeadOfferStatus.CLAIMED],
        4: [sent, sent, sent, ahead, ahead],
        10: [sent, sent, ahead],
    }


async def test_everybody_is_told_of_what_lies_ahead(database: Database, report: Report) -> None:
    async with database.read() as session:
        assert (await session.exec(count_silent_offers())).one() == 0
        pending = select(LeadOffer.user_id, Delivery.channel).join(Delivery).where(col(LeadOffer.lead_id) == 4)
        told = sorted((await session.exec(pending)).all())
    assert told == [(KATHERINE, Channel.EMAIL), (DOROTHY, Channel.CALL), (DOROTHY, Channel.EMAIL)]


async def test_the_rollout_in_progress_has_the_tiers_of_a_submit(
    database: Database, report: Report, now: datetime
) -> None:
    submitted = await submit(database, 2, now)
    async with database.read() as session:
        (gap,) = await session.exec(select(Team.mins_until_next_alert).where(col(Team.id) == submitted.team.id))
        offers = (await session.exec(select(LeadOffer).where(col(LeadOffer.lead_id) == 4))).all()
        again = (await session.exec(select(LeadOffer).where(col(LeadOffer.lead_id) == 2))).all()
    assert gap == 30
    assert tiers(offers) == tiers(again)


def tiers(offers: Sequence[LeadOffer]) -> dict[int | None, tuple[int | None, int, bool]]:
    """Return each user's rank, minutes after the first offer, and whether the lead is assigned automatically."""
    moments = [offer.notify_at for offer in offers if offer.notify_at]
    return {
        offer.user_id: (
            offer.rank,
            round((offer.notify_at - min(moments)).total_seconds() / 60),
            offer.assign_automatically,
        )
        for offer in offers
        if offer.notify_at
    }


@pytest.mark.parametrize(
    ("lead", "code"),
    [
        (1, Code.ALREADY_CLAIMED),
        (5, Code.NOT_TEAM_ROLLOUT),
        (6, Code.NO_TEAM_FOR_ZIPCODE),
        (7, Code.NOT_FOUND),
    ],
)
async def test_refusals(database: Database, report: Report, now: datetime, lead: int, code: Code) -> None:
    with pytest.raises(ApiError) as refused:
        await submit(database, lead, now)
    assert refused.value.code is code
