"""Invalid import files: nothing is written, and each problem has its path."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from app.cli import app
from app.db.engine import Database
from app.importer.parse import parse, read
from app.importer.report import NotImported, Report
from app.importer.spec import LISTS, ImportList
from tests.importer.test_import import SOURCES, Document, everything, ibm, load, rows

Run = Callable[..., Result]


@pytest.fixture
def run(database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Return a function that imports a document with the command line."""
    monkeypatch.setenv("LEAD_OFFERS_DATABASE_URL", database_url)
    file = tmp_path / "data.json"

    def run(document: object, *options: str) -> Result:
        file.write_text(json.dumps(document), encoding="utf-8")
        return CliRunner().invoke(app, ["import", str(file), *options])

    return run


def changed(name: str, /, **fields: Any) -> Document:
    """Return Dorothy's offer with these fields in the first row of a list."""
    document = ibm()
    document[name][0] |= fields
    return document


def more(name: str, *rows: dict[str, Any]) -> Document:
    """Return Dorothy's offer with these rows at the end of a list."""
    document = ibm()
    document.setdefault(name, []).extend(rows)
    return document


ID = f"is not an id from 1 to {2**62}"
REFERENCE = f"is not an id from 1 to {2**63 - 1}"
WHOLE = "is not a whole number"
DATE = "is not an ISO 8601 date (2012-09-27, 2012-09-27T09:15:00Z, 2012-09-27T09:15:00-07:00)"
ZIPCODE = "is not a zipcode such as 02138 or 02138-1234"


def _rows_of_anything(kind: ImportList) -> st.SearchStrategy[dict[str, Any]]:
    row = st.dictionaries(st.sampled_from(sorted(kind.known)) | st.text(), ANYTHING, max_size=6)
    return st.fixed_dictionaries({kind.name: st.lists(row | ANYTHING, max_size=4)})


def _name(value: Any) -> str:
    return value.partition(":")[0] if isinstance(value, str) else ""


VALUES = [
    (changed("users", id=0), f"users[0].id: 0 {ID}"),
    (changed("users", id=-1), f"users[0].id: -1 {ID}"),
    (changed("users", id=2**62 + 1), f"users[0].id: {2**62 + 1} {ID}"),
    (changed("leads", id=2**63 - 1), f"leads[0].id: {2**63 - 1} {ID}"),
    (changed("team_members", id=str(2**63)), f'team_members[0].id: "{2**63}" {ID}'),
    (changed("leads", team_id=2**63), f"leads[0].team_id: {2**63} {REFERENCE}"),
    (changed("users", id=True), f"users[0].id: true {WHOLE}"),
    (changed("users", id=5.5), f"users[0].id: 5.5 {WHOLE}"),
    (changed("users", id="5.5"), f'users[0].id: "5.5" {WHOLE}'),
    (changed("users", id="5e0"), f'users[0].id: "5e0" {WHOLE}'),
    (changed("users", id=2.0**60), f"users[0].id: 1.152921504606847e+18 {WHOLE}"),
    (changed("users", id=2.0**53), f"users[0].id: 9007199254740992.0 {WHOLE}"),
    (changed("users", id="1,000"), f'users[0].id: "1,000" {WHOLE}'),
    (changed("users", id=" "), 'users[0].id: " " is blank'),
    (changed("users", phone=True), f"users[0].phone: true {WHOLE}"),
    (changed("users", id="5_0"), f'users[0].id: "5_0" {WHOLE}'),
    (changed("users", id="\uff15"), f'users[0].id: "\uff15" {WHOLE}'),
    (
        changed("users", email="bob,al@example.com"),
        'users[0].email: "bob,al@example.com" is not an e-mail address such as dorothy@example.com: '
        "only one address is allowed, without commas and semicolons",
    ),
    (
        changed("contacts", email="mailto:mary@example.com"),
        'contacts[0].email: "mailto:mary@example.com" is not an e-mail address such as dorothy@example.com: '
        "leave out mailto:",
    ),
    (
        changed("users", email="dorothy"),
        'users[0].email: "dorothy" is not an e-mail address such as dorothy@example.com',
    ),
    (changed("users", first_name=7), "users[0].first_name: 7 is not a string"),
    (
        changed("users", first_name="a\0"),
        'users[0].first_name: "a\\u0000" contains the character NUL, which cannot be stored',
    ),
    (
        changed("users", first_name="\ud800"),
        'users[0].first_name: "\\ud800" contains half of a surrogate pair, which cannot be stored',
    ),
    (
        changed("users", phone="5" * 256),
        f'users[0].phone: "{"5" * 76}... has 256 characters, and at most 255 are allowed',
    ),
    (
        changed("users", timezone="PST"),
        'users[0].timezone: "PST" is not an IANA time zone name such as America/Los_Angeles',
    ),
    (
        changed("users", timezone="Factory"),
        'users[0].timezone: "Factory" is not an IANA time zone name such as America/Los_Angeles',
    ),
    (changed("users", is_active="maybe"), 'users[0].is_active: "maybe" is not true or false'),
    (changed("users", is_active=2), "users[0].is_active: 2 is not true or false"),
    (changed("users", is_active=[]), "users[0].is_active: [] is not true or false"),
    (changed("teams", name=" "), 'teams[0].name: " " is blank'),
    (changed("teams", name="\u200b"), 'teams[0].name: "\\u200b" has no visible characters'),
    (
        changed("teams", name="A\u202eB"),
        'teams[0].name: "A\\u202eB" contains the control character U+202E, which a name must not have',
    ),
    (
        changed("contacts", first_name="Ann\n888"),
        'contacts[0].first_name: "Ann\\n888" contains the control character U+000A, which a name must not have',
    ),
    (changed("users", last_name="\u2800"), 'users[0].last_name: "\u2800" has no visible characters'),
    (
        more("lead_sources", {"id": 1, "name": "\u2800", "creator_id": 5}),
        'lead_sources[0].name: "\u2800" has no visible characters',
    ),
    (changed("teams", name=None), "teams[0].name: is missing"),
    (changed("teams", order_method="rank"), 'teams[0].order_method: "rank" is not one of Rank, Time, Round Robin'),
    (
        changed("teams", mins_until_next_alert=525_601),
        "teams[0].mins_until_next_alert: 525601 is not a number of minutes from 0 to 525,600, which is a year",
    ),
    (
        changed("teams", distribution_zipcodes="94105"),
        'teams[0].distribution_zipcodes: "94105" is not a list of zipcodes',
    ),
    (
        changed("teams", distribution_zipcodes=[94105, "9410x"]),
        f'teams[0].distribution_zipcodes: [94105, "9410x"] has a problem at [1]: "9410x" {ZIPCODE}',
    ),
    (changed("leads", zipcode="000002138"), f'leads[0].zipcode: "000002138" {ZIPCODE}'),
    (changed("leads", zipcode=2138.5), f"leads[0].zipcode: 2138.5 {ZIPCODE}"),
    (
        changed("teams", distribution_zipcodes=[*range(5_001)]),
        f"teams[0].distribution_zipcodes: {str([*range(5_001)])[:77]}... has 5,001 zipcodes, "
        "and at most 5,000 are allowed",
    ),
    (changed("leads", zipcode=True), f"leads[0].zipcode: true {ZIPCODE}"),
    (changed("leads", zipcode=100_000), f"leads[0].zipcode: 100000 {ZIPCODE}"),
    (changed("leads", zipcode=-1), f"leads[0].zipcode: -1 {ZIPCODE}"),
    (
        changed("leads", text_body="x" * 10_001),
        "leads[0].text_body: has 10,001 characters, and at most 10,000 are allowed",
    ),
    (changed("leads", text_body=7), "leads[0].text_body: is not a string"),
    (changed("leads", listing_price=-1), "leads[0].listing_price: -1 is not a price from 0 to 2,147,483,647"),
    (changed("leads", listing_price="450,000"), f'leads[0].listing_price: "450,000" {WHOLE}'),
    (changed("leads", mls_id=True), f"leads[0].mls_id: true {WHOLE}"),
    (
        changed("leads", external_id="a\tb"),
        'leads[0].external_id: "a\\tb" contains the control character U+0009, which a name must not have',
    ),
    (changed("leads", created_at="16.1.2018"), f'leads[0].created_at: "16.1.2018" {DATE}'),
    (changed("leads", created_at=1516093749), "leads[0].created_at: 1516093749 is not a string"),
    (
        changed("leads", distribution_target="Team"),
        'leads[0].distribution_target: "Team" is not one of Myself, Team Rollout',
    ),
    (
        changed("leads", claimed_via="APP"),
        'leads[0].claimed_via: "APP" is not one of None, Email, Text, Phone, Assigned, Auto',
    ),
    (
        changed("lead_offers", rank=2**31),
        "lead_offers[0].rank: 2147483648 is not a rank from 0 to 2,147,483,647",
    ),
    (
        changed("lead_offers", assign_automatically="on"),
        'lead_offers[0].assign_automatically: "on" is not true or false',
    ),
    (changed("lead_offers", id=None), "lead_offers[0].id: is missing"),
]

ROWS = [
    (more("users", 5), "users[2]: 5 is not an object"),  # type: ignore[arg-type]
    (more("users", {"id": "5"}), 'users[2].id: "5" is also the id of users[0]'),
    (
        more("users", {"id": 9, "email": "DOT@EXAMPLE.COM"}),
        'users[2]: email "dot@example.com" is already in users[0]',
    ),
    (
        more("team_members", {"id": 9, "team_id": 6, "user_id": 5}),
        "team_members[1]: team_id 6, user_id 5 is already in team_members[0]",
    ),
    (
        more("team_member_distribution_options", {"team_id": 6, "user_id": 5}),
        "team_member_distribution_options[1]: team_id 6, user_id 5 is already in team_member_distribution_options[0]",
    ),
    (
        more("lead_sources", *SOURCES, {"id": 3, "name": "website", "creator_id": 4}),
        'lead_sources[2]: creator_id 4, name "website" is already in lead_sources[0]',
    ),
    (
        ibm()
        | {
            "lead_sources": SOURCES,
            "lead_routes": [
                {"id": 1, "lead_source_id": 1, "distribution_target": "Myself", "filter": "Buyer"},
                {"id": 2, "lead_source_id": 1, "distribution_target": "Myself", "filter": "buyer "},
            ],
        },
        'lead_routes[1]: creator_id 4, lead_source_id 1, filter "buyer" is already in lead_routes[0]',
    ),
    (
        more(
            "leads",
            *({"id": number, "contact_id": 2, "external_id": spelled} for number, spelled in ((3, 7), (4, "7 "))),
        ),
        'leads[2]: creator_id 4, external_id "7", source_id null is already in leads[1]',
    ),
    (
        more("lead_sources", *SOURCES)
        | {"leads": [{"id": i, "contact_id": 2, "external_id": "7", "source_id": 1} for i in (2, 3)]},
        'leads[1]: creator_id 4, external_id "7", source_id 1 is already in leads[0]',
    ),
    (
        more("lead_offers", {"id": 2, "lead_id": 2, "user_id": 5}),
        "lead_offers[1]: lead_id 2, user_id 5 is already in lead_offers[0]",
    ),
    (changed("teams", creator_id=99), "teams[0].creator_id: 99 is not an id in users"),
    (changed("lead_offers", team={"id": 7}), "lead_offers[0].team_id: 7 is not an id in teams"),
    (changed("lead_offers", team=7), "lead_offers[0].team: 7 is not an object with an id"),
    (changed("lead_offers", team={"id": "x"}), f'lead_offers[0].team.id: "x" {WHOLE}'),
    (changed("lead_offers", lead={}), "lead_offers[0].lead.id: is missing"),
    (changed("lead_offers", team_id=7), "lead_offers[0].team_id: 7 differs from the id in team"),
    (
        changed("leads", distribution_target=None, team_selection_method=None),
        "leads[0].team_id: 6 is given without a distribution_target",
    ),
    (
        more("lead_routes", {"id": 1, "distribution_target": "Myself"}),
        "lead_routes[0].creator_id: is missing, and no team or source has it either",
    ),
]

FILES = [
    (b"", "The file is not JSON: Expecting value: line 1 column 1 (char 0)."),
    (b'{"users": [}', "The file is not JSON: Expecting value: line 1 column 12 (char 11)."),
    (b'{"users": [{"id": NaN}]}', "The file is not JSON: NaN is not a JSON value."),
    (b'{"users": \xff}', "The file is not UTF-8 at byte 10."),
    (b'{"users": [{"id": 1}], "teams": [], "users": []}', 'The file is not JSON: an object has the key "users" twice.'),
    (b'{"users": [{"id": 1, "id": 2}]}', 'The file is not JSON: an object has the key "id" twice.'),
    (b"[" * 100_000, "The file is not JSON: maximum recursion depth exceeded while decoding a JSON array"),
    (b"[]", "The file must be one JSON object of lists."),
    (b'{"users": {}}', "users: {} is not a list"),
    (b'{"people": []}', '"people": is not a known list; the lists are users, teams, team_members, '),
]


@pytest.mark.parametrize(("document", "problem"), VALUES, ids=_name)
def test_an_invalid_value_is_reported(document: Document, problem: str) -> None:
    report = Report()
    read(parse(json.dumps(document).encode()), report, lambda _rows: None)
    assert [*map(str, report.problems)] == [problem]
    with pytest.raises(NotImported):
        report.raise_problems()


@pytest.mark.parametrize(("document", "problem"), [VALUES[0], *ROWS], ids=_name)
async def test_a_problem_is_reported_and_nothing_is_written(
    database: Database, document: Document, problem: str
) -> None:
    before = await everything(database)
    with pytest.raises(NotImported) as refused:
        await load(database, document)
    assert problem in refused.value.problems
    assert await everything(database) == before


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(categories=None), max_size=300)
    | st.sampled_from(["None", "true", "Rank", "Team Rollout", "2012-09-27", "94105", "5"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5) | st.just("id"), inner, max_size=3),
    max_leaves=5,
)
"""Any JSON value, including lone surrogates."""


@given(st.sampled_from(LISTS).flatmap(_rows_of_anything))
def test_any_json_is_parsed_or_reported_in_printable_lines(document: dict[str, Any]) -> None:
    report = Report()
    rows = read(parse(json.dumps(document).encode()), report, lambda _rows: None)
    for kind in LISTS:
        for row in rows[kind.name]:
            assert row.values.keys() == {"id", *(field.column for field in kind.fields)}
    for line in [*map(str, report.problems), *report.lines(), *report.problem_lines()]:
        assert line.isprintable()
    json.loads(json.dumps(report.as_json()))


@pytest.mark.parametrize("levels", [100, 900, 975])
def test_a_deeply_nested_value_is_cut(run: Run, tmp_path: Path, levels: int) -> None:
    file = tmp_path / "deep.json"
    deep = "[" * levels + "]" * levels
    file.write_text(f'{{"users": [{{"id": {deep}, "email": {deep}}}], "teams": [{{"creator": {{"id": {deep}}}}}]}}')
    for options in ((), ("--json",)):
        result = CliRunner().invoke(app, ["import", str(file), *options])
        assert isinstance(result.exception, SystemExit), result.exception
        assert result.exit_code == 1


@pytest.mark.parametrize(("content", "message"), FILES)
def test_a_file_in_another_format_is_refused(content: bytes, message: str) -> None:
    with pytest.raises(NotImported) as refused:
        parse(content)
    assert str(refused.value).startswith(message)


async def test_duplicates_of_rows_in_the_database_are_reported(database: Database) -> None:
    await load(database, ibm())
    with pytest.raises(NotImported) as refused:
        await load(
            database,
            {
                "users": [{"id": 9, "email": "dot@example.com"}],
                "team_members": [{"id": 9, "team_id": 6, "user_id": 5}],
                "lead_offers": [{"id": 9, "lead_id": 2, "user_id": 5}],
            },
        )
    assert refused.value.problems == (
        'users[0]: email "dot@example.com" is already in the database (id 5)',
        "team_members[0]: team_id 6, user_id 5 is already in the database (id 7)",
        "lead_offers[0]: lead_id 2, user_id 5 is already in the database (id 1)",
    )


async def test_a_team_has_at_most_200_options(database: Database) -> None:
    document = ibm()
    document["users"] += [{"id": number} for number in range(100, 300)]
    document["team_member_distribution_options"] += [{"team_id": 6, "user_id": number} for number in range(100, 299)]
    await load(database, document)
    document["team_member_distribution_options"].append({"team_id": 6, "user_id": 299})
    with pytest.raises(NotImported) as refused:
        await load(database, document)
    assert refused.value.problems == (
        "team_member_distribution_options[200].team_id: 6 has more than 200 distribution options",
    )


def messy(leads: int) -> Document:
    """Return a file with problems of four kinds: one of a user, and some of each lead."""
    document = ibm()
    document["users"][0]["timezone"] = "Mars"
    document["leads"] = [
        {"id": number, "contact_id": 2, "zipcode": f"A{number}", "created_at": "1/2/2018"}
        for number in range(1, leads + 1)
    ]
    document["leads"][0] |= {"id": 2, "type": "x" * 256}
    document["leads"][1]["type"] = "x" * 300
    return document


COUNTS = f"""\
Nothing was imported: the file has 504 problems.
users: 1
  1 x timezone: is not an IANA time zone name such as America/Los_Angeles
leads: 503
  250 x zipcode: {ZIPCODE}
  250 x created_at: {DATE}
  2 x type: has 256 characters, and at most 255 are allowed
  1 x id: is also the id of an earlier row
"""


async def test_many_problems_are_counted_by_list_and_kind(database: Database) -> None:
    with pytest.raises(NotImported) as refused:
        await load(database, messy(250))
    assert str(refused.value) == (
        f"""{COUNTS}
The first of each kind:
users[0].timezone: "Mars" is not an IANA time zone name such as America/Los_Angeles
leads[0].zipcode: "A1" {ZIPCODE}
leads[0].created_at: "1/2/2018" {DATE}
leads[0].type: "{"x" * 76}... has 256 characters, and at most 255 are allowed
leads[1].id: 2 is also the id of leads[0]

See all of them with --all, or with --json."""
    )


async def test_few_problems_are_all_listed(database: Database) -> None:
    with pytest.raises(NotImported) as refused:
        await load(database, {"users": [{"id": number, "timezone": "Mars"} for number in range(1, 21)]})
    lines = str(refused.value).split("\n")
    assert lines[:3] == [
        "Nothing was imported: the file has 20 problems.",
        "users: 20",
        "  20 x timezone: is not an IANA time zone name such as America/Los_Angeles",
    ]
    assert lines[4:] == [*refused.value.problems]
    assert len(refused.value.problems) == 20


def test_all_problems_are_printed_on_request(run: Run) -> None:
    for options in ((), ("--all",)):
        result = run(messy(250), *options)
        assert (result.exit_code, result.stdout) == (1, "")
        assert result.stderr.startswith(COUNTS)
    lines = result.stderr.removeprefix(COUNTS).strip().split("\n")
    assert len(lines) == 504
    assert f'leads[249].zipcode: "A250" {ZIPCODE}' in lines


def test_a_number_that_is_too_large_is_text_in_the_report() -> None:
    report = Report()
    read(parse(b'{"users": [{"id": 1e999}]}'), report, lambda _rows: None)
    assert report.as_json()["problems"][0]["value"] == "inf"
    assert [*map(str, report.problems)] == [f'users[0].id: "inf" {WHOLE}']


def test_a_report_in_json(run: Run) -> None:
    result = run(messy(250), "--json")
    assert (result.exit_code, result.stderr) == (1, "")
    report = json.loads(result.stdout)
    assert (report["imported"], report["problem_count"], report["lists"]) == (False, 504, {})
    assert report["problem_counts"][1] == {"list": "leads", "field": "zipcode", "problem": ZIPCODE, "count": 250}
    assert len(report["problems"]) == 504
    problem = {"list": "leads", "position": 249, "field": "zipcode", "problem": ZIPCODE, "value": "A250"}
    assert problem in report["problems"]

    document = ibm()
    document["users"][0]["shoe"] = 38
    result = run(document, "--json")
    assert result.exit_code == 0
    report = json.loads(result.stdout)
    assert (report["imported"], report["problem_count"], report["problems"]) == (True, 0, [])
    assert report["lists"]["users"] == {"added": 2, "present": 0}
    assert report["unknown_fields"] == [{"list": "users", "field": "shoe", "count": 1}]


def test_a_file_in_another_format_is_reported_in_json(run: Run) -> None:
    result = run([], "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["problems"] == [
        {"list": None, "position": None, "field": None, "problem": "The file must be one JSON object of lists."}
    ]


DETAILS: list[tuple[str, str, Any]] = [
    ("users", "email", "bob,al@example.com"),
    ("users", "first_name", "A\u0001B"),
    ("users", "phone", "5" * 256),
    ("contacts", "email", "n/a"),
    ("contacts", "last_name", "\u2800"),
    ("contacts", "mobile_phone", []),
    ("leads", "zipcode", "Boston"),
    ("leads", "listing_price", "$450,000"),
    ("leads", "mls_id", 1.5),
    ("leads", "listing_status", "x" * 256),
    ("leads", "street_address", "12 Maple\nAvenue"),
    ("leads", "city", "\u2800"),
    ("leads", "state", 7),
    ("leads", "language", []),
]


@pytest.mark.parametrize(("name", "field", "value"), DETAILS)
async def test_a_lenient_import_leaves_an_invalid_detail_out_and_counts_it(
    database: Database, name: str, field: str, value: Any
) -> None:
    document = changed(name, **{field: value})
    with pytest.raises(NotImported):
        await load(database, document)
    report = await load(database, document, report=Report(is_lenient=True))
    (line,) = [line for line in report.lines() if "left out" in line]
    assert line.startswith(f"{name}: 1 x {field} left out: ")
    number = int(document[name][0]["id"])
    (stored,) = [row for row in await rows(database, name) if row["id"] == number]
    assert stored[field] in (None, "")


@pytest.mark.parametrize(
    "document",
    [
        changed("users", timezone="Mars"),
        changed("teams", name="\u2800"),
        changed("team_member_distribution_options", rank="first"),
        changed("leads", type="x" * 256),
        changed("leads", external_id="x" * 256),
        changed("lead_offers", notify_at="soon"),
        more("users", {"id": 9, "email": "dot@example.com"}),
    ],
)
async def test_a_lenient_import_refuses_everything_else(database: Database, document: Document) -> None:
    with pytest.raises(NotImported):
        await load(database, document, report=Report(is_lenient=True))


def test_the_option_for_a_lenient_import(run: Run) -> None:
    document = changed("contacts", email="n/a")
    assert run(document).exit_code == 1
    result = run(document, "--lenient")
    assert (result.exit_code, result.stderr) == (0, "")
    told = "contacts: 1 x email left out: is not an e-mail address such as dorothy@example.com\n"
    assert told in result.stdout


async def test_an_interrupted_import_writes_nothing(database: Database) -> None:
    before = await everything(database)
    steps: list[int] = []

    def advance(rows: int) -> None:
        steps.append(rows)
        if sum(steps) == 3 * 8:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        await load(database, ibm(), advance=advance)
    assert await everything(database) == before
