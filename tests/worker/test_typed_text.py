"""Typed text in messages: no address, number or link of anybody, whichever field it was typed into."""

import re
from itertools import product

import pytest

from app.db.models import Contact, Lead, User
from app.worker import messages
from app.worker.typed_text import presentable
from tests.support.world import unsaved_lead

MARY = Contact(owner_id=1, email="mary@example.com", mobile_phone="+12025550142")
NOBODY = Contact(owner_id=1)

ADDRESSES = [
    "mary@example.com",
    "MARY@Example.com",
    "<mary@example.com>",
    "mary\u200b@example.com",
    "mary\uff20example\uff0ecom",
    "mailto:mary@example.com",
    "Mary (mary@example.com)",
]
NUMBERS = [
    "+12025550142",
    "2025550142",
    "(202) 555-0142",
    "+1 202.555.0142",
    "202/555 01 42",
    "call 202\u2011555\u20110142",
    "\uff12\uff10\uff12\uff15\uff15\uff15\uff10\uff11\uff14\uff12",
    "\u0662\u0660\u0662 \u0665\u0665\u0665 \u0660\u0661\u0664\u0662",
    "tel:+12025550142",
    "5550142",
]
DISGUISED = [
    "mary (at) example.com",
    "mary at example dot com",
    "mary @ example . com",
    "202,555,0142",
    "2 0 2_5550142",
]
LINKS = [
    *("http://evil.example/pay", "https://evil.example", "HTTPS://EVIL.EXAMPLE", "www.evil.example", "evil.com/pay"),
    *(
        "evil\uff0ecom",
        "evil\u3002com",
        "evil\u2024com",
        "ftp://evil",
        "javascript:alert(1)",
        "Ann evil.com",
        "//evil.com",
    ),
]


def everything(user: User, lead: Lead, contact: Contact) -> str:
    """Return every text that is written about the lead."""
    written = [
        *messages.offered(user, lead, contact),
        *messages.offered_by_text(user, lead, contact, accepts_replies=True),
        *messages.offered_by_call(user, lead, contact, accepts_replies=True),
        *messages.assigned(user, lead, contact),
        *messages.assigned_in_short(user, lead, contact),
        *messages.exhausted(user, lead, contact),
        messages.claimed(lead, contact),
        messages.about(lead, contact),
    ]
    return "\n".join(written)


@pytest.mark.parametrize("field", ["first_name", "last_name", "type", "city", "message", "user"])
def test_no_message_has_the_contacts_address_or_number(field: str) -> None:
    for typed, known in product([*ADDRESSES, *NUMBERS, *DISGUISED], (True, False)):
        if not known and typed in DISGUISED:
            continue
        contact = Contact(
            owner_id=1,
            first_name=typed if field == "first_name" else "Mary",
            last_name=typed if field == "last_name" else "Jackson",
            email="mary@example.com" if known else None,
            mobile_phone="+12025550142" if known else None,
        )
        user = User(first_name=typed if field == "user" else "Bob", last_name="", timezone="UTC")
        lead = unsaved_lead(zipcode="94105", **({field: typed} if field in ("type", "city", "message") else {}))
        text = everything(user, lead, contact)
        assert "@" not in text
        assert "example" not in text.lower()
        for word in re.split(r"[^\W\d]+", text):
            assert "5550142" not in re.sub(r"\D", "", word), typed


def test_no_message_has_the_contacts_number_as_a_price() -> None:
    user = User(first_name="Bob", last_name="", timezone="UTC")
    for price in (2_025_550_142, 5_550_142):
        assert "price" not in everything(user, unsaved_lead(listing_price=price), MARY)
    assert "price 5,550,143" in everything(user, unsaved_lead(listing_price=5_550_143), MARY)


def test_no_message_has_anything_that_the_contact_wrote() -> None:
    user = User(first_name="Bob", last_name="", timezone="UTC")
    lead = unsaved_lead(message="Is the blue house still for sale?", type="Buyer", city="Austin", listing_price=1)
    assert everything(user, lead, MARY) == everything(
        user, unsaved_lead(**{**lead.model_dump(), "message": None}), MARY
    )


@pytest.mark.parametrize("typed", LINKS)
def test_a_link_is_not_clickable(typed: str) -> None:
    shown = presentable(typed, NOBODY)
    assert not re.search(r"\w[.\u3002]\w|\w:\S", shown)
    assert re.search(r"\w", shown)


@pytest.mark.parametrize(
    "typed",
    [
        "Zo\u00eb",
        "Jean-Luc O'Neil",
        "J. R.",
        "3.5 rooms, 1,200,000",
        "Buyer: condo",
        "\u5f20\u4f1f",
        "\u2605",
        "At Dot",
    ],
)
def test_other_text_stays_as_it_is(typed: str) -> None:
    assert presentable(typed, MARY) == typed


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        (None, ""),
        ("Mary mary@example.com", "Mary"),
        ("Mary, 202-555-0142!", "Mary, !"),
        ("(202) 555-0142", ""),
        ("Ann\r\nBcc: x\u2028y\x85z", "Ann Bcc: x y z"),
        ("A\u202enn\u200b", "Ann"),
        ("Dr.Smith", "Dr. Smith"),
        ("x" * 300, "x" * 80),
    ],
)
def test_text_is_one_clean_line(typed: str | None, shown: str) -> None:
    assert presentable(typed, MARY) == shown


def test_a_short_address_does_not_hide_other_words() -> None:
    short = Contact(owner_id=1, email="a@b", mobile_phone=None)
    assert presentable("Cab and a@b", Contact(owner_id=1)) == "Cab and a@b"
    assert presentable("Cab", short) == "Cab"
    assert presentable("a@b", short) == ""


def test_a_user_without_names_is_greeted_without_a_gap() -> None:
    user = User(first_name="", last_name="", timezone="UTC")
    lead = unsaved_lead()
    for words in (messages.offered, messages.assigned, messages.exhausted):
        assert words(user, lead, NOBODY)[1].startswith("Hello,\n\n")
    assert messages.offered_by_call(user, lead, NOBODY)[1].startswith("Hello. You are offered")


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("evil.\u200dcom", "evil. com"),
        ("evil\u200c.com", "evil. com"),
        ("evil\u200d.\u200d\u200ccom", "evil. com"),
        ("https\u200d://evil", "https: //evil"),
        ("1.2.3.4", "1. 2. 3. 4"),
        ("http://8.8.8.8/pay", "http: //8. 8. 8. 8/pay"),
        ("\uff11.1.1.1:80", "1. 1. 1. 1:80"),
        ("3.5 rooms", "3.5 rooms"),
        ("Release 1.2.3", "Release 1.2.3"),
        ("\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645", "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"),
        ("\U0001f468\u200d\U0001f4bb", "\U0001f468\u200d\U0001f4bb"),
    ],
)
def test_neither_joiners_nor_digits_hide_a_link(typed: str, shown: str) -> None:
    assert presentable(typed, NOBODY) == shown
