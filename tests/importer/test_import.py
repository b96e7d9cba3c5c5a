"""`lead-offers import`: the rows that a file of the REST API becomes. Importing it again changes nothing."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from sqlmodel import SQLModel
from typer.testing import CliRunner

from app import cli
from app.commands.claim import decline_lead_offer
from app.commands.outbox import count_silent_offers
from app.db.engine import Database
from app.domain.enums import (
    Channel,
    ClaimedVia,
    DeliveryStatus,
    DistributionTarget,
    EndReason,
    LeadOfferStatus,
    OrderMethod,
    RequestStatus,
    TeamSelectionMethod,
)
from app.importer import Report, import_lists, parse
from app.worker.channels.registry import make_channels
from app.worker.worker import Worker
from tests.support.api import settings_for
from tests.support.world import NOW, World

Document = dict[str, list[dict[str, Any]]]

PAST, AHEAD = "2018-01-16T09:09:09.000Z", "2099-01-01"

AS_ANSWERED = {
    "id": 1,
    "lead": {
        "id": 2,
        "distribution_target": "Team Rollout",
        "contact": {"id": 2, "first_name": "Mary", "last_name": "Jackson"},
    },
    "user": {"id": 5, "first_name": "Dorothy", "last_name": "Vaughan", "email": "dot@example.com"},
    "notify_at": "2018-01-16T09:09:09.000Z",
    "rank": "3",
    "assign_automatically": "true",
    "has_call_alert": True,
    "has_text_alert": "false",
    "has_email_alert": True,
    "team": {"id": 6, "name": "IBM"},
}


def ibm() -> Document:
    """Return Dorothy's offer, as in the description of the REST API, and the rows that it refers to."""
    return {
        "users": [
            {"id": "5", "first_name": "Dorothy", "last_name": "Vaughan", "email": "Dot@Example.com"},
            {"id": 4, "email": "kat@example.com", "phone": "+12025550142", "timezone": "America/New_York"},
        ],
        "teams": [{"id": 6, "name": "IBM", "creator_id": 4, "order_method": "Rank", "mins_until_next_alert": "20"}],
        "team_members": [{"id": 7, "team_id": 6, "user_id": 5, "request_status": "Accepted"}],
        "team_member_distribution_options": [{"id": 8, "team": {"id": 6}, "user": {"id": 5}, "rank": "3"}],
        "contacts": [{"id": 2, "owner_user_id": 4, "first_name": "Mary", "last_name": "Jackson"}],
        "leads": [
            {
                "id": 2,
                "contact_id": 2,
                "distribution_target": "Team Rollout",
                "team_selection_method": "Specific Team",
                "team_id": 6,
                "created_at": "2018-01-16",
                "time_to_claim": None,
            }
        ],
        "lead_offers": [dict(AS_ANSWERED)],
    }


async def load(
    database: Database,
    document: Mapping[str, Any],
    now: datetime = NOW,
    advance: Callable[[int], None] = lambda _rows: None,
    report: Report | None = None,
) -> Report:
    async with database.write() as session:
        return await import_lists(session, parse(json.dumps(document).encode()), now, advance, report)


async def rows(database: Database, name: str) -> list[dict[str, Any]]:
    table = SQLModel.metadata.tables[name]
    async with database.read_engine.connect() as connection:
        return [row._asdict() for row in await connection.execute(select(table).order_by(*table.primary_key))]


async def row(database: Database, name: str) -> dict[str, Any]:
    (only,) = await rows(database, name)
    return only


async def everything(database: Database) -> dict[str, list[dict[str, Any]]]:
    return {table.name: await rows(database, table.name) for table in SQLModel.metadata.sorted_tables}


async def test_every_field_arrives(database: Database) -> None:
    report = await load(database, ibm())
    assert report.lines() == [
        "users: 2 added, 0 already present",
        "teams: 1 added, 0 already present",
        "team_members: 1 added, 0 already present",
        "team_member_distribution_options: 1 added, 0 already present",
        "contacts: 1 added, 0 already present",
        "leads: 1 added, 0 already present",
        "lead_offers: 1 added, 0 already present",
    ]
    katherine, dorothy = await rows(database, "users")
    assert (dorothy["id"], dorothy["email"], dorothy["timezone"]) == (5, "dot@example.com", "UTC")
    assert (katherine["first_name"], katherine["phone"], katherine["is_active"]) == ("", "+12025550142", True)
    team = await row(database, "teams")
    assert (team["order_method"], team["mins_until_next_alert"]) == (OrderMethod.RANK, 20)
    assert team["created_at"] == NOW
    assert (await row(database, "team_members"))["request_status"] is RequestStatus.ACCEPTED
    lead = await row(database, "leads")
    assert (lead["creator_id"], lead["team_id"], lead["created_at"]) == (4, 6, datetime(2018, 1, 16, tzinfo=UTC))
    assert lead["distribution_target"] is DistributionTarget.TEAM_ROLLOUT
    assert lead["team_selection_method"] is TeamSelectionMethod.SPECIFIC_TEAM
    assert await row(database, "lead_offers") == {
        "id": 1,
        "lead_id": 2,
        "user_id": 5,
        "team_id": 6,
        "offered_by_id": 4,
        "notify_at": datetime(2018, 1, 16, 9, 9, 9, tzinfo=UTC),
        "rank": 3,
        "assign_automatically": True,
        "has_call_alert": True,
        "has_text_alert": False,
        "has_email_alert": True,
        "status": LeadOfferStatus.SENT,
        "end_reason": None,
        "order_method": None,
        "held_until": None,
    }
    for empty in ("claims", "deliveries", "lead_rollouts", "rollout_offers", "rollout_skips"):
        assert await rows(database, empty) == []


async def test_importing_twice_changes_nothing(database: Database) -> None:
    await load(database, ibm())
    before = await everything(database)
    changed = ibm()
    changed["users"][0]["first_name"] = "Somebody"
    changed["lead_offers"][0]["rank"] = 99
    for row in (*changed["team_members"], *changed["team_member_distribution_options"]):
        del row["id"]
    report = await load(database, changed, NOW + timedelta(days=400))
    assert await everything(database) == before
    assert report.added.total() == 0
    assert report.present.total() == 8


async def test_new_rows_join_the_existing_ones(database: Database) -> None:
    await load(database, ibm())
    report = await load(
        database,
        {
            "users": [{"id": 9, "email": "mj@example.com"}],
            "lead_offers": [{"id": 2, "lead_id": 2, "user_id": 9, "team_id": 6, "notify_at": AHEAD}, AS_ANSWERED],
        },
    )
    assert (report.added["lead_offers"], report.present["lead_offers"]) == (1, 1)
    assert [offer["status"] for offer in await rows(database, "lead_offers")] == [
        LeadOfferStatus.SENT,
        LeadOfferStatus.SCHEDULED,
    ]


async def test_new_ids_start_after_the_highest_imported(database: Database, world: World) -> None:
    document = ibm()
    document["users"].append({"id": 4_000_000_000, "email": "far@example.com"})
    del document["team_members"][0]["id"]
    await load(database, document)
    assert (await world.user("Next")).id == 4_000_000_001
    assert (await row(database, "team_members"))["id"] == 1
    await load(database, {"users": [{"id": 17, "email": "low@example.com"}]})
    assert (await world.user("Third")).id == 4_000_000_002


@pytest.mark.parametrize(
    ("holder", "user", "notify_at", "status", "reason"),
    [
        (None, 5, PAST, LeadOfferStatus.SENT, None),
        (None, 5, None, LeadOfferStatus.SENT, None),
        (None, None, PAST, LeadOfferStatus.SENT, None),
        (None, 5, AHEAD, LeadOfferStatus.SCHEDULED, None),
        (None, None, AHEAD, LeadOfferStatus.CANCELLED, EndReason.IMPORTED),
        (5, 5, PAST, LeadOfferStatus.CLAIMED, None),
        (5, 5, AHEAD, LeadOfferStatus.CLAIMED, None),
        (4, 5, PAST, LeadOfferStatus.EXPIRED, EndReason.CLAIMED),
        (4, 5, None, LeadOfferStatus.EXPIRED, EndReason.CLAIMED),
        (4, 5, AHEAD, LeadOfferStatus.CANCELLED, EndReason.CLAIMED),
        (4, None, AHEAD, LeadOfferStatus.CANCELLED, EndReason.IMPORTED),
    ],
)
async def test_status_of_an_offer(
    database: Database,
    holder: int | None,
    user: int | None,
    notify_at: str | None,
    status: LeadOfferStatus,
    reason: EndReason | None,
) -> None:
    document = ibm()
    document["leads"][0]["claimed_by_user_id"] = holder
    document["lead_offers"][0] |= {"user": {"id": user} if user else None, "notify_at": notify_at}
    await load(database, document)
    offer = await row(database, "lead_offers")
    assert (offer["status"], offer["end_reason"]) == (status, reason)


async def silent_offers(database: Database) -> int:
    async with database.read() as session:
        return (await session.exec(count_silent_offers())).one()


@pytest.mark.parametrize(
    ("flags", "channels"),
    [
        ({"has_call_alert": True, "has_text_alert": True, "has_email_alert": True}, set(Channel)),
        ({"has_call_alert": True, "has_text_alert": None, "has_email_alert": None}, {Channel.CALL}),
        ({"has_call_alert": False, "has_text_alert": "true", "has_email_alert": False}, {Channel.TEXT}),
        ({"has_call_alert": None, "has_text_alert": None, "has_email_alert": None}, set()),
    ],
)
async def test_an_offer_that_lies_ahead_has_a_delivery_per_channel(
    database: Database, flags: dict[str, Any], channels: set[Channel]
) -> None:
    document = ibm()
    document["lead_offers"][0] |= {"notify_at": AHEAD, **flags}
    for _ in range(2):  # importing again adds none
        await load(database, document)
        deliveries = await rows(database, "deliveries")
        assert sorted(delivery["channel"] for delivery in deliveries) == sorted(channels)
    for delivery in deliveries:
        assert (delivery["offer_id"], delivery["status"], delivery["attempts"]) == (1, DeliveryStatus.PENDING, 0)
        assert delivery["next_attempt_at"] == datetime.fromisoformat(AHEAD).replace(tzinfo=UTC)
    assert await silent_offers(database) == 0


@pytest.mark.parametrize(
    ("lead", "offer"),
    [
        ({}, {"notify_at": PAST}),
        ({}, {"notify_at": None}),
        ({}, {"user": None, "notify_at": AHEAD}),
        ({"claimed_by_user_id": 4}, {"notify_at": AHEAD}),
        ({"claimed_by_user_id": 5}, {"notify_at": AHEAD}),
    ],
)
async def test_nobody_is_told_of_an_offer_that_is_not_scheduled(
    database: Database, lead: dict[str, Any], offer: dict[str, Any]
) -> None:
    document = ibm()
    document["leads"][0] |= lead
    document["lead_offers"][0] |= offer
    await load(database, document)
    assert await rows(database, "deliveries") == []


async def test_an_imported_offer_is_sent_when_it_is_due(database: Database) -> None:
    document = ibm()
    document["lead_offers"][0] |= {"notify_at": AHEAD, "assign_automatically": False}
    await load(database, document)
    due = datetime.fromisoformat(AHEAD).replace(tzinfo=UTC)
    settings = settings_for("sqlite+aiosqlite:///unused.db", fallback="console")
    without_phone = "2 deliveries due: 1 sent, 1 failed"
    for now, told in ((due - timedelta(seconds=1), "0 deliveries due"), (due, without_phone)):
        worker = Worker(database, settings, make_channels(settings), partial(datetime.astimezone, now))
        assert told in await worker.run_once()
    assert (await row(database, "lead_offers"))["status"] is LeadOfferStatus.SENT


async def test_imported_offers_move_up_with_their_deliveries(database: Database) -> None:
    document = ibm()
    document["lead_offers"] = [
        {"id": number, "lead_id": 2, "user_id": user, "team_id": 6, "rank": number, "has_email_alert": True}
        | {"notify_at": (NOW + timedelta(hours=number)).isoformat()}
        for number, user in ((1, 5), (2, 4))
    ]
    await load(database, document)
    async with database.write() as session:
        await decline_lead_offer(session, 5, 1, NOW)
    offers, deliveries = await rows(database, "lead_offers"), await rows(database, "deliveries")
    assert [(offer["status"], offer["notify_at"]) for offer in offers] == [
        (LeadOfferStatus.DECLINED, NOW + timedelta(hours=1)),
        (LeadOfferStatus.SCHEDULED, NOW),
    ]
    assert [(each["status"], each["next_attempt_at"]) for each in deliveries] == [
        (DeliveryStatus.CANCELLED, None),
        (DeliveryStatus.PENDING, NOW),
    ]
    assert await silent_offers(database) == 0


@pytest.mark.parametrize(
    ("given", "via", "at"),
    [
        ({"claimed_via": "None"}, None, None),
        ({"claimed_by_user_id": 5}, ClaimedVia.APP, None),
        ({"claimed_by_user_id": 5, "claimed_via": "None", "claimed_at": PAST}, ClaimedVia.APP, PAST),
        ({"claimed_by_user": {"id": 5}, "claimed_via": "Text", "claimed_at": PAST}, ClaimedVia.TEXT, PAST),
        ({"claimed_via": "Email", "claimed_at": PAST}, None, None),
    ],
)
async def test_how_a_lead_was_claimed(
    database: Database, given: dict[str, Any], via: ClaimedVia | None, at: str | None
) -> None:
    document = ibm()
    document["leads"][0] |= given
    await load(database, document)
    lead = await row(database, "leads")
    assert lead["claimed_via"] is via
    claimed_at = datetime.fromisoformat(at) if at else None
    assert (lead["claimed_at"], lead["first_claimed_at"]) == (claimed_at, claimed_at)
    assert [
        (claim["user_id"], claim["team_id"], claim["offer_id"], claim["via"], claim["claimed_at"], claim["ended_at"])
        for claim in await rows(database, "claims")
    ] == ([(5, 6, 1, via, claimed_at, None)] if via else [])


async def test_a_claim_without_an_offer_is_of_the_leads_team(database: Database) -> None:
    document = ibm()
    document["leads"] += [document["leads"][0] | {"id": 3, "distribution_target": "Myself"}]
    document["leads"] = [lead | {"claimed_by_user_id": 4, "claimed_at": PAST} for lead in document["leads"]]
    await load(database, document)
    claims = await rows(database, "claims")
    assert [(claim["lead_id"], claim["user_id"], claim["team_id"], claim["offer_id"]) for claim in claims] == [
        (2, 4, 6, None),
        (3, 4, None, None),
    ]
    await load(database, document)
    assert await rows(database, "claims") == claims


ROUTES = [
    {"id": 1, "lead_source_id": 1, "distribution_target": "Team Rollout", "team_selection_method": "Zipcode"},
    {
        "id": 2,
        "lead_source": {"id": 1},
        "distribution_target": "Team Rollout",
        "team_selection_method": "Specific Team",
        "team_id": 6,
        "filter": " Buyer",
    },
    {"id": 3, "lead_source_id": 2, "distribution_target": "Myself", "team_selection_method": "None"},
]
SOURCES = [{"id": 1, "name": " Website ", "creator_id": 4}, {"id": 2, "name": "Fair", "creator_id": 4}]

BY_ZIPCODE = (DistributionTarget.TEAM_ROLLOUT, TeamSelectionMethod.ZIPCODE, None)
BY_TEAM = (DistributionTarget.TEAM_ROLLOUT, TeamSelectionMethod.SPECIFIC_TEAM, 6)
MYSELF = (DistributionTarget.MYSELF, None, None)


@pytest.mark.parametrize("routes_are_there", [False, True])
@pytest.mark.parametrize(
    ("lead", "target"),
    [
        ({"source_id": 1}, BY_ZIPCODE),
        ({"source_id": 1, "type": "Seller"}, BY_ZIPCODE),
        ({"source": {"id": 1, "name": "Website"}, "type": "BUYER "}, BY_TEAM),
        ({"source_id": 2}, MYSELF),
        ({}, MYSELF),
        ({"source_id": 1, "distribution_target": "Myself"}, MYSELF),
        ({"source_id": 1, "creator_id": 5}, MYSELF),
    ],
)
async def test_target_of_a_lead_comes_from_its_route(
    database: Database, lead: dict[str, Any], target: tuple[Any, ...], *, routes_are_there: bool
) -> None:
    document = ibm() | {"lead_sources": SOURCES, "lead_routes": ROUTES, "leads": [], "lead_offers": []}
    if routes_are_there:
        await load(database, document)
        del document["lead_routes"]
    await load(database, document | {"leads": [{"id": 1, "contact_id": 2} | lead]})
    found = await row(database, "leads")
    assert (found["distribution_target"], found["team_selection_method"], found["team_id"]) == target


async def test_a_routes_creator_is_its_teams(database: Database) -> None:
    await load(database, ibm() | {"lead_sources": SOURCES, "lead_routes": ROUTES})
    by_zipcode, by_team, _ = await rows(database, "lead_routes")
    assert (by_team["creator_id"], by_team["lead_type"], by_team["lead_type_key"]) == (4, " Buyer", "buyer")
    assert (by_zipcode["creator_id"], by_zipcode["lead_type"], by_zipcode["lead_type_key"]) == (4, None, "")
    assert [source["name_key"] for source in await rows(database, "lead_sources")] == ["website", "fair"]


async def test_zipcodes_are_text_of_five_digits(database: Database) -> None:
    document = ibm()
    document["teams"][0]["distribution_zipcodes"] = [2138, "02138", "94105-1234", 94107]
    document["leads"][0]["zipcode"] = 501
    await load(database, document)
    zipcodes = await rows(database, "team_zipcodes")
    assert [(zipcode["team_id"], zipcode["zipcode"]) for zipcode in zipcodes] == [
        (6, "02138"),
        (6, "94105"),
        (6, "94107"),
    ]
    assert (await row(database, "leads"))["zipcode"] == "00501"


@pytest.mark.parametrize("six", [6, 6.0, "6", "6.0", " 6 ", "6."])
async def test_numbers_may_be_written_as_spreadsheets_write_them(database: Database, six: Any) -> None:
    document = ibm()
    document["teams"][0] |= {"id": six, "mins_until_next_alert": six}
    document["team_member_distribution_options"][0] |= {"team_id": 6, "team": {"id": six}, "rank": six}
    document["leads"][0]["team_id"] = six
    await load(database, document)
    team, option = await row(database, "teams"), await row(database, "distribution_options")
    assert (team["id"], team["mins_until_next_alert"], option["team_id"], option["rank"]) == (6, 6, 6, 6)
    assert (await row(database, "leads"))["team_id"] == 6


@pytest.mark.parametrize(
    ("given", "value"),
    [
        *((given, True) for given in (True, "true", "TRUE", "Yes", 1, 1.0, "1", "1.0", " yes ")),
        *((given, False) for given in (False, "false", "FALSE", "no", 0, 0.0, "0", "0.0")),
        *((given, True) for given in (None, "", " ")),  # the default
    ],
)
async def test_booleans_may_be_written_as_spreadsheets_write_them(database: Database, given: Any, value: bool) -> None:
    await load(database, {"users": [{"id": 1, "is_active": given}]})
    assert (await row(database, "users"))["is_active"] is value


@pytest.mark.parametrize(
    ("given", "zipcode"),
    [
        *((given, "02138") for given in (2138, 2138.0, "2138", "2138.0", "02138", "02138-1234", " 02138 ")),
        *((given, "00501") for given in (501, "501", "00501")),
        *((given, None) for given in (None, "", " ")),
    ],
)
async def test_a_zipcode_may_have_lost_its_leading_zeros(database: Database, given: Any, zipcode: str | None) -> None:
    document = ibm()
    document["leads"][0]["zipcode"] = given
    await load(database, document)
    assert (await row(database, "leads"))["zipcode"] == zipcode


async def test_blank_text_counts_as_left_out(database: Database) -> None:
    document = ibm()
    document["users"][0] |= {"first_name": " ", "phone": "", "timezone": ""}
    document["teams"][0] |= {"order_method": "", "mins_until_next_alert": " ", "created_at": ""}
    document["contacts"][0] |= {"email": "", "mobile_phone": " "}
    document["leads"][0] |= {"type": "", "source_id": "", "claimed_by_user_id": " ", "claimed_at": ""}
    report = await load(database, document)
    assert report.adjusted == {}
    team, lead = await row(database, "teams"), await row(database, "leads")
    assert (team["order_method"], team["mins_until_next_alert"], team["created_at"]) == (OrderMethod.RANK, 0, NOW)
    assert (lead["type"], lead["source_id"], lead["claimed_by_id"]) == (None, None, None)
    contact = await row(database, "contacts")
    assert (contact["email"], contact["mobile_phone"]) == (None, None)


async def test_what_an_order_method_does_not_use_is_zeroed_and_reported(database: Database) -> None:
    document = ibm()
    document["team_member_distribution_options"][0]["mins_until_lead_offer"] = 15
    document["teams"].append(
        {"id": 7, "name": "By time", "creator_id": 4, "order_method": "Time", "mins_until_next_alert": 20}
    )
    document["team_member_distribution_options"].append(
        {"id": 9, "team_id": 7, "user_id": 5, "mins_until_lead_offer": 15}
    )
    report = await load(database, document)
    assert [team["mins_until_next_alert"] for team in await rows(database, "teams")] == [20, 0]
    assert [row["mins_until_lead_offer"] for row in await rows(database, "distribution_options")] == [0, 15]
    assert report.lines()[-2:] == [
        "teams: 1 ordered by time: mins_until_next_alert set to 0",
        "team_member_distribution_options: 1 of a team ordered by rank: mins_until_lead_offer set to 0",
    ]


async def test_a_creator_needs_no_membership(database: Database) -> None:
    document = ibm()
    document["team_members"].append({"id": 9, "team_id": 6, "user_id": 4, "request_status": "Accepted"})
    report = await load(database, document)
    assert (await row(database, "team_members"))["user_id"] == 5
    assert report.added["team_members"] == 1


async def test_unknown_fields_are_reported_and_ignored(database: Database) -> None:
    document = ibm()
    for user in document["users"]:
        user["shoe\n[size]"] = 38
    report = await load(database, document)
    assert report.lines()[-1] == 'users: unknown field "shoe\\n[size]" ignored (2)'


async def test_an_empty_object_imports_nothing(database: Database) -> None:
    assert (await load(database, {})).lines() == []


async def test_phone_numbers_become_e164_and_invalid_ones_are_kept(database: Database) -> None:
    report = await load(
        database,
        {
            "users": [
                {"id": 1, "phone": "(202) 555-0142"},
                {"id": 2, "phone": "at home"},
                {"id": 3},
                {"id": 4, "phone": 2025550144},
                {"id": 5, "phone": 12025550145.0},
                {"id": 6, "phone": "555-0142"},
                {"id": 7, "phone": " 2025550146.0 "},
            ],
            "contacts": [
                {"id": 1, "owner_user_id": 1, "mobile_phone": "202.555.0143"},
                {"id": 2, "owner_user_id": 1, "mobile_phone": "555-01"},
            ],
        },
    )
    assert [user["phone"] for user in await rows(database, "users")] == [
        "+12025550142",
        "at home",
        None,
        "+12025550144",
        "+12025550145",
        "555-0142",
        "+12025550146",
    ]
    assert [contact["mobile_phone"] for contact in await rows(database, "contacts")] == ["+12025550143", "555-01"]
    assert "users: 2 with an invalid phone: kept as it is" in report.lines()
    assert "contacts: 1 with an invalid mobile_phone: kept as it is" in report.lines()


async def test_more_rows_than_one_statement_takes(database: Database) -> None:
    users = [{"id": number, "email": f"{number}@example.com"} for number in range(1, 12_346)]
    contacts = [{"id": number, "owner_user_id": number} for number in range(1, 12_346)]
    steps: list[int] = []
    await load(database, {"users": users, "contacts": contacts}, advance=steps.append)
    assert len(await rows(database, "contacts")) == 12_345
    assert sum(steps) == 3 * 2 * 12_345
    assert (await load(database, {"users": users, "contacts": contacts})).present.total() == 2 * 12_345


def test_the_command(database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LEAD_OFFERS_DATABASE_URL", database_url)
    file = tmp_path / "data.json"
    file.write_text(json.dumps(ibm()), "utf-8-sig")
    result = CliRunner().invoke(cli.app, ["import", str(file)])
    assert (result.exit_code, result.stderr) == (0, "")
    assert "lead_offers: 1 added, 0 already present\n" in result.stdout
    file.write_text(json.dumps({"users": [{"id": 5, "timezone": "Mars"}]}))
    result = CliRunner().invoke(cli.app, ["import", str(file)])
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == 'users[0].timezone: "Mars" is not an IANA time zone name such as America/Los_Angeles\n'
    assert CliRunner().invoke(cli.app, ["import", str(tmp_path / "missing.json")]).exit_code == 2
