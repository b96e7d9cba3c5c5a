"""Receiving enquiries over REST: `POST /leads` and `POST /intake/{key}`, with bodies as senders write them."""

import gzip
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import col, select

from app.db.engine import Database
from app.db.models import Contact, Lead, LeadSource, User
from app.domain.enums import ApiScope
from app.http.form_body import NO_FILES
from app.http.request_body import MAX_FIELDS
from app.rest.enquiry_body import UNKNOWN
from tests.support.api import Api
from tests.support.examples import examples
from tests.support.world import Cast, World, change

READ, WRITE, INTAKE = ApiScope.READ, ApiScope.WRITE, ApiScope.INTAKE
ORIGIN = "https://www.example.org"
MARY = {"first_name": "Mary", "last_name": "Jackson", "email": "mary@example.com", "mobile_phone": "+12025550123"}
URLENCODED = "application/x-www-form-urlencoded"


@dataclass
class Sender:
    """Sends enquiries for Alice, of her lead source, whose route goes to her team."""

    api: Api
    database: Database
    alice: User
    source: LeadSource
    key: str
    """With the scope INTAKE alone."""
    full: str
    """With the scopes READ and WRITE."""

    async def send(self, body: Any = None, *, key: str | None = None, **options: Any) -> httpx2.Response:
        """Post to /leads, by default JSON with the key of the scopes READ and WRITE."""
        headers = {"Authorization": f"Bearer {key or self.full}"} | options.pop("headers", {})
        sent = {"json": body} if body is not None else options
        return await self.api.http.post("/leads", headers=headers, **sent)

    async def raw(self, content: bytes, content_type: str = URLENCODED) -> httpx2.Response:
        return await self.send(content=content, headers={"Content-Type": content_type})

    async def intake(self, **options: Any) -> httpx2.Response:
        """Post to /intake/{key}, by default a form."""
        return await self.api.http.post(f"/intake/{self.key}", **options)

    async def rows(self) -> list[tuple[Lead, Contact]]:
        async with self.database.read() as session:
            found = select(Lead, Contact).join(Contact).order_by(col(Lead.id))
            return [*(await session.exec(found))]

    async def only(self) -> tuple[Lead, Contact]:
        (row,) = await self.rows()
        return row


@pytest.fixture
async def sender(api: Api, database: Database, world: World, cast: Cast) -> Sender:
    source = await world.source(cast.alice)
    await world.route(source, cast.team)
    _row, key = await world.api_key(cast.alice, INTAKE)
    _row, full = await world.api_key(cast.alice, READ, WRITE)
    return Sender(api, database, cast.alice, source, key, full)


def ignored(response: httpx2.Response) -> list[str]:
    return [each["field"] for each in response.json()["ignored"]]


# What is answered


async def test_a_new_enquiry_is_answered_with_the_lead(sender: Sender, cast: Cast) -> None:
    enquiry = MARY | {
        "external_id": "web-1",
        "source_id": sender.source.id,
        "type": "Buyer",
        "zipcode": "94105-0001",
        "text_body": "Is it available?\r\nMary",
        "listing_price": 350000,
        "mls_id": "M-7",
        "listing_status": "For Sale",
        "street_address": "1 Main St",
        "city": "Yorktown",
        "state": "VA",
        "language": "es",
    }
    response = await sender.send(enquiry)
    lead, contact = await sender.only()
    assert response.status_code == 201, response.text
    answer = response.json()
    assert answer["lead"].pop("contact") == {"id": contact.id, "first_name": "Mary", "last_name": "Jackson"}
    enquired = {name: value for name, value in enquiry.items() if name not in MARY}
    assert answer == {
        "lead": enquired
        | {
            "id": lead.id,
            "zipcode": "94105",
            "distribution_target": "Team Rollout",
            "created_at": "2026-03-02T09:00:00.000Z",
        },
        "is_new": True,
        "contact_is_new": True,
        "ignored": [],
        "refusal": None,
        "created_count": 1,
    }
    assert (lead.message, contact.email, contact.mobile_phone) == (
        "Is it available?\r\nMary",
        MARY["email"],
        MARY["mobile_phone"],
    )
    offers = (await sender.api.user(cast.alice).rest("GET", f"/leads/{lead.id}/offers")).json()
    assert [offer["user"]["id"] for offer in offers["data"]] == [cast.bob.id]


async def test_a_repeated_enquiry_is_answered_with_the_first_lead(sender: Sender) -> None:
    first = await sender.send(MARY | {"external_id": "web-1", "source_id": sender.source.id})
    again = await sender.send(
        {"email": "MARY@example.com", "external_id": "web-1", "source_id": str(sender.source.id), "city": "Hampton"}
    )
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json() | {"is_new": False, "contact_is_new": False, "created_count": 0}
    assert len(await sender.rows()) == 1


async def test_the_answer_has_what_a_known_contact_lacked(sender: Sender, world: World, cast: Cast) -> None:
    known = await world.contact(cast.alice, last_name=None, mobile_phone=None)
    answer = (await sender.send(MARY | {"first_name": "Marie"})).json()
    assert answer["contact_is_new"] is False
    assert answer["lead"]["contact"] == {"id": known.id, "first_name": "Mary", "last_name": "Jackson"}


async def test_a_lead_that_cannot_be_offered_is_kept_with_the_reason(sender: Sender, world: World, cast: Cast) -> None:
    await change(world, cast.bob, is_active=False)
    response = await sender.send(MARY | {"source_id": sender.source.id})
    answer = response.json()
    assert (response.status_code, answer["created_count"]) == (201, 0)
    assert answer["refusal"].pop("message")
    assert answer["refusal"] == {
        "code": "NO_ELIGIBLE_MEMBERS",
        "skipped": [{"user_id": cast.bob.id, "reason": "User inactive"}],
    }


@pytest.mark.parametrize("scopes", [(INTAKE,), (INTAKE, READ), (INTAKE, WRITE), (WRITE,)])
async def test_other_keys_get_the_id_alone(sender: Sender, world: World, scopes: Sequence[ApiScope]) -> None:
    _row, key = await world.api_key(sender.alice, *scopes)
    response = await sender.send(MARY | {"external_id": "1", "color": "red"}, key=key)
    again = await sender.send(MARY | {"external_id": "1"}, key=key)
    lead, _contact = await sender.only()
    unknown = {"field": "color", "message": UNKNOWN}
    assert (response.status_code, response.json()) == (201, {"id": lead.id, "is_new": True, "ignored": [unknown]})
    assert (again.status_code, again.json()) == (200, {"id": lead.id, "is_new": False, "ignored": []})


@pytest.mark.parametrize(("scope", "status"), [("read write", 201), ("write", 201), ("read", 403), ("", 403)])
async def test_the_scopes_of_tokens(sender: Sender, scope: str, status: int) -> None:
    client = sender.api.user(sender.alice, scope)
    response = await client.rest("POST", "/leads", json=MARY)
    assert response.status_code == status
    assert status == 403 or "lead" in response.json()


async def test_a_key_that_only_reads_receives_nothing(sender: Sender, world: World) -> None:
    _row, key = await world.api_key(sender.alice, READ)
    assert (await sender.send(MARY, key=key)).status_code == 403
    assert (await sender.api.rest("POST", "/leads", json=MARY)).status_code == 401
    assert await sender.rows() == []


# What an intake key learns: property 6


async def test_known_and_unknown_people_are_answered_alike(sender: Sender, world: World, cast: Cast) -> None:
    """Byte by byte, except for the id and headers that differ between any two requests."""
    known = await world.contact(cast.alice)
    held = await world.contact(cast.alice, email="held@example.com", mobile_phone=None)
    await world.claimed(await world.lead(cast.alice, cast.team, contact=held), cast.bob)
    people: list[dict[str, Any]] = [
        {"email": known.email, "mobile_phone": "12"},
        {"email": "HELD@example.com", "mobile_phone": "12"},
        {"email": "stranger@example.com", "mobile_phone": "12"},
    ]
    sources: list[dict[str, str]] = [{}, {"source_id": str(sender.source.id)}]
    for address in (f"/intake/{sender.key}", "/leads"):
        headers = {"Authorization": f"Bearer {sender.key}", "Origin": ORIGIN, "X-Request-ID": "same"}
        for more in sources:
            seen = set()
            for person in people:
                response = await sender.api.http.post(address, data=person | more | {"x": "y"}, headers=headers)
                seen.add((response.status_code, *without_id(response)))
            assert len(seen) == 1, seen
            assert next(iter(seen))[0] == 201


def without_id(response: httpx2.Response) -> tuple[bytes, str]:
    """Return the body and the headers, in which only the id and its length differ."""
    body = response.content.replace(b'"id":%d' % response.json()["id"], b'"id":0')
    headers = dict(response.headers)
    assert int(headers.pop("content-length")) == len(response.content)
    return body, str(sorted(headers.items()))


async def test_a_conflict_tells_an_intake_key_only_that_the_external_id_is_known(
    sender: Sender, world: World, cast: Cast
) -> None:
    await world.contact(cast.alice, email="known@example.com", mobile_phone=None)
    first = await sender.send(MARY | {"external_id": "website"})
    conflicts = [
        await sender.send({"email": email, "external_id": "website"}, key=sender.key)
        for email in ("known@example.com", "unknown@example.com")
    ]
    assert {response.status_code for response in conflicts} == {409}
    assert len({response.content for response in conflicts}) == 1
    error = conflicts[0].json()
    assert error["data"] == {"code": "CONFLICT"}
    assert error["errors"] == {}
    assert not any(letter.isdigit() for letter in error["message"])
    full = await sender.send({"email": "known@example.com", "external_id": "website"})
    assert full.json()["data"] == {"code": "CONFLICT", "lead_id": first.json()["lead"]["id"]}


async def test_an_intake_key_is_forbidden_everywhere_else(sender: Sender, world: World, cast: Cast) -> None:
    lead = await world.lead(cast.alice, cast.team)
    offer = await world.offer(lead, cast.bob)
    headers = {"Authorization": f"Bearer {sender.key}"}
    addresses = [
        ("GET", f"/leads/{lead.id}/offers"),
        ("GET", f"/leads/{lead.id}/offers/{offer.id}"),
        ("POST", f"/leads/{lead.id}/offers"),
        ("GET", "/me"),
        ("HEAD", "/me"),
    ]
    for method, address in addresses:
        assert (await sender.api.http.request(method, address, headers=headers)).status_code == 403, address
    response = await sender.api.http.post("/graphql", headers=headers, json={"query": "{ me { id } }"})
    assert response.json()["errors"][0]["extensions"]["code"] == "FORBIDDEN"


# Sources


async def test_the_source_of_a_key_may_be_left_out(sender: Sender, world: World, cast: Cast) -> None:
    other = await world.source(cast.alice, "Portal")
    _row, key = await world.api_key(cast.alice, INTAKE, source_id=sender.source.id)
    for body in (MARY, MARY | {"source_id": ""}, MARY | {"source_id": sender.source.id}):
        assert (await sender.send(body, key=key)).status_code == 201
    assert {lead.source_id for lead, _ in await sender.rows()} == {sender.source.id}
    response = await sender.send(MARY | {"source_id": other.id}, key=key)
    assert (response.status_code, response.json()["data"]["field"]) == (400, "source_id")


@pytest.mark.parametrize("source_id", [999, "999", "x", 0, -1, 1.5, True, [1, 2], {"id": 1}, 2**70])
async def test_an_unknown_source_is_refused(sender: Sender, source_id: Any) -> None:
    response = await sender.send(MARY | {"source_id": source_id})
    error = response.json()
    assert (response.status_code, error["data"]["code"], [*error["errors"]]) == (400, "BAD_USER_INPUT", ["source_id"])
    assert await sender.rows() == []


async def test_the_source_of_another_user_is_refused(sender: Sender, world: World, cast: Cast) -> None:
    source = await world.source(cast.charlie)
    assert (await sender.send(MARY | {"source_id": source.id})).status_code == 400


# JSON


async def test_the_contact_may_be_nested(sender: Sender) -> None:
    response = await sender.send({"contact": MARY | {"age": 7, "email": "nope"}, "zipcode": 2138, "city": None})
    assert response.json()["ignored"] == [
        {"field": "contact.email", "message": response.json()["ignored"][0]["message"]},
        {"field": "contact.age", "message": UNKNOWN},
    ]
    lead, contact = await sender.only()
    assert (lead.zipcode, contact.mobile_phone, contact.email) == ("02138", MARY["mobile_phone"], None)


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, ["contact"]),
        ({"contact": {}}, ["contact"]),
        ({"first_name": "Mary"}, ["contact"]),
        ({"first_name": "Mary", "Phone": "+12025550123", "x": "y"}, ["contact", "Phone"]),
        ({"contact": MARY, "email": "mary@example.com"}, ["contact"]),
        ({"contact": {}, "email": "mary@example.com"}, ["contact"]),
        ({"contact": "Mary"}, ["contact"]),
        ({"contact": [MARY, MARY | {"first_name": "M"}]}, ["contact"]),
        ({"email": "nope"}, ["email"]),
        ({"email": "nope", "mobile_phone": "12"}, ["email", "mobile_phone"]),
        ({"contact": {"email": 7}}, ["contact.email"]),
        (MARY | {"external_id": "x" * 256}, ["external_id"]),
        (MARY | {"external_id": ["a", "b"]}, ["external_id"]),
    ],
)
async def test_what_nobody_could_answer_is_refused(sender: Sender, body: Any, fields: list[str]) -> None:
    for key in (sender.full, sender.key):
        response = await sender.send(body, key=key)
        error = response.json()
        assert (response.status_code, error["name"], [*error["errors"]]) == (400, "BadRequest", fields), error
    assert await sender.rows() == []


@pytest.mark.parametrize(
    ("field", "value", "column", "stored"),
    [
        ("listing_price", "$350,000", "listing_price", 350000),
        ("listing_price", 350000.0, "listing_price", 350000),
        ("zipcode", " 02138-1234 ", "zipcode", "02138"),
        ("external_id", 4711, "external_id", "4711"),
        ("text_body", "  Hi,\n\tMary  ", "message", "Hi,\n\tMary"),
        ("city", ["Yorktown", "", "Yorktown"], "city", "Yorktown"),
        ("City", "Yorktown", "city", "Yorktown"),
        ("street-address", "1 Main St", "street_address", "1 Main St"),
        ("MLS ID", "M-7", "mls_id", "M-7"),
        ("listingPrice", "", "listing_price", None),
        ("language", "   ", "language", None),
    ],
)
async def test_what_has_one_reading_is_read(sender: Sender, field: str, value: Any, column: str, stored: Any) -> None:
    response = await sender.send(MARY | {field: value})
    assert (response.status_code, response.json()["ignored"]) == (201, []), response.text
    lead, _contact = await sender.only()
    assert getattr(lead, column) == stored


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("zipcode", "n/a"),
        ("listing_price", "about 300k"),
        ("listing_price", -1),
        ("listing_price", 2**40),
        ("city", "x" * 256),
        ("city", ["Yorktown", "Hampton"]),
        ("state", {"code": "VA"}),
        ("text_body", "x" * 10_001),
        ("text_body", "a\0b"),
        ("mls_id", True),
        ("first_name", "a\u0007b"),
        ("email", "mary at example.com"),
        ("mobile_phone", "555"),
        ("message", "Hello"),
        ("phone", "+12025550123"),
        ("", "x"),
        ("x" * 300, "y"),
    ],
)
async def test_what_cannot_be_read_is_named(sender: Sender, field: str, value: Any) -> None:
    response = await sender.send(MARY | {field: value})
    assert response.status_code == 201
    (problem,) = response.json()["ignored"]
    assert problem["field"] == field[:100]
    assert problem["message"]
    assert len(await sender.rows()) == 1


@pytest.mark.parametrize(
    ("content", "content_type"),
    [(b'{"email": "m@example.com"}', "application/json"), (b"email=m@example.com", URLENCODED)],
)
async def test_a_compressed_body_is_refused(sender: Sender, content: bytes, content_type: str) -> None:
    headers = {"Content-Type": content_type, "Content-Encoding": "gzip"}
    for send in (sender.send, sender.intake):
        response = await send(content=gzip.compress(content), headers=headers)
        assert response.status_code == 415
        assert response.json()["message"] == "The content encoding 'gzip' is not supported. Send the body uncompressed."


@pytest.mark.parametrize(
    ("content", "content_type", "status"),
    [
        (b"[]", "application/json", 400),
        (b"null", "application/json", 400),
        (b'"email"', "application/json", 400),
        (b"{", "application/json", 400),
        (b"", "application/json", 400),
        (b'{"email": "\xe9@example.com"}', "application/json", 400),
        (b"[" * 200 + b"]" * 200, "application/json", 400),
        (b"{}", "application/json; charset=latin-1", 415),
        (b"{}", "text/plain", 415),
        (b"{}", "", 415),
        (b"email=mary@example.com", "text/plain;charset=UTF-8", 415),
        (b"email=mary@example.com", f"{URLENCODED}; charset=utf-16", 415),
        (b"email=mary@example.com", f"{URLENCODED}; charset=idna", 415),
        (b'{"email": "mary@example.com"}', URLENCODED, 400),
        (b"a=b&" * (MAX_FIELDS + 1), URLENCODED, 400),
        (b"", "multipart/form-data", 400),
        (b"", "multipart/form-data; boundary=x", 400),
        (b"--x\r\nnonsense", "multipart/form-data; boundary=x", 400),
        (
            b'--x\r\nContent-Disposition: form-data; name="email"\r\n\r\nm@example.com',
            "multipart/form-data; boundary=x",
            400,
        ),
        (b"--x\r\n\r\nm@example.com\r\n--x--\r\n", "multipart/form-data; boundary=x", 400),
        (b"x" * 1_100_000, URLENCODED, 413),
        (b"x" * 1_100_000, "multipart/form-data; boundary=x", 413),
    ],
)
async def test_malformed_bodies_are_refused(sender: Sender, content: bytes, content_type: str, status: int) -> None:
    headers = {"Content-Type": content_type} if content_type else {}
    for response in (
        await sender.send(content=content, headers=headers),
        await sender.intake(content=content, headers=headers | {"Origin": ORIGIN}),
    ):
        error = response.json()
        assert (response.status_code, error["code"]) == (status, status), error
        assert error["data"]["code"] == "BAD_REQUEST"
    assert response.headers["access-control-allow-origin"] == "*"
    assert await sender.rows() == []


async def test_a_byte_order_mark_is_no_part_of_the_body(sender: Sender) -> None:
    mark = "\ufeff".encode()
    body = json.dumps({"email": "a@example.com"}).encode()
    assert (await sender.raw(mark + body, "application/json; charset=UTF-8")).status_code == 201
    for form in (mark + b"email=b@example.com", b"%EF%BB%BFemail=c@example.com"):
        response = await sender.raw(form)
        assert (response.status_code, response.json()["ignored"]) == (201, []), response.text
    assert [contact.email for _, contact in await sender.rows()] == ["a@example.com", "b@example.com", "c@example.com"]


async def test_half_of_a_surrogate_pair_does_not_lose_the_enquiry(sender: Sender) -> None:
    """JavaScript's `text.slice(0, 10_000)` leaves one at the end of a text with emoji."""
    body = rb'{"email": "a@example.com", "text_body": "\ud83d\uDE00 \\ud83d \uDE00\ud83d\ud83d\ude00 \ud83d"}'
    response = await sender.raw(body, "application/json")
    assert (response.status_code, response.json()["ignored"]) == (201, []), response.text
    lead, _ = await sender.only()
    assert lead.message == "\U0001f600 \\ud83d \ufffd\ufffd\U0001f600 \ufffd"


# Forms


async def test_a_form_as_websites_send_it(sender: Sender) -> None:
    """With a button, a tracking parameter, a honeypot, and fields that were left empty."""
    form = (
        b"first_name=&last_name=O%27Brien+Jr.&email=mary%2Bx%40example.com&mobile_phone=%28202%29+555-0123&zipcode="
        b"&text_body=Hello%2C%0D%0A%C3%A9&listing_price=%24350%2C000&submit=Send&utm_source=a&utm_source=b&_gotcha="
    )
    response = await sender.raw(form, f"{URLENCODED}; charset=UTF-8")
    assert (response.status_code, ignored(response)) == (201, ["submit", "utm_source", "_gotcha"])
    lead, contact = await sender.only()
    assert (contact.first_name, contact.last_name) == (None, "O'Brien Jr.")
    assert (contact.email, contact.mobile_phone) == ("mary+x@example.com", "+12025550123")
    assert (lead.zipcode, lead.message, lead.listing_price) == (None, "Hello,\r\né", 350000)


@pytest.mark.parametrize(
    ("form", "content_type", "name"),
    [
        (b"last_name=Sp%C3%A4rck", URLENCODED, "Spärck"),
        ("last_name=Spärck".encode(), URLENCODED, "Spärck"),
        (b"last_name=Sp%E4rck", URLENCODED, "Spärck"),
        (b"last_name=Sp\xe4rck", f"{URLENCODED}; charset=iso-8859-1", "Spärck"),
        (b"last_name=Sp%E4rck+%93x%94", f'{URLENCODED}; charset="windows-1252"', "Spärck “x”"),
        (b"last_name=Sp%C3%A4rck", URLENCODED.upper(), "Spärck"),
        (b"last_name=%81", URLENCODED, None),
        (b"last_name=100%", URLENCODED, "100%"),
        (b"last_name=a=b", URLENCODED, "a=b"),
        (b"&&last_name=x&&", URLENCODED, "x"),
        (b"last%5Fname=x", URLENCODED, "x"),
        (b"last_name=x&last_name=", URLENCODED, "x"),
        (b"last_name=&last_name=x&last_name=x", URLENCODED, "x"),
        (b"last_name[]=x", URLENCODED, "x"),
    ],
)
async def test_the_encodings_of_forms(sender: Sender, form: bytes, content_type: str, name: str | None) -> None:
    response = await sender.raw(b"email=mary@example.com&" + form, content_type)
    assert response.status_code == 201, response.text
    assert (await sender.only())[1].last_name == name


@pytest.mark.parametrize(
    ("form", "email", "phone"),
    [
        (b"email=mary+x@example.com", "mary+x@example.com", None),
        (b"email=mary%2Bx%40example.com", "mary+x@example.com", None),
        (b"email=+mary%40example.com+", "mary@example.com", None),
        (b"mobile_phone=+442071838750", None, "+442071838750"),
        (b"mobile_phone=+12025550123", None, "+12025550123"),
        (b"mobile_phone=+2025550123", None, "+12025550123"),
        (b"mobile_phone=%2B12025550123", None, "+12025550123"),
    ],
)
async def test_a_plus_that_was_not_encoded_is_restored(
    sender: Sender, form: bytes, email: str | None, phone: str | None
) -> None:
    response = await sender.raw(form)
    assert (response.status_code, ignored(response)) == (201, [])
    _lead, contact = await sender.only()
    assert (contact.email, contact.mobile_phone) == (email, phone)


async def test_a_space_before_the_at_is_no_plus(sender: Sender) -> None:
    response = await sender.raw(b"email=mary+%40example.com&mobile_phone=2025550123")
    assert ignored(response) == ["email"]


async def test_a_multipart_form(sender: Sender) -> None:
    parts: dict[str, Any] = {"email": "mary@example.com", "text_body": "Spärck\r\nLine 2", "x": "", "City": "Yorktown"}
    parts |= {"photo": ("", b"", "application/octet-stream")}
    response = await sender.send(files={n: v if isinstance(v, tuple) else (None, v) for n, v in parts.items()})
    assert (response.status_code, ignored(response)) == (201, ["x", "photo"]), response.text
    lead, _contact = await sender.only()
    assert (lead.message, lead.city) == ("Spärck\r\nLine 2", "Yorktown")


async def test_a_multipart_form_in_an_older_encoding(sender: Sender) -> None:
    part = b'--x\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n'
    body = part % (b"email", b"m@example.com") + part % (b"last_name", "Spärck".encode("cp1252")) + b"--x--\r\n"
    for content_type in ("multipart/form-data; boundary=x", 'Multipart/Form-Data; charset=latin1; boundary="x"'):
        response = await sender.raw(body, content_type)
        assert response.status_code == 201, response.text
    assert {contact.last_name for _, contact in await sender.rows()} == {"Spärck"}


@pytest.mark.parametrize("file", [("a.txt", b"text"), ("a.txt", b"")])
async def test_a_file_is_refused(sender: Sender, file: tuple[str, bytes]) -> None:
    response = await sender.send(data={"email": "mary@example.com"}, files={"photo": file})
    error = response.json()
    assert (response.status_code, error["errors"]) == (400, {"photo": NO_FILES})
    assert await sender.rows() == []


async def test_contact_is_no_field_of_a_form(sender: Sender) -> None:
    response = await sender.raw(b"contact=Mary&email=mary@example.com")
    assert (response.status_code, ignored(response)) == (201, ["contact"])


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**64 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=20),
    st.sampled_from(["mary@example.com", "+12025550123", "02138", "1", "\0", "x" * 20_000]),
)
NESTED = st.recursive(VALUES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3))
NAMES = st.sampled_from(
    [*MARY, "contact", "external_id", "source_id", "type", "zipcode", "text_body", "listing_price", "City", "x", ""]
)


@examples(200)
@given(body=st.dictionaries(NAMES, NESTED, max_size=6))
async def test_no_value_breaks_a_request(sender: Sender, caplog: pytest.LogCaptureFixture, body: Any) -> None:
    for response in (
        await sender.send(body),
        await sender.intake(json=body),
        await sender.intake(data={name: str(value).encode("utf-8", "replace") for name, value in body.items()}),
    ):
        assert response.status_code in (200, 201, 400, 409, 415, 429), response.text
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == []


@examples(200)
@given(content=st.binary(max_size=200) | st.text(alphabet='a=&%C3+{}[]"\r\n-x:;', max_size=100).map(str.encode))
async def test_no_bytes_break_a_form(sender: Sender, caplog: pytest.LogCaptureFixture, content: bytes) -> None:
    for content_type in (URLENCODED, "multipart/form-data; boundary=x", "application/json"):
        response = await sender.raw(b"--x\r\n" + content if "x" in content_type else content, content_type)
        assert response.status_code in (200, 201, 400), response.text
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == []
