"""Whether a submit would succeed, as SQL: for each of many random states, what the submit then does."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from sqlmodel import SQLModel, col, select

from app.commands.submit import submit_lead_offers
from app.commands.submittable import submit_succeeds
from app.db.day_starts import day_start_in
from app.db.engine import Database
from app.db.models import (
    Contact,
    DistributionOption,
    Lead,
    LeadOffer,
    LeadRollout,
    Team,
    TeamMember,
    TeamZipcode,
    User,
)
from app.domain.bounds import LONGEST_CHAIN
from app.domain.enums import (
    ClaimedVia,
    DistributionTarget,
    LeadOfferStatus,
    OrderMethod,
    RequestStatus,
    RolloutCause,
    TeamSelectionMethod,
)
from app.domain.time_zones import day_start
from app.errors import ApiError, Code
from tests.support.world import NOW, World, at, change

ALICE, BOB = 1, 2
USERS, TEAMS, HELD, LEADS = 12, 14, 40, 120
ZONES = ["UTC", "America/Los_Angeles", "Asia/Tokyo", "America/Havana", "Africa/Cairo", "Mars/Olympus"]
REFUSALS = [
    Code.NOT_FOUND,
    Code.FORBIDDEN,
    Code.NOT_TEAM_ROLLOUT,
    Code.ALREADY_CLAIMED,
    Code.TEAM_NOT_USABLE,
    Code.ZIPCODE_MISSING,
    Code.NO_TEAM_FOR_ZIPCODE,
    Code.NO_DISTRIBUTION_OPTIONS,
    Code.NO_ELIGIBLE_MEMBERS,
]
SEEDS = 8
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
MOMENTS = [
    NOW,
    datetime(2026, 3, 8, 4, 30, tzinfo=UTC),  # Havana skips midnight
    datetime(2026, 11, 1, 4, 30, tzinfo=UTC),  # Havana has midnight twice
    datetime(2026, 4, 24, 21, 59, 59, 999_000, tzinfo=UTC),  # the last moment before Cairo skips midnight
]


class Dice:
    """Draws the rows of a brokerage at a moment, with everything that decides whether a lead can be submitted."""

    def __init__(self, seed: int, now: datetime) -> None:
        self.random, self.now = Random(seed), now

    def chance(self, share: float) -> bool:
        return self.random.random() < share

    def rows(self) -> list[list[SQLModel]]:
        """Return the rows, table by table."""
        ids = range(1, TEAMS + 1)
        zipcodes = [TeamZipcode(team_id=n, zipcode=code) for n in ids for code in ("1", "2", "3") if self.chance(0.2)]
        people = [(team, user) for team in ids for user in range(1, USERS + 1) if self.chance(0.2)]
        empty = {team for team in ids if self.chance(0.25)}
        with_option = [pair for pair in people if pair[0] not in empty and self.chance(0.7)]
        leads = [self.lead(n) for n in range(1, LEADS + 1)]
        return [
            [self.user(n) for n in range(1, USERS + 1)],
            [self.team(n) for n in reversed(ids)],
            [*zipcodes],
            [self.member(*pair) for pair in people if self.chance(0.9)],
            [self.option(*pair) for pair in with_option],
            [Contact(id=n, owner_id=ALICE, first_name="Mary") for n in range(1, 4)],
            [*leads],
            [self.rollout(lead) for lead in leads for _ in range(self.random.choice([0, 0, 1, 2, 3]))],
            [offer for lead in leads for offer in self.offers(lead)],
        ]

    def user(self, number: int) -> User:
        away = [*[None] * 5, self.now - MINUTE, self.now, self.now + MINUTE]
        return User(
            id=number,
            first_name="U",
            last_name="X",
            email=f"u{number}@example.com",
            timezone=self.random.choice(ZONES),
            is_active=number <= BOB or self.chance(0.8),
            away_until=self.random.choice(away),
            **({"quiet_hours_start": "00:00", "quiet_hours_end": "23:59"} if self.chance(0.3) else {}),
        )

    def team(self, number: int) -> Team:
        following = self.random.randint(number, TEAMS + 1)
        return Team(
            id=number,
            name=f"Team {number}",
            creator_id=self.random.choice([ALICE, ALICE, ALICE, BOB]),
            order_method=self.random.choice([*OrderMethod]),
            mins_until_next_alert=5,
            created_at=self.now - self.random.randint(1, 3) * HOUR,
            members_per_lead=self.random.choice([None, 1, 2]),
            keeps_contacts=self.chance(0.3),
            deleted_at=self.now if self.chance(0.1) else None,
            next_team_id=following if self.chance(0.5) and following <= TEAMS else None,
            mins_until_next_team=5,
        )

    def member(self, team_id: int, user_id: int) -> TeamMember:
        status = self.random.choice([*[RequestStatus.ACCEPTED] * 5, *RequestStatus])
        return TeamMember(team_id=team_id, user_id=user_id, request_status=status)

    def option(self, team_id: int, user_id: int) -> DistributionOption:
        return DistributionOption(
            team_id=team_id,
            user_id=user_id,
            rank=self.random.choice([None, 0, 1]),
            assign_automatically=self.chance(0.3),
            max_leads_per_day=self.random.choice([None, None, None, 0, 1, 1, 2]),
        )

    def lead(self, number: int) -> Lead:
        by_zipcode = self.chance(0.4)
        target = DistributionTarget.TEAM_ROLLOUT if self.chance(0.95) else DistributionTarget.MYSELF
        zones = self.random.choice(ZONES)
        method = TeamSelectionMethod.ZIPCODE if by_zipcode else TeamSelectionMethod.SPECIFIC_TEAM
        holder: dict[str, Any] = {
            "claimed_by_id": self.random.randint(1, USERS),
            "claimed_at": day_start(zones, self.now) + self.random.choice([-1, 0, 1]) * timedelta(milliseconds=1),
            "claimed_via": ClaimedVia.APP,
        }
        return Lead(
            id=number,
            contact_id=self.random.randint(1, 3),
            creator_id=self.random.choice([ALICE, ALICE, ALICE, BOB]),
            distribution_target=target,
            team_selection_method=method if by_zipcode or self.chance(0.8) else None,
            team_id=None if by_zipcode or self.chance(0.1) else self.random.randint(1, TEAMS),
            zipcode=self.random.choice(["1", "2", "3", "3", "4", "", None]),
            created_at=self.now - HOUR,
            ended_step_id=self.random.randint(1, LEADS) if self.chance(0.2) else None,
            **(holder if number <= HELD or self.chance(0.05) else {}),
        )

    def rollout(self, lead: Lead) -> LeadRollout:
        return LeadRollout(
            lead_id=lead.id,
            team_id=self.random.randint(1, TEAMS),
            team_selection_method=TeamSelectionMethod.SPECIFIC_TEAM,
            submitted_at=self.now - HOUR,
            cause=self.random.choice([*RolloutCause]),
            wait_minutes=5,
        )

    def offers(self, lead: Lead) -> list[LeadOffer]:
        ended = [LeadOfferStatus.DECLINED, LeadOfferStatus.CANCELLED, LeadOfferStatus.EXPIRED]
        statuses = [*LeadOfferStatus] if self.chance(0.5) else ended
        users = [lead.claimed_by_id] if lead.claimed_by_id else []
        users += [n for n in range(1, USERS + 1) if n not in users and self.chance(0.15)]
        made: list[dict[str, Any]] = [{"user_id": user_id} for user_id in users]
        made += [{"user_id": None}] if self.chance(0.1) else []
        return [
            LeadOffer(
                lead_id=lead.id,
                team_id=self.random.randint(1, TEAMS // 2) if self.chance(0.9) else None,
                offered_by_id=lead.creator_id,
                notify_at=self.now + self.random.choice([-1, 0, 1]) * MINUTE,
                has_email_alert=True,
                status=self.random.choice(statuses),
                **user,
            )
            for user in made
        ]


class Undone(Exception):
    """Rolls back a submit that succeeded."""


async def outcome(database: Database, viewer_id: int, lead_id: int, now: datetime) -> Code | None:
    """Return the code of the error that a submit raises, or None. Nothing is written."""
    try:
        async with database.write() as session:
            await submit_lead_offers(session, viewer_id, lead_id, now)
            raise Undone
    except Undone:
        return None
    except ApiError as error:
        return error.code


async def expected(database: Database, viewer_id: int, now: datetime) -> dict[int, bool]:
    lead = Lead.__table__.alias().c  # type: ignore[attr-defined]
    found: Any = select(lead.id, submit_succeeds(lead, viewer_id, now))
    async with database.read() as session:
        return dict((await session.exec(found)).all())


@pytest.mark.parametrize("seed", range(SEEDS))
async def test_it_holds_exactly_for_the_leads_whose_submit_succeeds(database: Database, seed: int) -> None:
    now = MOMENTS[seed % len(MOMENTS)]
    seen: Counter[tuple[Code | None, bool]] = Counter()
    dice = Dice(seed, now)
    async with database.write() as session:
        for rows in dice.rows():
            session.add_all(rows)
            await session.flush()
    said = {viewer: await expected(database, viewer, now) for viewer in (ALICE, BOB)}
    wrong = {}
    for viewer, leads in said.items():
        for lead_id, succeeds in leads.items():
            code = await outcome(database, viewer, lead_id, now)
            seen[code, viewer == ALICE] += 1
            if succeeds != (code is None):
                wrong[viewer, lead_id] = code
    assert wrong == {}
    assert seen[None, True] >= 3
    assert len({code for code, _ in seen} & {*REFUSALS}) >= len(REFUSALS) - 1, "a seed may miss one"


SUBMITTED, PASSED_ON = RolloutCause.SUBMITTED, RolloutCause.PASSED_ON


@pytest.mark.parametrize(
    ("steps", "ended", "succeeds"),
    [
        ([], 0, False),
        ([("first", SUBMITTED)], 0, False),
        ([("first", SUBMITTED), ("second", PASSED_ON)], 0, True),
        ([("first", SUBMITTED), ("second", PASSED_ON)], 1, False),
        ([("second", SUBMITTED), ("first", PASSED_ON)], 0, False),
        ([("third", SUBMITTED), ("second", PASSED_ON)], 0, False),
        ([("first", SUBMITTED), ("second", PASSED_ON), ("first", SUBMITTED)], 0, False),
        ([("first", SUBMITTED), ("second", PASSED_ON), ("third", SUBMITTED)], 0, False),
        ([("first", SUBMITTED), ("second", PASSED_ON), ("third", PASSED_ON)], 0, True),
    ],
)
async def test_a_first_team_without_options_is_enough_once_the_lead_has_gone_on(
    database: Database, world: World, steps: list[tuple[str, RolloutCause]], ended: int, succeeds: bool
) -> None:
    """An open offer makes the submit one that changes nothing. Steps of other leads surround each step of the lead."""
    alice = await world.user()
    teams = {name: await world.team(alice) for name in ("first", "second", "third")}
    member = await world.member_user(teams["second"])
    lead, other = [await world.lead(alice, teams["first"]) for _ in range(2)]
    await world.offer(lead, member, teams["second"])
    made = []
    for name, cause in steps:
        for of_lead, team in ((other, "first"), (lead, name), (other, "second")):
            step = LeadRollout(
                lead_id=of_lead.id,
                team_id=teams[team].id,
                team_selection_method=TeamSelectionMethod.SPECIFIC_TEAM,
                submitted_at=NOW,
                cause=cause,
                wait_minutes=5,
            )
            await world.add(step)
            made += [step] if of_lead is lead else []
    if ended:
        await change(world, lead, ended_step_id=made[ended].id)

    assert await outcome(database, alice.id, lead.id, NOW) == (None if succeeds else Code.NO_DISTRIBUTION_OPTIONS)
    assert (await expected(database, alice.id, NOW))[lead.id] is succeeds


@pytest.mark.parametrize(
    ("length", "deleted", "succeeds"),
    [
        (1, None, True),
        (3, None, True),
        (3, 1, False),
        (3, 2, False),
        (LONGEST_CHAIN, None, True),
        (LONGEST_CHAIN + 1, None, False),
    ],
)
async def test_a_member_of_the_last_team_is_enough_if_no_team_of_the_chain_is_deleted(
    database: Database, world: World, length: int, deleted: int | None, succeeds: bool
) -> None:
    """The members of all other teams are away. `deleted` counts from 0, the first team."""
    alice, away = await world.user(), await world.user(away_until=at(60))
    following = None
    for place in reversed(range(length)):
        team = await world.team(
            alice,
            deleted_at=NOW if place == deleted else None,
            next_team_id=following and following.id,
            mins_until_next_team=following and 5,
        )
        if following is None:
            await world.member_user(team)
        else:
            await world.member(team, away)
        following = team
    lead = await world.lead(alice, following)

    assert await outcome(database, alice.id, lead.id, NOW) == (None if succeeds else Code.NO_ELIGIBLE_MEMBERS)
    assert (await expected(database, alice.id, NOW))[lead.id] is succeeds


@pytest.mark.parametrize(
    ("same_contact", "same_team", "succeeds"), [(False, True, False), (True, True, True), (False, False, True)]
)
async def test_a_cap_of_the_team_counts_its_own_leads_and_spares_contacts_of_the_member(
    database: Database, world: World, same_contact: bool, same_team: bool, succeeds: bool
) -> None:
    alice = await world.user()
    other, team = [await world.team(alice, keeps_contacts=True) for _ in range(2)]
    member = await world.member_user(team, max_leads_per_day=1)
    await world.membership(other, member)
    contact = await world.contact(alice)
    lead = await world.lead(alice, team, contact)
    held = await world.lead(alice, team, contact if same_contact else None)
    await world.offer(held, member, team if same_team else other, LeadOfferStatus.CLAIMED)
    await world.claimed(held, member)

    assert await outcome(database, alice.id, lead.id, NOW) == (None if succeeds else Code.NO_ELIGIBLE_MEMBERS)
    assert (await expected(database, alice.id, NOW))[lead.id] is succeeds


@pytest.mark.parametrize("zone", [*ZONES, "", 'a"b', "UTC'", "$.UTC"])
@pytest.mark.parametrize("now", [*MOMENTS, NOW.replace(second=59, microsecond=999_999)], ids=str)
async def test_days_begin_as_they_do_in_python(database: Database, world: World, now: datetime, zone: str) -> None:
    await world.user(timezone=zone)
    async with database.read() as session:
        begin = (await session.exec(select(day_start_in(col(User.timezone), now)))).one()
    assert begin == day_start(zone, now)
