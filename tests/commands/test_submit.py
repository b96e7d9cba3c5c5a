"""Submits on the database: each error beside the case that succeeds, the rows written, and races."""

import asyncio
from datetime import datetime, timedelta
from typing import Any, TypeVar

import pytest
from sqlalchemy import inspect
from sqlmodel import SQLModel, col, func, select

from app.commands.claim import take_lead
from app.commands.submit import Submitted, prepare_submission, submit_lead_offers
from app.db.engine import Database
from app.db.models import Delivery, DistributionOption, Lead, LeadOffer, LeadRollout, RolloutOffer, RolloutSkip, User
from app.domain.enums import (
    Channel,
    ClaimedVia,
    DeliveryStatus,
    DistributionTarget,
    EndReason,
    LeadOfferStatus,
    OrderMethod,
    RequestStatus,
    SkipReason,
    TeamSelectionMethod,
)
from app.errors import ApiError, Code
from tests.support.world import NOW, Cast, World, at, change

MINUTE = timedelta(minutes=1)
T = TypeVar("T", bound=SQLModel)


async def submit(database: Database, viewer: User, lead_id: int, now: datetime = NOW) -> Submitted:
    async with database.write() as session:
        return await submit_lead_offers(session, viewer.id, lead_id, now)


async def refusal(database: Database, viewer: User, lead_id: int) -> ApiError:
    """Return the error of a submit that must fail and must write nothing."""
    before = await written(database)
    with pytest.raises(ApiError) as refused:
        await submit(database, viewer, lead_id)
    assert await written(database) == before
    return refused.value


async def written(database: Database) -> list[int]:
    kinds: tuple[type[SQLModel], ...] = (LeadOffer, Delivery, LeadRollout, RolloutOffer, RolloutSkip)
    async with database.read() as session:
        return [(await session.exec(select(func.count()).select_from(kind))).one() for kind in kinds]


async def rows(database: Database, kind: type[T]) -> list[T]:
    async with database.read() as session:
        return list(await session.exec(select(kind).order_by(*inspect(kind).primary_key)))


# Refusals, in the order of the rules


async def test_errors_come_in_the_order_of_the_rules(database: Database, world: World, cast: Cast) -> None:
    """Start with a lead that has every problem, and fix one after the other until the submit succeeds."""
    alice = cast.alice
    theirs, deleted = await world.team(cast.charlie), await world.team(alice, deleted_at=NOW)
    empty = await world.team(alice)
    lead = await world.lead(alice)
    await world.claimed(lead, cast.charlie)
    await world.offer(lead, cast.bob, cast.team, LeadOfferStatus.CANCELLED)

    async def code(viewer: User, lead_id: int = lead.id) -> Code:
        return (await refusal(database, viewer, lead_id)).code

    assert await code(alice, lead.id + 1) == Code.NOT_FOUND
    assert await code(cast.bob) == Code.NOT_FOUND
    assert await code(cast.charlie) == Code.FORBIDDEN
    assert await code(alice) == Code.NOT_TEAM_ROLLOUT
    await change(world, lead, distribution_target=DistributionTarget.TEAM_ROLLOUT)
    assert await code(alice) == Code.ALREADY_CLAIMED
    await change(world, lead, claimed_by_id=None, claimed_at=None, claimed_via=None)
    assert await code(cast.charlie) == Code.NOT_FOUND
    assert await code(alice) == Code.TEAM_NOT_USABLE
    await change(world, lead, team_selection_method=TeamSelectionMethod.SPECIFIC_TEAM, zipcode="90210")
    for team_id in (None, theirs.id, deleted.id):
        await change(world, lead, team_id=team_id)
        assert await code(alice) == Code.TEAM_NOT_USABLE
    await change(world, lead, team_id=empty.id)
    assert await code(alice) == Code.NO_DISTRIBUTION_OPTIONS
    await world.option(empty, cast.charlie)
    assert await code(alice) == Code.NO_ELIGIBLE_MEMBERS
    await world.membership(empty, cast.charlie)
    assert (await submit(database, alice, lead.id)).created_count == 1


async def test_a_lead_by_zipcode_needs_a_zipcode_of_one_of_my_teams(
    database: Database, world: World, cast: Cast
) -> None:
    lead = await world.zipcode_lead(cast.alice, None)
    for other in (await world.team(cast.charlie, zipcodes=["10001"]), await world.team(cast.alice, zipcodes=["10002"])):
        await world.option(other, cast.alice)
    deleted = await world.team(cast.alice, zipcodes=["10001"], deleted_at=NOW)
    await world.option(deleted, cast.alice)
    assert (await refusal(database, cast.alice, lead.id)).code == Code.ZIPCODE_MISSING
    await change(world, lead, zipcode="10001")
    assert (await refusal(database, cast.alice, lead.id)).code == Code.NO_TEAM_FOR_ZIPCODE
    mine = await world.team(cast.alice, zipcodes=["10000", "10001"])
    assert (await refusal(database, cast.alice, lead.id)).code == Code.NO_DISTRIBUTION_OPTIONS
    await world.option(mine, cast.alice)
    assert (await submit(database, cast.alice, lead.id)).team.id == mine.id


async def test_the_oldest_of_teams_with_the_same_zipcode_gets_the_lead(
    database: Database, world: World, cast: Cast
) -> None:
    younger, older, as_old = [
        await world.team(cast.alice, zipcodes=["90210"], created_at=NOW - age * MINUTE) for age in (1, 2, 2)
    ]
    for team in (younger, older, as_old):
        await world.option(team, cast.alice)
    lead = await world.zipcode_lead(cast.alice, "90210")
    assert (await submit(database, cast.alice, lead.id)).team.id == older.id


async def test_a_lead_without_a_method_goes_to_its_team(database: Database, world: World, cast: Cast) -> None:
    lead = await world.lead(cast.alice, cast.team, team_selection_method=None)
    assert (await submit(database, cast.alice, lead.id)).team.id == cast.team.id
    (rollout,) = await rows(database, LeadRollout)
    assert rollout.team_selection_method is TeamSelectionMethod.SPECIFIC_TEAM


@pytest.mark.parametrize(
    ("fields", "is_visible"),
    [
        ({"notify_at": NOW}, True),
        ({"notify_at": None}, True),
        ({"notify_at": NOW + MINUTE, "status": LeadOfferStatus.SCHEDULED}, False),
        ({"notify_at": NOW, "status": LeadOfferStatus.CANCELLED}, False),
        ({"notify_at": NOW, "status": LeadOfferStatus.DECLINED}, True),
    ],
)
async def test_a_user_who_can_see_the_lead_may_not_submit_it(
    database: Database, world: World, cast: Cast, fields: dict[str, Any], is_visible: bool
) -> None:
    lead = await world.lead(cast.alice, cast.team)
    await world.offer(lead, cast.bob, **fields)
    expected = Code.FORBIDDEN if is_visible else Code.NOT_FOUND
    assert (await refusal(database, cast.bob, lead.id)).code == expected


async def test_a_claimed_lead_names_its_holder(database: Database, world: World, cast: Cast) -> None:
    lead = await world.lead(cast.alice, cast.team)
    await world.claimed(lead, cast.bob)
    refused = await refusal(database, cast.alice, lead.id)
    holder = {"id": str(cast.bob.id), "firstName": "Bob", "lastName": "Example"}
    assert refused.extensions == {"claimedBy": holder, "claimedAt": "2026-03-02T09:00:00.000Z"}
    await change(world, lead, claimed_at=None)
    assert (await refusal(database, cast.alice, lead.id)).extensions == {"claimedBy": holder, "claimedAt": None}


async def test_no_eligible_members_has_a_reason_for_each(database: Database, world: World, cast: Cast) -> None:
    team = await world.team(cast.alice)
    pending, declined, away = [await world.user(name) for name in ("Pat", "Dee", "Ann")]
    await world.member(team, pending, RequestStatus.PENDING)
    await world.member(team, declined, RequestStatus.DECLINED)
    await world.member(team, away)
    await change(world, away, away_until=at(1))
    lead = await world.lead(cast.alice, team)
    refused = await refusal(database, cast.alice, lead.id)
    assert refused.code == Code.NO_ELIGIBLE_MEMBERS
    assert refused.extensions == {
        "skipped": [
            {"userId": str(pending.id), "reason": "INVITATION_PENDING"},
            {"userId": str(declined.id), "reason": "INVITATION_DECLINED"},
            {"userId": str(away.id), "reason": "USER_AWAY"},
        ]
    }
    assert (await submit(database, cast.alice, lead.id, now=at(1))).created_count == 1


@pytest.mark.parametrize(
    ("status", "is_open"),
    [(status, status in (LeadOfferStatus.SCHEDULED, LeadOfferStatus.SENT)) for status in LeadOfferStatus],
)
async def test_a_submit_without_new_offers_fails_unless_an_offer_is_open(
    database: Database, world: World, cast: Cast, status: LeadOfferStatus, is_open: bool
) -> None:
    await change(world, cast.bob, is_active=False)
    lead = await world.lead(cast.alice, cast.team)
    offer = await world.offer(lead, cast.bob, status=status)
    if is_open:
        answer = await submit(database, cast.alice, lead.id)
        assert (answer.created_count, [one.id for one in answer.offers]) == (0, [offer.id])
        assert await rows(database, LeadRollout) == []
    else:
        assert (await refusal(database, cast.alice, lead.id)).code == Code.NO_ELIGIBLE_MEMBERS


# What is written


async def test_a_submit_writes_offers_deliveries_and_a_record(database: Database, world: World, cast: Cast) -> None:
    carol, guest = await world.user("Carol"), await world.user("Gus")
    await world.member(cast.team, carol, rank=2, has_call_alert=True, has_text_alert=True, has_email_alert=False)
    await world.option(cast.team, cast.alice, rank=2, has_email_alert=False)
    await world.membership(cast.team, guest)
    lead = await world.lead(cast.alice, cast.team)

    answer = await submit(database, cast.alice, lead.id)

    assert (answer.lead.id, answer.team.id, answer.created_count) == (lead.id, cast.team.id, 3)
    assert [(offer.user_id, offer.notify_at, offer.rank) for offer in answer.offers] == [
        (cast.bob.id, NOW, 1),
        (cast.alice.id, at(15), 2),
        (carol.id, at(15), 2),
    ]
    assert list(answer.offers) == await rows(database, LeadOffer)
    for offer in answer.offers:
        assert (offer.lead_id, offer.team_id, offer.offered_by_id) == (lead.id, cast.team.id, cast.alice.id)
        assert (offer.status, offer.end_reason) == (LeadOfferStatus.SCHEDULED, None)
    bobs, alices, carols = answer.offers
    assert (bobs.has_call_alert, bobs.has_text_alert, bobs.has_email_alert) == (False, False, True)
    assert (carols.has_call_alert, carols.has_text_alert, carols.has_email_alert) == (True, True, False)
    work = [(d.offer_id, d.channel, d.next_attempt_at, d.status, d.attempts) for d in await rows(database, Delivery)]
    assert work == [
        (bobs.id, Channel.EMAIL, NOW, DeliveryStatus.PENDING, 0),
        (carols.id, Channel.CALL, at(15), DeliveryStatus.PENDING, 0),
        (carols.id, Channel.TEXT, at(15), DeliveryStatus.PENDING, 0),
    ]
    (rollout,) = await rows(database, LeadRollout)
    assert (rollout.lead_id, rollout.team_id, rollout.submitted_at) == (lead.id, cast.team.id, NOW)
    assert [made.offer_id for made in await rows(database, RolloutOffer)] == sorted([bobs.id, alices.id, carols.id])
    assert [(skip.user_id, skip.reason) for skip in answer.skipped] == [(guest.id, SkipReason.NO_DISTRIBUTION_OPTION)]
    assert [(skip.user_id, skip.reason) for skip in await rows(database, RolloutSkip)] == [
        (guest.id, SkipReason.NO_DISTRIBUTION_OPTION)
    ]


async def test_a_team_by_time_offers_the_lead_after_each_members_minutes(
    database: Database, world: World, cast: Cast
) -> None:
    team = await world.team(cast.alice, OrderMethod.TIME)
    await world.member(team, cast.bob, rank=1, mins_until_lead_offer=90)
    await world.member(team, cast.charlie, rank=2)
    lead = await world.lead(cast.alice, team)
    answer = await submit(database, cast.alice, lead.id)
    assert [(offer.user_id, offer.notify_at, offer.rank) for offer in answer.offers] == [
        (cast.charlie.id, NOW, None),
        (cast.bob.id, at(90), None),
    ]


async def test_later_changes_of_the_team_do_not_move_its_offers(database: Database, world: World, cast: Cast) -> None:
    lead = await world.lead(cast.alice, cast.team)
    first = await submit(database, cast.alice, lead.id)
    async with database.write() as session:
        for option in await session.exec(select(DistributionOption)):
            option.rank, option.has_call_alert = 9, True
    second = await submit(database, cast.alice, lead.id, now=at(5))
    assert second.created_count == 0
    assert second.offers == first.offers


async def test_a_second_submit_offers_the_lead_to_new_members(database: Database, world: World, cast: Cast) -> None:
    lead = await world.lead(cast.alice, cast.team)
    first = await submit(database, cast.alice, lead.id)
    await world.member(cast.team, cast.charlie, rank=0)

    second = await submit(database, cast.alice, lead.id, now=at(5))

    assert (first.created_count, second.created_count) == (1, 1)
    assert [(offer.user_id, offer.notify_at) for offer in second.offers] == [
        (cast.bob.id, NOW),
        (cast.charlie.id, at(15)),
    ]
    assert [(skip.user_id, skip.reason) for skip in second.skipped] == [(cast.bob.id, SkipReason.ALREADY_OFFERED)]
    third = await submit(database, cast.alice, lead.id, now=at(6))
    assert (third.created_count, third.offers) == (0, second.offers)
    assert [rollout.submitted_at for rollout in await rows(database, LeadRollout)] == [NOW, at(5)]


async def test_a_cancelled_offer_is_planned_anew_in_its_row(database: Database, world: World, cast: Cast) -> None:
    other, carol = await world.team(cast.alice), await world.user("Carol")
    lead = await world.lead(cast.alice, cast.team)
    old = await world.offer(
        lead,
        cast.bob,
        other,
        LeadOfferStatus.CANCELLED,
        end_reason=EndReason.AWAY,
        notify_at=at(-60),
        rank=8,
        assign_automatically=True,
        offered_by_id=cast.charlie.id,
        has_call_alert=True,
    )
    await world.add(Delivery(offer_id=old.id, channel=Channel.CALL, status=DeliveryStatus.CANCELLED))
    await world.member(cast.team, carol, rank=1)

    answer = await submit(database, cast.alice, lead.id)

    assert answer.created_count == 2
    renewed = next(offer for offer in answer.offers if offer.user_id == cast.bob.id)
    fields = {
        "lead_id",
        "team_id",
        "offered_by_id",
        "notify_at",
        "rank",
        "assign_automatically",
        "status",
        "end_reason",
    }
    assert renewed.id == old.id
    assert renewed.model_dump(include=fields | {"has_call_alert", "has_email_alert"}) == {
        "lead_id": lead.id,
        "team_id": cast.team.id,
        "offered_by_id": cast.alice.id,
        "notify_at": NOW,
        "rank": 1,
        "assign_automatically": False,
        "status": LeadOfferStatus.SCHEDULED,
        "end_reason": None,
        "has_call_alert": False,
        "has_email_alert": True,
    }
    work = [(d.channel, d.status) for d in await rows(database, Delivery) if d.offer_id == old.id]
    assert work == [(Channel.CALL, DeliveryStatus.CANCELLED), (Channel.EMAIL, DeliveryStatus.PENDING)]
    assert old.id in {made.offer_id for made in await rows(database, RolloutOffer)}


async def test_the_result_has_only_offers_of_this_team(database: Database, world: World, cast: Cast) -> None:
    other = await world.team(cast.alice)
    lead = await world.lead(cast.alice, cast.team)
    await world.offer(lead, cast.charlie, other, notify_at=at(10))
    answer = await submit(database, cast.alice, lead.id)
    assert [(offer.user_id, offer.notify_at) for offer in answer.offers] == [(cast.bob.id, at(25))]


async def test_preparing_writes_nothing_and_plans_what_a_submit_writes(
    database: Database, world: World, cast: Cast
) -> None:
    carol = await world.user("Carol")
    await world.member(cast.team, carol, rank=2)
    lead = await world.lead(cast.alice, cast.team)
    await world.offer(lead, carol, status=LeadOfferStatus.CANCELLED)
    before = await written(database)
    async with database.read() as session:
        planned = (await prepare_submission(session, cast.alice.id, lead.id, NOW, lock=False)).chosen.plan
    assert await written(database) == before
    answer = await submit(database, cast.alice, lead.id)
    assert [(o.user_id, o.notify_at) for o in planned.offers] == [(o.user_id, o.notify_at) for o in answer.offers]
    assert planned.skipped == answer.skipped


# Automatic assignment


async def test_an_automatic_offer_due_at_once_takes_the_lead(database: Database, world: World, cast: Cast) -> None:
    carol = await world.user("Carol")
    await world.member(cast.team, carol, rank=0, assign_automatically=True, has_text_alert=True)
    lead = await world.lead(cast.alice, cast.team)

    answer = await submit(database, cast.alice, lead.id)

    held = answer.lead
    assert (held.claimed_by_id, held.claimed_at, held.claimed_via) == (carol.id, NOW, ClaimedVia.AUTO)
    assert answer.created_count == 2
    assert [(offer.user_id, offer.status, offer.end_reason) for offer in answer.offers] == [
        (carol.id, LeadOfferStatus.CLAIMED, None),
        (cast.bob.id, LeadOfferStatus.CANCELLED, EndReason.CLAIMED),
    ]
    work = [d for d in await rows(database, Delivery) if d.status is DeliveryStatus.PENDING]
    assert {d.offer_id for d in work} == {answer.offers[0].id}
    assert [(d.channel, d.next_attempt_at) for d in work] == [(Channel.TEXT, NOW), (Channel.EMAIL, NOW)]
    assert (await refusal(database, cast.alice, lead.id)).code == Code.ALREADY_CLAIMED


async def test_an_automatic_offer_due_later_waits(database: Database, world: World, cast: Cast) -> None:
    carol = await world.user("Carol")
    await world.member(cast.team, carol, rank=2, assign_automatically=True)
    lead = await world.lead(cast.alice, cast.team)
    assert (await submit(database, cast.alice, lead.id)).lead.claimed_by_id is None
    again = await submit(database, cast.alice, lead.id, now=at(60))
    assert again.lead.claimed_by_id is None, "a submit that makes nothing leaves every offer as it is"


async def test_a_submit_without_due_offers_assigns_nothing(database: Database, world: World, cast: Cast) -> None:
    """The worker assigns offers that were due before the submit."""
    carol = await world.user("Carol")
    await world.member(cast.team, carol, rank=2, assign_automatically=True)
    lead = await world.lead(cast.alice, cast.team)
    await world.offer(lead, cast.bob, assign_automatically=True)
    answer = await submit(database, cast.alice, lead.id)
    assert [offer.notify_at for offer in answer.offers] == [NOW, at(15)]
    assert answer.lead.claimed_by_id is None


async def test_an_earlier_automatic_offer_comes_first(database: Database, world: World, cast: Cast) -> None:
    """An older automatic offer is due, and no worker has seen it yet, when a submit makes another that is due."""
    carol = await world.user("Carol")
    await world.member(cast.team, carol, rank=0, assign_automatically=True)
    lead = await world.lead(cast.alice, cast.team)
    await world.offer(lead, cast.bob, notify_at=at(-20), rank=5, assign_automatically=True)
    answer = await submit(database, cast.alice, lead.id)
    assert answer.lead.claimed_by_id == cast.bob.id


# Cost


async def test_the_number_of_statements_does_not_grow_with_the_team(
    database: Database, world: World, cast: Cast, statements: list[str]
) -> None:
    def mixed(n: int) -> dict[str, Any]:
        return {"rank": n if n % 3 else None, "has_text_alert": n % 2 == 0, "has_email_alert": n % 5 != 0}

    counts = []
    for size in (6, 60):
        team = await world.team(cast.alice)
        users = [User(first_name="N", last_name="N", timezone="UTC", is_active=n % 7 != 0) for n in range(size)]
        await world.add(*users)
        for n, user in enumerate(users):
            await world.member(team, user, **mixed(n))
        lead = await world.lead(cast.alice, team, watched_since=NOW)
        statements.clear()
        assert (await submit(database, cast.alice, lead.id)).created_count > size / 2
        counts.append(len(statements))
    assert counts[0] == counts[1] <= 11


# Races


async def test_a_submit_waits_for_a_running_one_and_sees_its_offers(
    database: Database, elsewhere: Database, world: World, cast: Cast
) -> None:
    lead = await world.lead(cast.alice, cast.team)
    async with database.write() as session:
        first = await submit_lead_offers(session, cast.alice.id, lead.id, NOW)
        other = asyncio.create_task(submit(elsewhere, cast.alice, lead.id))
        _, waiting = await asyncio.wait({other}, timeout=0.3)
        assert waiting
    second = await other
    assert (first.created_count, second.created_count) == (1, 0)
    assert second.offers == first.offers
    assert len(await rows(database, Delivery)) == len(await rows(database, LeadRollout)) == 1


@pytest.mark.parametrize("submits", [2, 20])
async def test_simultaneous_submits_make_one_set_of_offers(
    database: Database, elsewhere: Database, world: World, cast: Cast, submits: int
) -> None:
    for rank in range(4):
        await world.member(cast.team, await world.user(), rank=rank)
    for _ in range(5):
        lead = await world.lead(cast.alice, cast.team)
        answers = await asyncio.gather(
            *(submit((database, elsewhere)[n % 2], cast.alice, lead.id) for n in range(submits))
        )
        assert sorted(answer.created_count for answer in answers) == [0] * (submits - 1) + [5]
        assert len({answer.offers[0].id for answer in answers}) == 1
        assert {len(answer.offers) for answer in answers} == {5}
    assert await written(database) == [25, 25, 5, 25, 0]


async def test_simultaneous_submits_renew_a_cancelled_offer_once(
    database: Database, elsewhere: Database, world: World, cast: Cast
) -> None:
    lead = await world.lead(cast.alice, cast.team)
    await world.offer(lead, cast.bob, status=LeadOfferStatus.CANCELLED)
    answers = await asyncio.gather(*(submit((database, elsewhere)[n % 2], cast.alice, lead.id) for n in range(10)))
    assert sum(answer.created_count for answer in answers) == 1
    assert await written(database) == [1, 1, 1, 1, 0]


async def test_a_submit_waits_for_a_running_claim_and_fails(
    database: Database, elsewhere: Database, world: World, cast: Cast
) -> None:
    lead = await world.lead(cast.alice, cast.team)
    async with database.write() as session:
        assert await take_lead(session, lead.id, cast.bob.id, ClaimedVia.APP, NOW)
        other = asyncio.create_task(refusal_code(elsewhere, cast.alice, lead))
        _, waiting = await asyncio.wait({other}, timeout=0.3)
        assert waiting
    assert await other == Code.ALREADY_CLAIMED
    assert await rows(database, LeadOffer) == []


async def refusal_code(database: Database, viewer: User, lead: Lead) -> Code:
    with pytest.raises(ApiError) as refused:
        await submit(database, viewer, lead.id)
    return refused.value.code


async def test_a_claim_ends_the_offers_of_a_running_submit(
    database: Database, elsewhere: Database, world: World, cast: Cast
) -> None:
    await world.member(cast.team, cast.charlie, rank=2)
    lead = await world.lead(cast.alice, cast.team)

    async def claim() -> bool:
        async with elsewhere.write() as session:
            return await take_lead(session, lead.id, cast.bob.id, ClaimedVia.APP, NOW)

    async with database.write() as session:
        await submit_lead_offers(session, cast.alice.id, lead.id, NOW)
        claiming = asyncio.create_task(claim())
        _, waiting = await asyncio.wait({claiming}, timeout=0.3)
        assert waiting
    assert await claiming
    statuses = {offer.user_id: offer.status for offer in await rows(database, LeadOffer)}
    assert statuses == {cast.bob.id: LeadOfferStatus.CLAIMED, cast.charlie.id: LeadOfferStatus.CANCELLED}
    async with database.read() as session:
        pending = select(Delivery).where(col(Delivery.status) == DeliveryStatus.PENDING)
        assert (await session.exec(pending)).all() == []
