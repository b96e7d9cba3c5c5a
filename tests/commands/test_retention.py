"""Retention: what a prune deletes, what it keeps, and that leads go on afterwards as if nothing were missing."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import SQLModel, col, func, select
from typer.testing import CliRunner, Result

from app.cli import app
from app.commands import retention
from app.commands.assign import assign_lead
from app.commands.claim import claim_lead_offer
from app.commands.leads import update_lead
from app.commands.release import release_lead
from app.commands.replies import remember_text_reply
from app.commands.retention import PRUNABLE, TABLES, Prunable, prune
from app.db.engine import Database
from app.db.models import (
    Delivery,
    Event,
    Lead,
    LeadOffer,
    LeadRollout,
    Notice,
    RolloutOffer,
    RolloutSkip,
    TextReply,
    User,
    WaitingInvitation,
)
from app.domain.enums import Channel, ClaimedVia, DeliveryStatus, EventKind, LeadOfferStatus, OrderMethod
from app.domain.timestamps import utc_now
from tests.support.world import NOW, Cast, World, change
from tests.worker.test_worker import Office, Recorder

DAY = timedelta(days=1)
INSTANT = timedelta(milliseconds=1)
GROWING: dict[str, Any] = {
    table.__tablename__: table
    for table in (Delivery, RolloutOffer, RolloutSkip, LeadRollout, Notice, TextReply, Event, WaitingInvitation)
}


@pytest.fixture
def office(database: Database, database_url: str) -> Office:
    return Office(database, database_url, Recorder())


async def claim(office: Office, lead: Lead, user: User) -> None:
    async with office.database.write() as session:
        of_user = select(LeadOffer.id).where(col(LeadOffer.lead_id) == lead.id, col(LeadOffer.user_id) == user.id)
        offer_id = (await session.exec(of_user)).one()
        await claim_lead_offer(session, user.id, offer_id, ClaimedVia.APP, office.now)


async def release(office: Office, lead: Lead, user: User) -> None:
    async with office.database.write() as session:
        await release_lead(session, user.id, lead.id, office.now)


async def rows(database: Database) -> Counter[str]:
    """Return how many rows each table has that a prune deletes from."""
    async with database.read() as session:
        return Counter(
            {
                name: (await session.exec(select(func.count()).select_from(table))).one()
                for name, table in GROWING.items()
            }
        )


async def everything_else(database: Database) -> dict[str, Sequence[Any]]:
    """Return the rows of all tables from which nothing is deleted."""
    tables = SQLModel.metadata.sorted_tables
    async with database.read() as session:
        connection = await session.connection()
        return {
            table.name: sorted(map(repr, (await connection.execute(table.select())).all()))
            for table in tables
            if table.name not in GROWING
        }


async def pruned(database: Database, before: Any, *, is_dry_run: bool = False) -> Counter[str]:
    counts: Counter[str] = Counter()
    for prunable in PRUNABLE:
        counts += await prune(database, prunable, before, lambda _rows: None, is_dry_run=is_dry_run)
    return counts


async def lead_of(database: Database, lead: Lead) -> Lead:
    async with database.read() as session:
        return await session.get_one(Lead, lead.id)


async def unclaimed(office: Office, world: World, cast: Cast) -> Lead:
    """Return a lead that Bob was offered, and that was reported to Alice an hour later."""
    lead = await world.lead(cast.alice, cast.team, watched_since=office.now)
    await office.submit(lead)
    await office.dispatch()
    await office.dispatch(timedelta(hours=1))
    assert (await lead_of(office.database, lead)).exhausted_at == office.now
    return lead


def test_all_tables_are_named() -> None:
    assert sorted(TABLES) == sorted(GROWING)
    assert {prunable.name for prunable in PRUNABLE} | {"rollout_offers", "rollout_skips"} == {*TABLES}


# What is deleted


async def test_everything_of_a_claimed_lead_goes_but_the_lead_and_its_offers(
    office: Office, world: World, cast: Cast
) -> None:
    away = await world.member_user(cast.team, "Away", rank=1, away_until=NOW + DAY)
    lead = await world.lead(cast.alice, cast.team, watched_since=NOW)
    await office.submit(lead)
    await office.dispatch()
    await claim(office, lead, cast.bob)
    async with office.database.write() as session:
        await remember_text_reply(session, "SM1", 1, NOW)
        await remember_text_reply(session, "SM2", None, NOW)
    assert (await rows(office.database))["rollout_skips"] == 1, away.id
    kept = await everything_else(office.database)

    assert await pruned(office.database, NOW) == Counter()  # it ended at NOW, and not before
    before = await rows(office.database)
    assert await pruned(office.database, NOW + INSTANT, is_dry_run=True) == before
    assert await rows(office.database) == before
    assert await pruned(office.database, NOW + INSTANT) == before
    assert (await rows(office.database)).total() == 0
    assert await everything_else(office.database) == kept
    assert await pruned(office.database, NOW + INSTANT) == Counter()


async def test_everything_of_an_unclaimed_lead_goes(office: Office, world: World, cast: Cast) -> None:
    await unclaimed(office, world, cast)
    assert await pruned(office.database, office.now) == Counter()
    found = await rows(office.database)
    assert (found["deliveries"], found["lead_rollouts"], found["notices"]) == (1, 1, 1)
    assert await pruned(office.database, office.now + INSTANT) == found


async def test_leads_that_have_not_ended_are_kept(office: Office, world: World, cast: Cast) -> None:
    """One that is offered, one that is scheduled, one that was released, and one whose last offer is of yesterday."""
    offered = await world.lead(cast.alice, cast.team, watched_since=NOW)
    await office.submit(offered)
    released = await world.lead(cast.alice, cast.team, watched_since=NOW)
    await office.submit(released)
    await office.dispatch()
    await claim(office, released, cast.bob)
    await release(office, released, cast.bob)
    scheduled = await unclaimed(office, world, cast)
    recent = await unclaimed(office, world, cast)
    await world.offer(scheduled, cast.charlie, status=LeadOfferStatus.SCHEDULED, notify_at=NOW, has_email_alert=False)
    await world.offer(recent, cast.charlie, notify_at=office.now + 9 * DAY)
    for lead in (offered, released):  # as if no worker had run in the meantime
        await change(world, await lead_of(office.database, lead), exhausted_at=None)
    assert await pruned(office.database, office.now + 8 * DAY) == Counter()


async def test_what_is_still_to_be_sent_is_kept(office: Office, world: World, cast: Cast) -> None:
    lead = await unclaimed(office, world, cast)
    pending: dict[str, Any] = {"status": DeliveryStatus.PENDING, "next_attempt_at": NOW}
    await world.add(Delivery(offer_id=1, channel=Channel.EMAIL, **pending), Notice(lead_id=lead.id, **pending))
    kind, payload = EventKind.OFFER_CLAIMED, "{}"
    await world.add(
        Event(key="evt_1", kind=kind, payload=payload, happened_at=NOW, **pending),
        Event(key="evt_2", kind=kind, payload=payload, happened_at=NOW, status=DeliveryStatus.FAILED),
        Event(key="evt_3", kind=kind, payload=payload, happened_at=office.now + DAY, status=DeliveryStatus.SENT),
    )
    await pruned(office.database, office.now + DAY)
    assert await rows(office.database) == Counter(deliveries=1, notices=1, events=2)


async def test_what_figures_count_is_kept(office: Office, world: World, cast: Cast) -> None:
    """The step that used Bob's turn, and the message about an offer that was cancelled after it."""
    team = await world.team(cast.alice, OrderMethod.ROUND_ROBIN)
    await world.member(team, cast.bob)
    lead = await world.lead(cast.alice, team, watched_since=NOW)
    await office.submit(lead)
    await office.dispatch()
    await claim(office, lead, cast.bob)
    cancelled = await world.offer(lead, cast.charlie, status=LeadOfferStatus.CANCELLED)
    await world.add(
        *(
            Delivery(offer_id=cancelled.id, channel=Channel.EMAIL, status=status, sent_at=sent_at)
            for status, sent_at in ((DeliveryStatus.SENT, NOW), (DeliveryStatus.CANCELLED, None))
        )
    )
    counts = await pruned(office.database, NOW + DAY)
    assert counts == Counter(deliveries=2, rollout_offers=1)
    async with office.database.read() as session:
        (step,) = (await session.exec(select(LeadRollout))).all()
        (delivery,) = (await session.exec(select(Delivery))).all()
    assert (step.turn_user_id, delivery.offer_id, delivery.sent_at) == (cast.bob.id, cancelled.id, NOW)
    assert await pruned(office.database, NOW + DAY) == Counter()


async def test_batches_cover_every_row_once(
    office: Office, world: World, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "WINDOW", 3)
    kept = await world.lead(cast.alice, cast.team, watched_since=NOW)
    for number in range(8):
        if number == 4:
            await office.submit(kept)
        lead = await world.lead(cast.alice, cast.team, watched_since=NOW)
        await office.submit(lead)
        await claim(office, lead, cast.bob)
    seen: list[int] = []
    (deliveries,) = (each for each in PRUNABLE if each.name == "deliveries")
    counts = await prune(office.database, deliveries, NOW + DAY, seen.append, is_dry_run=False)
    assert (counts, seen) == (Counter(deliveries=8), [3, 3, 3])
    assert (await rows(office.database))["deliveries"] == 1


# Leads go on


@pytest.mark.parametrize("is_pruned", [False, True])
async def test_a_released_lead_goes_on_as_without_a_prune(
    office: Office, world: World, cast: Cast, is_pruned: bool
) -> None:
    """It goes on to the team that follows, and after that back to its creator."""
    pond = await world.team(cast.alice, OrderMethod.TIME)
    fred = await world.member_user(pond, "Fred")
    first = await world.team(cast.alice, next_team_id=pond.id, mins_until_next_team=10)
    await world.member(first, cast.bob, rank=1)
    dora = await world.member_user(first, "Dora", rank=2)
    lead = await world.lead(cast.alice, first, watched_since=NOW)
    await office.submit(lead)
    await office.dispatch()
    await claim(office, lead, cast.bob)
    office.now += 500 * DAY
    if is_pruned:
        other = await world.lead(cast.alice, pond)  # whose step goes, because no team follows the pond
        await office.submit(other)
        await office.dispatch()
        await claim(office, other, fred)
        office.now += 500 * DAY
        await pruned(office.database, office.now - DAY)
        assert await rows(office.database) == Counter(lead_rollouts=1)

    await release(office, lead, cast.bob)
    assert await office.dispatch() == [dora.email]
    assert await office.dispatch(timedelta(minutes=9)) == []
    assert await office.dispatch(timedelta(minutes=1)) == [fred.email]
    assert await office.dispatch(timedelta(minutes=59)) == []
    assert await office.dispatch(timedelta(minutes=1)) == [cast.alice.email]
    await claim(office, lead, dora)
    assert (await lead_of(office.database, lead)).claimed_by_id == dora.id


@pytest.mark.parametrize("is_pruned", [False, True])
async def test_a_released_lead_without_a_next_team_goes_back_to_its_creator(
    office: Office, world: World, cast: Cast, is_pruned: bool
) -> None:
    dora = await world.member_user(cast.team, "Dora", rank=2)
    lead = await world.lead(cast.alice, cast.team, watched_since=NOW)
    await office.submit(lead)
    await office.dispatch()
    await claim(office, lead, cast.bob)
    office.now += 500 * DAY
    if is_pruned:
        await pruned(office.database, office.now - DAY)
        assert (await rows(office.database)).total() == 0
    await release(office, lead, cast.bob)
    assert await office.dispatch() == [dora.email]
    assert await office.dispatch(timedelta(minutes=59)) == []
    assert await office.dispatch(timedelta(minutes=1)) == [cast.alice.email]


async def test_an_unclaimed_lead_is_submitted_again_after_a_prune(office: Office, world: World, cast: Cast) -> None:
    lead = await unclaimed(office, world, cast)
    office.now += 500 * DAY
    await pruned(office.database, office.now - DAY)
    assert (await rows(office.database)).total() == 0
    dora = await world.member_user(cast.team, "Dora", rank=2)
    await office.submit(lead)
    assert await office.dispatch() == [dora.email]
    await claim(office, lead, cast.bob)  # his offer is still open
    await release(office, lead, cast.bob)
    assert await office.dispatch() == [dora.email]
    assert await office.dispatch(timedelta(minutes=60)) == [cast.alice.email]


async def test_an_unclaimed_lead_gets_another_team_after_a_prune(office: Office, world: World, cast: Cast) -> None:
    lead = await unclaimed(office, world, cast)
    async with office.database.write() as session:
        (await session.get_one(LeadOffer, 1)).status = LeadOfferStatus.DECLINED
    await pruned(office.database, office.now + DAY)
    other = await world.team(cast.alice)
    fred = await world.member_user(other, "Fred", rank=1)
    async with office.database.write() as session:
        await update_lead(session, cast.alice.id, lead.id, {"team_id": other.id}, office.now)
    await office.submit(lead)
    assert await office.dispatch() == [fred.email]
    assert await office.dispatch(timedelta(minutes=60)) == [cast.alice.email]


# Beside others


async def test_two_prunes_and_releases_at_the_same_time(
    office: Office, world: World, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every row is deleted once. A lead that is released before its batch keeps the delivery of its new offer."""
    monkeypatch.setattr(retention, "WINDOW", 10)
    dora = await world.member_user(cast.team, "Dora", rank=1)
    leads = [await world.lead(cast.alice, cast.team, watched_since=NOW) for _ in range(24)]
    for lead in leads:
        await office.submit(lead)
        await claim(office, lead, cast.bob)
    before = await rows(office.database)
    office.now += 500 * DAY

    async def release_some() -> None:
        for lead in leads[::3]:
            await release(office, lead, cast.bob)

    small = [each if each.name == "lead_rollouts" else _in_small_batches(each) for each in PRUNABLE]

    async def prune_all() -> Counter[str]:
        counts: Counter[str] = Counter()
        for each in small:
            counts += await prune(office.database, each, office.now - DAY, lambda _rows: None, is_dry_run=False)
        return counts

    one, other, _ = await asyncio.gather(prune_all(), prune_all(), release_some())
    left = await rows(office.database)
    released = len(leads[::3])
    assert one + other + left == before + Counter(deliveries=released)
    async with office.database.read() as session:
        pending = select(func.count()).where(
            col(Delivery.status) == DeliveryStatus.PENDING, col(Delivery.next_attempt_at) == office.now
        )
        assert (await session.exec(pending)).one() == released
    assert await office.dispatch() == [dora.email] * released


def _in_small_batches(prunable: Prunable) -> Prunable:
    return Prunable(prunable.table, prunable.key, prunable.find, prunable.count, prunable.delete, at_once=3)


async def test_a_lead_that_goes_on_after_it_was_found_is_kept(office: Office, world: World, cast: Cast) -> None:
    lead = await world.lead(cast.alice, cast.team, watched_since=NOW)
    await office.submit(lead)
    await claim(office, lead, cast.bob)
    (steps,) = (each for each in PRUNABLE if each.name == "lead_rollouts")
    async with office.database.read() as session:
        found = (await session.exec(steps.find(NOW + DAY))).all()
    assert len(found) == 1
    await release(office, lead, cast.bob)
    assert await retention._delete(office.database, steps, NOW + DAY, found) == Counter()
    assert (await rows(office.database))["lead_rollouts"] == 1


async def test_a_prune_that_is_stopped_can_be_repeated(office: Office, world: World, cast: Cast) -> None:
    for _ in range(5):
        lead = await world.lead(cast.alice, cast.team, watched_since=NOW)
        await office.submit(lead)
        async with office.database.write() as session:
            await assign_lead(session, cast.alice.id, lead.id, cast.alice.id, NOW)
    before = await rows(office.database)
    tasks = [asyncio.create_task(pruned(office.database, NOW + DAY)) for _ in range(3)]
    for task, seconds in zip(tasks, (0.001, 0.01, 0.03), strict=True):
        await asyncio.sleep(seconds)
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await pruned(office.database, NOW + DAY)
    assert before.total() > 0
    assert (await rows(office.database)).total() == 0


async def test_removed_invitations_go_and_waiting_ones_stay(office: Office, world: World, cast: Cast) -> None:
    invitation: dict[str, Any] = {
        "team_id": cast.team.id,
        "inviter_id": cast.alice.id,
        "invited_at": NOW,
        "mail_at": NOW,
    }
    sent: dict[str, Any] = {"status": DeliveryStatus.SENT, "sent_at": NOW}
    await world.add(
        WaitingInvitation(email="gone@example.com", removed_at=NOW, **invitation, **sent),
        WaitingInvitation(email="waiting@example.com", **invitation, **sent),
        WaitingInvitation(
            email="sending@example.com",
            removed_at=NOW,
            next_attempt_at=NOW,
            status=DeliveryStatus.PENDING,
            **invitation,
        ),
    )
    assert await pruned(office.database, NOW) == Counter()
    assert await pruned(office.database, NOW + INSTANT) == Counter(waiting_invitations=1)
    assert (await rows(office.database))["waiting_invitations"] == 2


# The command


@pytest.fixture
def run(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    monkeypatch.setenv("LEAD_OFFERS_DATABASE_URL", database_url)
    return lambda *arguments: CliRunner().invoke(app, ["prune", *arguments])


async def test_the_command_prints_what_it_deletes(
    office: Office, world: World, cast: Cast, run: Callable[..., Result]
) -> None:
    office.now = utc_now() - 10 * DAY
    await unclaimed(office, world, cast)
    before = await rows(office.database)
    table = "".join(f"{name}\t{before[name]}\n" for name in TABLES)
    nothing = "".join(f"{name}\t0\n" for name in TABLES)
    for arguments, told in (
        (["--older-than", "10d", "--dry-run"], nothing),
        (["--older-than", "9d", "--dry-run"], table),
        (["--older-than", "9d"], table),
        (["--older-than", "9d"], nothing),
    ):
        result = await asyncio.to_thread(run, *arguments)
        assert (result.exit_code, result.stdout, result.stderr) == (0, told, ""), arguments


@pytest.mark.parametrize("age", ["400", "0d", "-1d", "1.5d", "36501d", "99999999d", "yesterday", "", "٤d", "1y"])
def test_an_invalid_age_is_refused(run: Callable[..., Result], age: str) -> None:
    result = run("--older-than", age)
    assert result.exit_code == 2
    assert "Invalid value for '--older-than'" in result.stderr


def test_the_age_is_required(run: Callable[..., Result]) -> None:
    assert run().exit_code == 2
