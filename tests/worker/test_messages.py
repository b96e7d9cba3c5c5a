"""The texts of messages."""

from datetime import UTC, datetime

from app.commands.replies import Choice
from app.db.models import Contact, User
from app.worker import messages
from tests.support.world import unsaved_lead


def test_messages_do_not_contain_the_contacts_address_or_number() -> None:
    user = User(first_name="Bob", last_name="", timezone="America/Los_Angeles")
    contact = Contact(
        owner_id=1, first_name="Mary\r\nBcc: x@y", last_name="Jackson", email="mary@example.com", mobile_phone="+1202"
    )
    lead = unsaved_lead(type="Buyer", zipcode="94105")
    for words in (messages.offered, messages.assigned, messages.exhausted):
        subject, text = words(user, lead, contact)
        assert "Buyer in 94105" in subject
        assert "Mary Bcc: x@y enquired (Buyer, zipcode 94105) on Monday, 02 March 2026 at 01:00" in text
        assert not {"Jackson", "mary@example.com", "+1202"} & {*text.split(), *subject.split()}
        assert "\n" not in subject


def test_two_leads_have_two_subjects() -> None:
    """Mail programs show e-mails with one subject as one conversation."""
    user = User(first_name="Bob", last_name="", timezone="America/Los_Angeles")
    contact = Contact(owner_id=1, first_name="Mary", last_name="Jackson")
    for words in (messages.offered, messages.assigned, messages.exhausted):
        leads = [unsaved_lead(id=number) for number in (1, 2)]
        first, second = (words(user, lead, contact)[0] for lead in leads)
        assert first != second


def test_a_subject_says_what_happened_to_which_lead() -> None:
    user = User(first_name="Bob", last_name="", timezone="America/Los_Angeles")
    contact = Contact(owner_id=1, first_name="Mary", last_name="Jackson")
    lead = unsaved_lead(id=7, type="Buyer")
    subjects = [words(user, lead, contact)[0] for words in (messages.offered, messages.assigned, messages.exhausted)]
    assert subjects == ["Lead offer 7: Buyer", "Your new lead 7: Buyer", "Nobody has claimed lead 7: Buyer"]
    assert messages.claimed(lead, contact).startswith("You have claimed lead 7: Buyer.")


BOB = User(id=2, first_name="Bob", last_name="", timezone="America/Los_Angeles")
MARY = Contact(owner_id=1, first_name="Mary", last_name="Jackson")
BUYER = unsaved_lead(id=7, type="Buyer", zipcode="94105")
LINK = "https://leads.example.com/claim?link=x"
WRITTEN = "Mary enquired (Buyer, zipcode 94105) on Monday, 02 March 2026 at 01:00 (America/Los_Angeles)."
SPOKEN = "Mary enquired (Buyer, zipcode 9 4 1 0 5) on Monday, 02 March 2026 at 01:00."


def test_an_e_mail_offers_a_lead() -> None:
    subject, text = messages.offered(BOB, BUYER, MARY, LINK)
    first = "The lead goes to whoever claims it first."
    assert subject == "Lead offer 7: Buyer in 94105"
    assert text == f"Hello Bob,\n\n{WRITTEN}\n\n{first} Claim it here: {LINK}\n"
    _, text = messages.offered(BOB, BUYER, MARY)
    assert text == f"Hello Bob,\n\n{WRITTEN}\n\n{first} Claim or decline it in the app.\n"


def test_a_text_offers_a_lead() -> None:
    title, first = "Lead offer 7: Buyer in 94105", "It goes to whoever claims it first."
    reply = "Reply 1 7 to claim it, STOP to get no more texts."
    assert messages.offered_by_text(BOB, BUYER, MARY, LINK, accepts_replies=True) == (
        title,
        f"{title}. {WRITTEN} {first} {reply} Claim it here: {LINK}",
    )
    assert messages.offered_by_text(BOB, BUYER, MARY) == (
        title,
        f"{title}. {WRITTEN} {first} Claim it in the app.",
    )


def test_messages_name_the_city_and_the_price() -> None:
    lead = unsaved_lead(id=7, type="Buyer", zipcode="94105", city="San Jos\u00e9", listing_price=1_250_000)
    enquiry = "Mary enquired (Buyer, San Jos\u00e9, zipcode 94105, price 1,250,000) on Monday, 02 March 2026 at 01:00"
    spoken = enquiry.replace("94105", "9 4 1 0 5")
    for words in (messages.offered, messages.offered_by_text, messages.assigned, messages.exhausted):
        subject, text = words(BOB, lead, MARY)
        assert subject.endswith(" 7: Buyer in San Jos\u00e9")
        assert enquiry in text
    for words in (messages.offered_by_call, messages.assigned_in_short):
        assert spoken in words(BOB, lead, MARY)[1]
    assert messages.claimed(lead, MARY).startswith("You have claimed lead 7: Buyer in San Jos\u00e9.")
    free = unsaved_lead(id=7, listing_price=0)
    assert "Mary enquired (price 0) on Monday" in messages.offered(BOB, free, MARY)[1]


def test_a_call_offers_a_lead() -> None:
    hello, first = "Hello Bob. You are offered a lead.", "It goes to whoever claims it first."
    title = "Lead offer 7: Buyer in 94105"
    told = messages.offered_by_call(BOB, BUYER, MARY, accepts_replies=True)
    assert told == (title, f"{hello} {SPOKEN} {first} To claim it now, press 1.")
    assert messages.offered_by_call(BOB, BUYER, MARY) == (title, f"{hello} {SPOKEN} {first} Claim it in the app.")


def test_messages_about_an_assigned_lead() -> None:
    title, how = "Your new lead 7: Buyer in 94105", "The app shows how to reach the contact."
    assert messages.assigned(BOB, BUYER, MARY) == (
        title,
        f"Hello Bob,\n\n{WRITTEN}\n\nThe lead is yours. {how}\n",
    )
    assert messages.assigned_in_short(BOB, BUYER, MARY) == (title, f"You have a new lead. {SPOKEN} {how}")
    assert messages.claimed(BUYER, MARY) == f"You have claimed lead 7: Buyer in 94105. {how}"


def test_an_e_mail_about_an_exhausted_lead() -> None:
    assert messages.exhausted(BOB, BUYER, MARY) == (
        "Nobody has claimed lead 7: Buyer in 94105",
        f"Hello Bob,\n\n{WRITTEN}\n\nNobody has claimed this lead, and nobody else is left to offer it to. Submit "
        "it again to offer it to members who have joined or returned since, or assign it to someone.\n",
    )


def test_what_is_not_known_is_left_out() -> None:
    at = "on Monday, 02 March 2026 at 01:00 (America/Los_Angeles)."
    nobody = Contact(owner_id=1)
    for lead, contact, name, enquiry in (
        (unsaved_lead(id=7), MARY, "Mary", f"Mary enquired {at}"),
        (unsaved_lead(id=7), nobody, "Enquiry", f"Somebody enquired {at}"),
        (unsaved_lead(id=7, zipcode="94105"), nobody, "Enquiry in 94105", f"Somebody enquired (zipcode 94105) {at}"),
        (unsaved_lead(id=7, type="Buyer"), nobody, "Buyer", f"Somebody enquired (Buyer) {at}"),
    ):
        assert messages.about(lead, contact) == name
        assert enquiry in messages.offered(BOB, lead, contact)[1].splitlines()


def test_an_unknown_time_zone_and_a_time_outside_of_the_calendar_are_told_in_utc() -> None:
    on_mars = User(first_name="Bob", last_name="", timezone="Mars/Olympus")
    assert "on Monday, 02 March 2026 at 09:00 (UTC)." in messages.offered(on_mars, BUYER, MARY)[1]
    first = unsaved_lead(created_at=datetime(1, 1, 1, 0, 30, tzinfo=UTC))
    assert " at 00:30 (UTC)." in messages.offered(BOB, first, MARY)[1]


def choice(lead_id: int, first_name: str, contact: Contact = MARY) -> Choice:
    return Choice(lead_id, lead_id, 1, first_name, contact)


def test_a_reply_from_a_shared_number_is_answered_with_the_choices() -> None:
    question = "More than one person uses this number. Which of you claims a lead? Reply"
    bob, dora = "1 7 Bob to claim lead 7 as Bob", "1 7 Dora to claim lead 7 as Dora"
    assert messages.which_lead([choice(7, "Bob"), choice(7, "Dora")]) == f"{question} {bob}, or {dora}."
    four = [choice(n, name) for n, name in ((7, "Bob"), (7, "Dora"), (8, "Bob"), (9, "Bob"))]
    assert messages.which_lead(four) == f"{question} {bob}, or {dora}, or 1 8 Bob to claim lead 8 as Bob."


def test_people_without_different_names_are_sent_to_the_app() -> None:
    told = "More than one person uses this number. Claim the lead by the link that you were sent, or in the app."
    for names in (("Bob", "Bob"), ("Bob", ""), ("", "")):
        assert messages.which_lead([choice(7, name) for name in names]) == told
