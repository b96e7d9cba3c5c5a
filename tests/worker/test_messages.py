"""The texts of messages."""

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
