"""Prints the demo's users, teams and leads in the format of `lead-offers import`.

Katherine leads two teams: IBM, ordered by rank, and Langley, ordered by time. Lead 1 was claimed long ago, 2 and 3 can
be submitted and say what was asked on the website, 4 is in the middle of its rollout now, and submitting 5 or 6 fails.
Lead 10 has just come in and waits until somebody claims it: nobody is given it automatically.
Christine is in no team.

Three more teams of Katherine's are a chain. Hampton offers leads 8 and 9 round robin, to two members at a time; Annie
gets half of the turns. An unclaimed lead goes on to Houston, ordered by rank, and then to Pond, where everybody sees
it and nobody is notified. The steps are a minute apart, so that you can watch them. Lead 9 is of a contact whose first
lead Dorothy has, so that she comes first.
"""

import json
from datetime import UTC, datetime, timedelta

NOW = datetime.now(UTC)

KATHERINE, CHRISTINE, ANNIE, MELBA, DOROTHY, GLADYS, EVELYN, MARGARET, VALERIE, JOAN = range(1, 11)
IBM, LANGLEY, HAMPTON, HOUSTON, POND = 6, 7, 8, 9, 10
WEBSITE, OPEN_HOUSE = 1, 2


def soon(minutes: int) -> str:
    """Return the time that many minutes from now; a negative number is in the past."""
    return (NOW + timedelta(minutes=minutes)).isoformat(timespec="milliseconds")


def user(
    number: int, first_name: str, last_name: str, email: str, timezone: str, **fields: object
) -> dict[str, object]:
    phone = f"+120255501{number:02}"
    names = {"first_name": first_name, "last_name": last_name}
    return {"id": number, **names, "email": email, "phone": phone, "timezone": timezone, **fields}


def option(team: int, member: int, **fields: object) -> dict[str, object]:
    return {"team_id": team, "user_id": member, **fields}


def member(team: int, invited: int, status: str = "Accepted") -> dict[str, object]:
    return {"team_id": team, "user_id": invited, "request_status": status}


def offer(number: int, lead: int, to: int, notify_at: str, rank: int | None = None) -> dict[str, object]:
    """Return an offer of a lead of IBM, announced by e-mail. Leads are assigned to Dorothy automatically."""
    named = {"lead": {"id": lead}, "user": {"id": to}, "team": {"id": IBM}}
    alerts = {"has_call_alert": to == DOROTHY, "has_text_alert": False, "has_email_alert": True}
    return {
        "id": number,
        **named,
        "notify_at": notify_at,
        "rank": rank,
        "assign_automatically": to == DOROTHY,
        **alerts,
    }


DATA = {
    "users": [
        user(KATHERINE, "Katherine", "Johnson", "katherine@example.com", "America/New_York"),
        user(CHRISTINE, "Christine", "Darden", "christine@example.com", "America/Chicago"),
        user(ANNIE, "Annie", "Easley", "annie@example.com", "America/New_York"),
        user(MELBA, "Melba", "Roy", "melba@example.com", "America/New_York"),
        user(DOROTHY, "Dorothy", "Vaughan", "dot@example.com", "America/New_York"),
        user(GLADYS, "Gladys", "West", "gladys@example.com", "America/Denver"),
        user(EVELYN, "Evelyn", "Granville", "evelyn@example.com", "America/Los_Angeles"),
        user(MARGARET, "Margaret", "Hamilton", "margaret@example.com", "America/New_York"),
        user(VALERIE, "Valerie", "Thomas", "valerie@example.com", "America/New_York", is_active=False),
        user(JOAN, "Joan", "Clarke", "joan@example.com", "Europe/London"),
    ],
    "teams": [
        {
            "id": IBM,
            "name": "IBM",
            "creator_id": KATHERINE,
            "order_method": "Rank",
            "mins_until_next_alert": 30,
            "distribution_zipcodes": ["10504", "10598"],
            "created_at": "2018-01-02",
        },
        {
            "id": LANGLEY,
            "name": "Langley",
            "creator_id": KATHERINE,
            "order_method": "Time",
            "distribution_zipcodes": ["23681", "23666-1234"],
            "created_at": "2018-01-09T12:00:00-05:00",
        },
        {
            "id": HAMPTON,
            "name": "Hampton",
            "creator_id": KATHERINE,
            "order_method": "Round Robin",
            "mins_until_next_alert": 1,
            "members_per_lead": 2,
            "keeps_contacts": True,
            "next_team_id": HOUSTON,
            "mins_until_next_team": 1,
            "created_at": "2018-01-10",
        },
        {
            "id": HOUSTON,
            "name": "Houston",
            "creator_id": KATHERINE,
            "order_method": "Rank",
            "mins_until_next_alert": 1,
            "next_team_id": POND,
            "mins_until_next_team": 1,
            "created_at": "2018-01-11",
        },
        {
            "id": POND,
            "name": "Pond",
            "creator_id": KATHERINE,
            "order_method": "Time",
            "created_at": "2018-01-12",
        },
    ],
    "team_members": [
        member(IBM, ANNIE),
        member(IBM, MELBA),
        member(IBM, DOROTHY),
        member(IBM, GLADYS),
        member(IBM, EVELYN, "Pending"),
        member(IBM, MARGARET, "Declined"),
        member(IBM, VALERIE),
        member(IBM, JOAN),
        member(LANGLEY, ANNIE),
        member(LANGLEY, GLADYS),
        member(LANGLEY, EVELYN, "Pending"),
        *(member(HAMPTON, agent) for agent in (ANNIE, MELBA, DOROTHY)),
        *(member(HOUSTON, agent) for agent in (GLADYS, JOAN)),
        *(member(POND, agent) for agent in (ANNIE, MELBA, DOROTHY, GLADYS, JOAN)),
    ],
    "team_member_distribution_options": [
        option(IBM, ANNIE, rank=1, has_call_alert=True, has_text_alert=True),
        option(IBM, MELBA, rank=1),
        option(IBM, GLADYS, rank=2, has_text_alert=True),
        option(IBM, DOROTHY, rank=3, has_call_alert=True, assign_automatically=True),
        option(IBM, KATHERINE),
        option(IBM, EVELYN, rank=4),
        option(IBM, MARGARET, rank=4),
        option(IBM, VALERIE, rank=4),
        option(IBM, CHRISTINE, rank=5),
        option(LANGLEY, ANNIE, mins_until_lead_offer=0, has_text_alert=True),
        option(LANGLEY, GLADYS, mins_until_lead_offer=15),
        option(LANGLEY, KATHERINE, mins_until_lead_offer=60, assign_automatically=True),
        option(HAMPTON, ANNIE, weight=2),
        option(HAMPTON, MELBA, max_leads_per_day=3),
        option(HAMPTON, DOROTHY),
        option(HOUSTON, GLADYS, rank=1),
        option(HOUSTON, JOAN, rank=2),
        *(option(POND, agent, has_email_alert=False) for agent in (ANNIE, MELBA, DOROTHY, GLADYS, JOAN)),
    ],
    "contacts": [
        {"id": 1, "owner_user_id": KATHERINE, "first_name": "Grace", "last_name": "Hopper"},
        {
            "id": 2,
            "owner_user_id": KATHERINE,
            "first_name": "Mary",
            "last_name": "Jackson",
            "email": "mary@example.com",
            "mobile_phone": "+12025550142",
        },
        {"id": 3, "owner_user_id": KATHERINE, "first_name": "Hedy", "last_name": "Lamarr", "email": "hedy@example.com"},
        {"id": 4, "owner_user_id": KATHERINE, "first_name": "Radia", "last_name": "Perlman"},
        {"id": 5, "owner_user_id": KATHERINE, "first_name": "Karen", "last_name": "Spärck Jones"},
        {"id": 6, "owner_user_id": KATHERINE, "first_name": "Susan", "last_name": "Kare"},
        {"id": 7, "owner_user_id": CHRISTINE, "first_name": "Frances", "last_name": "Allen"},
        {
            "id": 8,
            "owner_user_id": KATHERINE,
            "first_name": "Adele",
            "last_name": "Goldberg",
            "email": "adele@example.com",
            "mobile_phone": "+12025550143",
        },
    ],
    "lead_sources": [
        {"id": WEBSITE, "name": "Website", "creator_id": KATHERINE},
        {"id": OPEN_HOUSE, "name": "Open house", "creator_id": KATHERINE},
    ],
    "lead_routes": [
        {
            "id": 1,
            "lead_source_id": WEBSITE,
            "distribution_target": "Team Rollout",
            "team_selection_method": "Specific Team",
            "team_id": IBM,
        },
        {
            "id": 2,
            "lead_source_id": WEBSITE,
            "distribution_target": "Team Rollout",
            "team_selection_method": "Zipcode",
            "filter": "Buyer",
        },
        {"id": 3, "lead_source_id": OPEN_HOUSE, "distribution_target": "Myself"},
    ],
    "leads": [
        {
            "id": 1,
            "contact_id": 1,
            "source_id": WEBSITE,
            "created_at": "2018-01-16T08:09:00Z",
            "claimed_by_user_id": DOROTHY,
            "claimed_at": "2018-01-16T09:09:09.000Z",
            "claimed_via": "Auto",
        },
        {
            "id": 2,
            "contact_id": 2,
            "source_id": WEBSITE,
            "zipcode": "10504",
            "text_body": "Is this house still for sale? I can come on Saturday.\nPlease call me after 5 pm.",
            "listing_price": 450_000,
            "mls_id": "ML1000002",
            "listing_status": "For Sale",
            "street_address": "12 Maple Avenue",
            "city": "Armonk",
            "state": "NY",
            "language": "en",
            "external_id": "web-2",
        },
        {
            "id": 3,
            "contact_id": 3,
            "source_id": WEBSITE,
            "zipcode": "23681",
            "type": "Buyer",
            "text_body": "We are moving in spring and look for three bedrooms.",
            "city": "Hampton",
            "state": "VA",
            "external_id": "web-3",
        },
        {"id": 4, "contact_id": 4, "source_id": WEBSITE, "type": "Seller", "created_at": soon(-46)},
        {"id": 5, "contact_id": 5, "source_id": OPEN_HOUSE},
        {"id": 6, "contact_id": 6, "source_id": WEBSITE, "zipcode": "99501", "type": "Buyer"},
        {"id": 7, "contact_id": 7},
        {
            "id": 10,
            "contact_id": 8,
            "source_id": WEBSITE,
            "created_at": soon(-3),
            "type": "Buyer",
            "text_body": "Could we see the house this week? We have sold ours.",
            "listing_price": 389_000,
            "street_address": "7 Orchard Street",
            "city": "Yorktown Heights",
            "state": "NY",
            "zipcode": "10598",
            "external_id": "web-10",
        },
        *(
            {
                "id": number,
                "contact_id": contact,
                "distribution_target": "Team Rollout",
                "team_selection_method": "Specific Team",
                "team_id": HAMPTON,
            }
            for number, contact in ((8, 3), (9, 1))
        ),
    ],
    "lead_offers": [
        offer(1, 1, DOROTHY, "2018-01-16T09:09:09.000Z", rank=3),
        offer(2, 1, ANNIE, "2018-01-16T08:09:09.000Z", rank=1),
        offer(3, 1, GLADYS, "2018-01-16T08:39:09.000Z", rank=2),
        offer(4, 4, ANNIE, soon(-45), rank=1),
        offer(5, 4, MELBA, soon(-45), rank=1),
        offer(6, 4, GLADYS, soon(-15), rank=2),
        offer(7, 4, DOROTHY, soon(15), rank=3),
        offer(8, 4, KATHERINE, soon(45)),
        offer(9, 10, ANNIE, soon(-2), rank=1),
        offer(10, 10, MELBA, soon(-2), rank=1),
        offer(11, 10, GLADYS, soon(28), rank=2),
    ],
}

print(json.dumps(DATA, indent=1, ensure_ascii=False))
