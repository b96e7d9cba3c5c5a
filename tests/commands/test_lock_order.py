"""Every pair of commands, all mutations among them, runs against each other on PostgreSQL, statement by statement.

There is no deadlock, and the answers and the database are those of one command after the other, in one of both orders.
"""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import combinations_with_replacement
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.util import await_only
from sqlmodel import SQLModel, col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.commands import locks
from app.commands.due_offers import process_due
from app.commands.passing_on import end_step
from app.commands.users import deactivate_user
from app.db import compiled
from app.db.engine import Database
from app.db.models import (
    ApiKey,
    ApiKeyScope,
    Claim,
    Contact,
    ContactKey,
    Delivery,
    DistributionOption,
    Lead,
    LeadOffer,
    LeadRollout,
    LeadRoute,
    LeadSource,
    Team,
    TeamMember,
    TeamZipcode,
    Turn,
    User,
    WaitingInvitation,
)
from app.domain.enums import (
    ApiScope,
    Channel,
    ClaimedVia,
    DeliveryStatus,
    DistributionTarget,
    EndReason,
    LeadOfferStatus,
    OrderMethod,
    RequestStatus,
    RolloutCause,
    TeamSelectionMethod,
)
from app.graphql.schema import schema
from tests.support.api import Api
from tests.support.world import NOW

PAUSES = {"first": 2, "second": 3}
"""After how many statements either mutation of a pair pauses until the other one has ended or waits for a lock."""

STALLED_SECONDS = 0.02
"""A mutation that has run no statement for this long waits for a lock, and the other one goes on alone."""

MINUTE = timedelta(minutes=1)
ALICE, BOB, CARL, DORA, EVE, GUS, HAL = range(1, 8)
NEW_ID = 1_000
"""The lowest id of a row that a mutation creates."""
RANDOM = ("prefix", "hash")
"""Columns of API keys."""


@dataclass(frozen=True)
class Mutation:
    """A mutation in the scene, and the user who sends it."""

    viewer_id: int
    call: str

    @property
    def field(self) -> str:
        return self.call.split("(")[0]


@dataclass(frozen=True)
class Other:
    """A command of an operator or of the worker."""

    run: Callable[[AsyncSession], Awaitable[object]]


Command = Mutation | Other

MUTATIONS = {
    "submit": Mutation(ALICE, 'submitLeadOffers(leadId: "3")'),
    "submit by zipcode": Mutation(ALICE, 'submitLeadOffers(leadId: "4")'),
    "submit again": Mutation(ALICE, 'submitLeadOffers(leadId: "1")'),
    "submit in turn": Mutation(ALICE, 'submitLeadOffers(leadId: "7")'),
    "submit along a chain": Mutation(ALICE, 'submitLeadOffers(leadId: "8")'),
    "claim": Mutation(BOB, 'claimLeadOffer(id: "1")'),
    "decline": Mutation(BOB, 'declineLeadOffer(id: "1")'),
    "assign": Mutation(ALICE, 'assignLead(id: "1", userId: "3")'),
    "release": Mutation(ALICE, 'releaseLead(id: "2")'),
    "create contact": Mutation(ALICE, 'createContact(input: {firstName: "Mia", mobilePhone: "+12025550123"})'),
    "update contact": Mutation(
        ALICE, 'updateContact(id: "1", input: {firstName: "Mia", email: "pia@example.com", mobilePhone: null})'
    ),
    "receive": Mutation(
        ALICE,
        'receiveLead(input: {contact: {email: "pia@example.com", mobilePhone: "+12025550123"}, sourceId: "1",'
        ' type: "attic", externalId: "e1"})',
    ),
    "receive from a known contact": Mutation(
        ALICE,
        'receiveLead(input: {contact: {email: "mary@example.com", lastName: "X"}, sourceId: "1", type: "flat",'
        ' externalId: "e1"})',
    ),
    "create lead": Mutation(ALICE, 'createLead(input: {contactId: "1", sourceId: "1", type: "villa"})'),
    "enter enquiry": Mutation(
        ALICE, 'createLead(input: {contact: {firstName: "Mia"}, sourceId: "1", externalId: "9", type: "villa"})'
    ),
    "update lead": Mutation(ALICE, 'updateLead(id: "3", input: {teamId: "2"})'),
    "move enquiry": Mutation(ALICE, 'updateLead(id: "3", input: {sourceId: "1", message: "Hello"})'),
    "create source": Mutation(ALICE, 'createLeadSource(name: "Fair")'),
    "create route": Mutation(
        ALICE,
        'createLeadRoute(input: {leadSourceId: "1", leadType: "loft", distributionTarget: TEAM_ROLLOUT,'
        ' teamSelectionMethod: SPECIFIC_TEAM, teamId: "1"})',
    ),
    "swap route 1": Mutation(ALICE, 'updateLeadRoute(id: "1", input: {leadType: "villa"})'),
    "swap route 2": Mutation(ALICE, 'updateLeadRoute(id: "2", input: {leadType: "flat", teamId: "1"})'),
    "delete route": Mutation(ALICE, 'deleteLeadRoute(id: "2")'),
    "create team": Mutation(ALICE, 'createTeam(input: {name: "New", distributionZipcodes: ["02138"]})'),
    "create before": Mutation(ALICE, 'createTeam(input: {name: "New", nextTeamId: "1", minsUntilNextTeam: 5})'),
    "next team": Mutation(ALICE, 'updateTeam(id: "1", input: {nextTeamId: "2", minsUntilNextTeam: 5})'),
    "next team back": Mutation(ALICE, 'updateTeam(id: "2", input: {nextTeamId: "1", minsUntilNextTeam: 5})'),
    "delete other team": Mutation(ALICE, 'deleteTeam(id: "2")'),
    "order by rank": Mutation(ALICE, 'updateTeam(id: "1", input: {orderMethod: RANK, minsUntilNextAlert: 20})'),
    "change zipcodes": Mutation(
        ALICE, 'updateTeam(id: "1", input: {orderMethod: RANK, distributionZipcodes: ["02139"]})'
    ),
    "delete team": Mutation(ALICE, 'deleteTeam(id: "1")'),
    "invite": Mutation(ALICE, 'inviteTeamMember(teamId: "1", email: "eve@example.com")'),
    "remove waiting invitation": Mutation(ALICE, 'removeWaitingInvitation(id: "1")'),
    "join": Mutation(DORA, 'respondToInvitation(teamMemberId: "3", answer: ACCEPTED)'),
    "leave": Mutation(CARL, 'respondToInvitation(teamMemberId: "2", answer: DECLINED)'),
    "remove member": Mutation(ALICE, 'removeTeamMember(id: "2")'),
    "set option": Mutation(
        ALICE, 'setDistributionOption(input: {teamId: "1", userId: "3", rank: 1, assignAutomatically: true})'
    ),
    "update option": Mutation(ALICE, 'updateDistributionOption(id: "2", input: {rank: 4, weight: 3})'),
    "remove option": Mutation(ALICE, 'removeDistributionOption(id: "2")'),
    "move to another time zone": Mutation(CARL, 'updateMe(input: {timezone: "Asia/Tokyo", phone: "+12025550142"})'),
    "set away": Mutation(CARL, 'setAway(until: "2026-03-02T12:00:00Z")'),
    "clear away": Mutation(GUS, "clearAway"),
    "set quiet hours": Mutation(CARL, 'setQuietHours(start: "00:00", end: "23:59")'),
    "clear quiet hours": Mutation(BOB, "clearQuietHours"),
    "create key": Mutation(ALICE, 'createApiKey(input: {name: "Site", scopes: [INTAKE], sourceId: "1"})'),
    "revoke key": Mutation(ALICE, 'revokeApiKey(id: "1")'),
}

COMMANDS: dict[str, Command] = {
    "deactivate": Other(lambda session: deactivate_user(session, "hal@example.com", NOW)),
    "process due": Other(lambda session: process_due(session, 6, NOW)),
    "report exhausted": Other(lambda session: end_step(session, 1, NOW)),
    "pass on": Other(lambda session: end_step(session, 9, NOW)),
    "assign under a cap": Other(lambda session: process_due(session, 10, NOW)),
    **MUTATIONS,
}


CHAIN = [(5, GUS), (3, CARL), (3, HAL), (4, BOB), (4, CARL)]
"""Teams and members of the chain."""


def following(team_id: int) -> dict[str, Any]:
    """Return the fields of a team of the chain."""
    return {
        "creator_id": ALICE,
        "created_at": NOW + 2 * MINUTE,
        "next_team_id": team_id,
        "mins_until_next_team": 5,
    }


def scene() -> list[SQLModel]:
    """Alice's team by time has Bob, who gets leads automatically, Carl, and Gus, who is away.

    Bob and Carl have quiet hours. Lead 1 is offered to both and to Hal, Bob holds lead 2, which was offered to Carl and
    Gus too, leads 3 and 4 are new (3 has an external id), lead 5 is offered to Carl, whose quiet hours hold its message
    back, and an automatic offer of lead 6 to Bob is due.

    Teams 5, 3 and 4 are a chain: Gus alone, then Carl and Hal in turn, then Bob and Carl by time. Hal and Bob get leads
    automatically, one a day at most. Leads 7 and 8 are new, for team 3 and for the chain. The step of lead 9 in team 3
    is over; Hal's offer of it was held and is due, as is his offer of lead 10.
    """
    team: dict[str, Any] = {"distribution_target": DistributionTarget.TEAM_ROLLOUT, "team_id": 1, "creator_id": ALICE}
    by_id, by_zipcode = TeamSelectionMethod.SPECIFIC_TEAM, TeamSelectionMethod.ZIPCODE
    lead: dict[str, Any] = {"contact_id": 1, "created_at": NOW, "watched_since": NOW, **team}
    offer: dict[str, Any] = {"team_id": 1, "offered_by_id": ALICE, "order_method": OrderMethod.TIME}
    offer |= {"has_call_alert": False, "has_text_alert": False, "has_email_alert": True}
    ended: dict[str, Any] = {"end_reason": EndReason.CLAIMED}
    claim: dict[str, Any] = {"claimed_at": NOW, "first_claimed_at": NOW, "claimed_via": ClaimedVia.APP}
    sent, scheduled = LeadOfferStatus.SENT, LeadOfferStatus.SCHEDULED
    by_rank = OrderMethod.RANK
    quiet: dict[str, Any] = {"quiet_hours_start": "00:00", "quiet_hours_end": "12:00"}
    return [
        *(
            User(id=n, first_name=name, last_name="X", email=f"{name.lower()}@example.com", timezone="UTC", **more)
            for n, (name, more) in enumerate(
                {
                    "Alice": {},
                    "Bob": quiet,
                    "Carl": quiet,
                    "Dora": {},
                    "Eve": {},
                    "Gus": {"away_until": NOW + 60 * MINUTE},
                    "Hal": {},
                }.items(),
                1,
            )
        ),
        Team(id=1, name="One", creator_id=ALICE, order_method=OrderMethod.TIME, created_at=NOW),
        Team(id=2, name="Two", creator_id=ALICE, order_method=by_rank, created_at=NOW + MINUTE),
        Team(id=4, name="Four", creator_id=ALICE, order_method=OrderMethod.TIME, created_at=NOW + 2 * MINUTE),
        Team(id=3, name="Three", order_method=OrderMethod.ROUND_ROBIN, mins_until_next_alert=5, **following(4)),
        Team(id=5, name="Five", order_method=by_rank, **following(3)),
        TeamZipcode(team_id=1, zipcode="02138"),
        TeamZipcode(team_id=2, zipcode="02138"),
        *(
            TeamMember(id=n, team_id=team_id, user_id=user_id, request_status=status)
            for n, (team_id, user_id, status) in enumerate(
                [
                    (1, BOB, RequestStatus.ACCEPTED),
                    (1, CARL, RequestStatus.ACCEPTED),
                    (1, DORA, RequestStatus.PENDING),
                    (1, GUS, RequestStatus.ACCEPTED),
                    (1, HAL, RequestStatus.ACCEPTED),
                    (2, CARL, RequestStatus.ACCEPTED),
                    *((team_id, user_id, RequestStatus.ACCEPTED) for team_id, user_id in CHAIN),
                ],
                1,
            )
        ),
        WaitingInvitation(
            id=1,
            team_id=1,
            inviter_id=ALICE,
            email="ivy@example.com",
            invited_at=NOW,
            mail_at=NOW,
            status=DeliveryStatus.PENDING,
        ),
        DistributionOption(id=1, team_id=1, user_id=BOB, rank=1, assign_automatically=True),
        DistributionOption(id=2, team_id=1, user_id=CARL, rank=2, mins_until_lead_offer=30),
        DistributionOption(id=3, team_id=1, user_id=DORA, rank=3, mins_until_lead_offer=40),
        DistributionOption(id=4, team_id=1, user_id=GUS, rank=4, mins_until_lead_offer=50),
        DistributionOption(id=5, team_id=2, user_id=CARL, rank=1),
        DistributionOption(id=6, team_id=1, user_id=HAL, rank=5, mins_until_lead_offer=60),
        Turn(team_id=1, user_id=CARL, mark=2_000_000_000, taken=1, last_taken_at=NOW),
        *(
            DistributionOption(
                id=n,
                team_id=team_id,
                user_id=user_id,
                rank=1,
                assign_automatically=user_id in (BOB, HAL),
                max_leads_per_day=1 if user_id in (BOB, HAL) else None,
            )
            for n, (team_id, user_id) in enumerate(CHAIN, 7)
        ),
        Contact(id=1, owner_id=ALICE, first_name="Mary", email="mary@example.com", mobile_phone="+12025550123"),
        *(
            ContactKey(owner_id=ALICE, value=value, contact_id=1, is_found=True)
            for value in ("mailto:mary@example.com", "tel:+12025550123")
        ),
        LeadSource(id=1, creator_id=ALICE, name="Website", name_key="website"),
        ApiKey(id=1, user_id=ALICE, name="site", prefix="lo_1", hash="1", created_at=NOW),
        ApiKeyScope(api_key_id=1, scope=ApiScope.READ),
        *(
            LeadRoute(
                id=n,
                creator_id=ALICE,
                lead_source_id=1,
                distribution_target=DistributionTarget.TEAM_ROLLOUT,
                team_selection_method=by_id,
                team_id=2,
                lead_type=lead_type,
                lead_type_key=lead_type,
            )
            for n, lead_type in enumerate(["flat", "villa"], 1)
        ),
        LeadRoute(
            id=3,
            creator_id=ALICE,
            lead_source_id=1,
            distribution_target=DistributionTarget.TEAM_ROLLOUT,
            team_selection_method=by_id,
            team_id=5,
            lead_type="attic",
            lead_type_key="attic",
        ),
        Lead(id=1, team_selection_method=by_id, **lead),
        Lead(id=2, team_selection_method=by_id, claimed_by_id=BOB, **claim, **lead),
        Lead(id=3, team_selection_method=by_id, external_id="9", **lead),
        *(Lead(id=n, team_selection_method=by_id, **lead) for n in (5, 6)),
        *(Lead(id=n, team_selection_method=by_id, **(lead | {"team_id": 3})) for n in (7, 10)),
        *(Lead(id=n, team_selection_method=by_id, **(lead | {"team_id": 5})) for n in (8, 9)),
        Lead(id=4, team_selection_method=by_zipcode, zipcode="02138", **(lead | {"team_id": None})),
        LeadOffer(id=1, lead_id=1, user_id=BOB, notify_at=NOW, status=sent, **offer),
        LeadOffer(
            id=2,
            lead_id=1,
            user_id=CARL,
            notify_at=NOW + 30 * MINUTE,
            status=scheduled,
            rank=2,
            **(offer | {"order_method": by_rank}),
        ),
        LeadOffer(id=3, lead_id=2, user_id=BOB, notify_at=NOW, status=LeadOfferStatus.CLAIMED, **offer),
        Claim(id=1, lead_id=2, user_id=BOB, team_id=1, offer_id=3, via=ClaimedVia.APP, claimed_at=NOW),
        LeadOffer(id=4, lead_id=2, user_id=CARL, notify_at=NOW, status=LeadOfferStatus.EXPIRED, **ended, **offer),
        LeadOffer(
            id=5,
            lead_id=2,
            user_id=GUS,
            notify_at=NOW + 30 * MINUTE,
            status=LeadOfferStatus.CANCELLED,
            **ended,
            **offer,
        ),
        LeadOffer(id=6, lead_id=5, user_id=CARL, notify_at=NOW, status=scheduled, **offer),
        LeadOffer(
            id=7, lead_id=6, user_id=BOB, notify_at=NOW, status=scheduled, **(offer | {"assign_automatically": True})
        ),
        LeadOffer(id=8, lead_id=1, user_id=HAL, notify_at=NOW + 60 * MINUTE, status=scheduled, **offer),
        *(
            LeadOffer(
                id=n,
                lead_id=lead_id,
                user_id=HAL,
                notify_at=NOW - 5 * MINUTE,
                status=scheduled,
                **(offer | {"team_id": 3, "order_method": OrderMethod.ROUND_ROBIN, "assign_automatically": True}),
            )
            for n, lead_id in enumerate((9, 10), 9)
        ),
        *(
            LeadRollout(
                id=n,
                lead_id=9,
                team_id=team_id,
                team_selection_method=by_id,
                submitted_at=NOW - 5 * MINUTE,
                cause=cause,
                wait_minutes=5,
            )
            for n, (team_id, cause) in enumerate([(5, RolloutCause.SUBMITTED), (3, RolloutCause.PASSED_ON)], 1)
        ),
        *(
            Delivery(id=n, offer_id=offer_id, channel=Channel.EMAIL, status=DeliveryStatus.PENDING, next_attempt_at=at)
            for n, (offer_id, at) in enumerate(
                [(1, NOW + 180 * MINUTE), (2, NOW + 30 * MINUTE), (6, NOW + 180 * MINUTE)], 1
            )
        ),
    ]


TABLES = [table.name for table in SQLModel.metadata.sorted_tables]


@dataclass
class Stage:
    """A server and its database, which `reset` returns to the scene."""

    api: Api
    database: Database
    rows: str
    """The rows of the scene: for each table a JSON array."""

    @classmethod
    async def build(cls, api: Api, database: Database) -> "Stage":
        async with database.write() as session:
            for row in scene():
                session.add(row)
                await session.flush()
        stage = cls(api, database, "")
        stage.rows = json.dumps(await stage._read())
        return stage

    async def reset(self) -> None:
        rows = json.loads(self.rows)
        script = ["SET session_replication_role = replica"]
        script += [f"DELETE FROM {table}" for table in reversed(TABLES)]
        for table in TABLES:
            if rows[table]:
                text = json.dumps(rows[table]).replace("'", "''")
                script.append(f"INSERT INTO {table} SELECT * FROM json_populate_recordset(NULL::{table}, '{text}')")
        script.append(
            f"SELECT setval(oid::regclass, {NEW_ID}) FROM pg_class WHERE relkind = 'S' AND relname LIKE '%_id_seq'"
        )
        script.append("SET session_replication_role = DEFAULT")
        async with self.database.write_engine.connect() as connection:
            raw: Any = (await connection.get_raw_connection()).driver_connection
            await raw.execute(";\n".join(script))

    async def _read(self) -> dict[str, list[dict[str, Any]]]:
        parts = ", ".join(f"'{t}', (SELECT coalesce(json_agg(t), '[]') FROM {t} t)" for t in TABLES)
        async with self.database.read_engine.connect() as connection:
            found = (await connection.exec_driver_sql(f"SELECT json_build_object({parts})")).scalar_one()
        tables: dict[str, list[dict[str, Any]]] = json.loads(found) if isinstance(found, str) else found
        return tables

    async def state(self) -> Counter[str]:
        """Return all rows, without ids of new rows, which depend on the order of the transactions, and random keys."""

        def known(name: str, value: Any) -> Any:
            is_new = (name == "id" or name.endswith("_id")) and isinstance(value, int) and value > NEW_ID
            return "new" if is_new or name in RANDOM else value

        return Counter(
            f"{table}: {json.dumps({name: known(name, value) for name, value in row.items()}, sort_keys=True)}"
            for table, rows in (await self._read()).items()
            for row in rows
        )

    async def send(self, command: Command) -> str:
        """Run the command and return OK or the code of its error."""
        if isinstance(command, Other):
            await self.api.database.in_transaction(command.run)
            return "OK"
        mutation = command
        user = User(id=mutation.viewer_id, first_name="", last_name="", timezone="UTC")
        answer = await self.api.user(user).send(f"mutation {{ {mutation.call} {{ __typename }} }}")
        return str(answer["errors"][0]["extensions"]["code"]) if "errors" in answer else "OK"


Outcome = tuple[str, str, Counter[str]]
"""The answers to both mutations, and the rows after them."""


async def one_by_one(stage: Stage, first: Command, second: Command) -> tuple[str, str, Counter[str]]:
    await stage.reset()
    return await stage.send(first), await stage.send(second), await stage.state()


@dataclass(frozen=True)
class Schedule:
    """How the statements of two mutations alternate: in turns, or all of one within a pause of the other."""

    pausing: str | None = None
    after: int = 0
    """The number of statements before the pause."""


SCHEDULES = [Schedule(), *(Schedule(who, after) for who, after in PAUSES.items())]


@dataclass
class Director:
    """Lets two mutations run their statements by a schedule."""

    schedule: Schedule
    begun: dict[str, int] = field(default_factory=lambda: {"first": 0, "second": 0})
    ended: set[str] = field(default_factory=set)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def step(self, me: str) -> None:
        """Return when it is time for the next statement of this mutation."""
        other = "second" if me == "first" else "first"
        self.begun[me] += 1
        self._wake()
        pausing, after = self.schedule.pausing, self.schedule.after
        if pausing is None:
            await self._wait(other, lambda: self.begun[other] >= self.begun[me])
        elif pausing == me and self.begun[me] == after + 1:
            await self._wait(other, lambda: False)
        elif pausing == other and self.begun[me] == 1:
            await self._wait(other, lambda: self.begun[other] > after)

    async def _wait(self, other: str, is_time: Callable[[], bool]) -> None:
        """Wait until it is time, or until the other mutation has ended or waits for a lock itself."""
        while not is_time() and other not in self.ended:
            changed, patience = self.changed, STALLED_SECONDS if self.begun[other] else None
            try:
                await asyncio.wait_for(changed.wait(), patience)
            except TimeoutError:
                return

    def end(self, me: str) -> None:
        self.ended.add(me)
        self._wake()

    def _wake(self) -> None:
        self.changed.set()
        self.changed = asyncio.Event()


_RUNNING: ContextVar[tuple[Director, str] | None] = ContextVar("running", default=None)


async def _step() -> None:
    if (running := _RUNNING.get()) is not None:
        director, me = running
        await director.step(me)


@contextmanager
def stepping(database: Database) -> Iterator[None]:
    """Hold each statement of a transaction until it is the turn of its mutation."""
    fetch: Any = compiled._fetch
    module: Any = compiled

    async def fetch_in_turn(*arguments: Any) -> Any:
        await _step()
        return await fetch(*arguments)

    def execute_in_turn(*_details: Any) -> None:
        await_only(_step())

    event.listen(database.write_engine.sync_engine, "before_cursor_execute", execute_in_turn)
    module._fetch = fetch_in_turn
    try:
        yield
    finally:
        module._fetch = fetch
        event.remove(database.write_engine.sync_engine, "before_cursor_execute", execute_in_turn)


async def side_by_side(stage: Stage, first: Command, second: Command, schedule: Schedule) -> Outcome:
    await stage.reset()
    director = Director(schedule)

    async def run(me: str, command: Command) -> str:
        _RUNNING.set((director, me))
        try:
            return await stage.send(command)
        finally:
            director.end(me)

    one, other = await asyncio.gather(run("first", first), run("second", second))
    return one, other, await stage.state()


@pytest.fixture
async def stage(api: Api, database: Database) -> AsyncIterator[Stage]:
    name = database.write_engine.url.database
    async with database.write_engine.connect() as connection:
        await connection.exec_driver_sql(f"ALTER DATABASE {name} SET deadlock_timeout = '100ms'")
        await connection.commit()
    with stepping(api.database):
        yield await Stage.build(api, database)


def test_commands_lock_rows_in_one_module_only() -> None:
    commands = Path(locks.__file__).parent
    locking = [file.name for file in commands.glob("*.py") if "with_for_update" in file.read_text()]
    assert locking == ["locks.py"]


def test_no_mutation_is_left_out() -> None:
    mutation_type = schema._schema.mutation_type
    assert mutation_type is not None
    assert {mutation.field for mutation in MUTATIONS.values()} == set(mutation_type.fields)


PAIRS = [*combinations_with_replacement(COMMANDS, 2)]


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMANDS)
async def test_simultaneous_commands_are_one_after_the_other(
    stage: Stage, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    faults = []
    for first, second in PAIRS:
        if first != name:
            continue
        one, other = COMMANDS[first], COMMANDS[second]
        found = {}
        for schedule in SCHEDULES:
            caplog.clear()
            found[schedule] = await side_by_side(stage, one, other, schedule)
            faults += [f"{first} beside {second}: {r.message}" for r in caplog.records if "deadlock" in r.message]
        expected = [await one_by_one(stage, one, other)]
        if any(outcome not in expected for outcome in found.values()):
            answer_before, answer, rows = await one_by_one(stage, other, one)
            expected.append((answer, answer_before, rows))
        for schedule, outcome in found.items():
            if outcome not in expected:
                faults.append(f"{first} beside {second}, {schedule}: {_difference(outcome, expected)}")
    assert faults == []


async def test_a_step_locks_at_once_what_its_assignment_may_need(stage: Stage, database: Database) -> None:
    """Team 3 has made the lead's open offer, and the step is of team 4: a submit along the chain locks 3 before 4."""
    free = select(Team.id).where(col(Team.id) == 4).with_for_update(of=Team, key_share=True, skip_locked=True)
    await stage.reset()
    async with database.write() as session:
        await locks.lock_counted_teams(session, [3])
        passing_on = asyncio.create_task(stage.send(COMMANDS["pass on"]))
        await asyncio.sleep(0.3)
        assert (await session.exec(free)).all() == [4]
        assert not passing_on.done()
    assert await passing_on == "OK"


def _difference(found: Outcome, expected: list[Outcome]) -> str:
    return "; neither ".join(
        f"{answers} with {[*(rows - found[2])]} instead of {[*(found[2] - rows)]}, but {found[:2]}"
        for *answers, rows in expected
    )
