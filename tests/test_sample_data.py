"""Sample data follows the rules of the server, and is the same each time."""

from collections import Counter, defaultdict
from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import select
from sqlmodel import SQLModel
from typer.testing import CliRunner

from app import cli
from app.commands.leads import RULES
from app.commands.outbox import count_silent_offers
from app.db.engine import Database, connect
from app.domain.alert_channels import Alerts
from app.domain.enums import (
    OPEN_STATUSES,
    ClaimedVia,
    ClaimEnd,
    DeliveryStatus,
    LeadOfferStatus,
    OrderMethod,
    RequestStatus,
)
from app.domain.planner import Candidate, Option, PlannedOffer, RolloutSettings, plan
from app.domain.turns import MemberTurns
from app.domain.validation import checking
from app.errors import ApiError, Code
from app.sample_data import ANCHOR, Size, fill
from tests.support.databases import Clone
from tests.support.world import World

SIZE = Size(teams=4, members=4, leads=120)

Tables = dict[str, list[Any]]


async def everything(database: Database) -> Tables:
    async with database.read_engine.connect() as connection:
        return {
            table.name: list(await connection.execute(select(table).order_by(*table.primary_key)))
            for table in SQLModel.metadata.sorted_tables
        }


@pytest.fixture
async def tables(database: Database) -> Tables:
    await fill(database, SIZE)
    return await everything(database)


def test_counts(tables: Tables) -> None:
    counts = {name: len(rows) for name, rows in tables.items() if rows}
    assert counts == {
        "users": 4 + 4 * 4,
        "teams": 4,
        "team_zipcodes": 4 * 5,
        "team_members": 4 * 4,
        "distribution_options": 4 * 4,
        "turns": 4,
        "contacts": 120,
        "lead_sources": 4 * 3,
        "lead_routes": 4 * 3,
        "leads": 120,
        "lead_rollouts": 120,
        "lead_offers": 120 * 4,
        "claims": len(tables["claims"]),
        "deliveries": len(tables["deliveries"]),
        "rollout_offers": 120 * 4,
    }
    assert {offer.status for offer in tables["lead_offers"]} == set(LeadOfferStatus)


def test_a_claimed_lead_has_one_claimed_offer_and_none_open(tables: Tables) -> None:
    statuses: dict[int, Counter[LeadOfferStatus]] = defaultdict(Counter)
    for offer in tables["lead_offers"]:
        statuses[offer.lead_id][offer.status] += 1
    holder = {
        offer.lead_id: offer.user_id for offer in tables["lead_offers"] if offer.status is LeadOfferStatus.CLAIMED
    }
    for lead in tables["leads"]:
        found = statuses[lead.id]
        assert holder.get(lead.id) == lead.claimed_by_id
        if lead.claimed_by_id is None:
            assert (
                not found[LeadOfferStatus.CLAIMED] + found[LeadOfferStatus.EXPIRED] + found[LeadOfferStatus.CANCELLED]
            )
            assert (lead.claimed_at, lead.claimed_via) == (None, None)
            assert any(found[status] for status in OPEN_STATUSES)
        else:
            assert found[LeadOfferStatus.CLAIMED] == 1
            assert not any(found[status] for status in OPEN_STATUSES)
            assert lead.claimed_at > lead.created_at
            assert lead.claimed_via is not None


def test_the_status_fits_the_time(tables: Tables) -> None:
    claimed_at = {lead.id: lead.claimed_at for lead in tables["leads"]}
    moments = [offer.notify_at for offer in tables["lead_offers"]]
    assert len(set(moments)) == len(moments)
    for offer in tables["lead_offers"]:
        seen = claimed_at[offer.lead_id] or ANCHOR
        ahead = offer.notify_at > seen
        assert ahead == (offer.status in (LeadOfferStatus.SCHEDULED, LeadOfferStatus.CANCELLED))
        assert seen <= ANCHOR


def test_offers_equal_those_of_a_submit(tables: Tables) -> None:
    users = {user.id: user for user in tables["users"]}
    teams = {team.id: team for team in tables["teams"]}
    members = {(row.team_id, row.user_id): row.request_status for row in tables["team_members"]}
    offers = {offer.id: offer for offer in tables["lead_offers"]}
    made = defaultdict(list)
    for row in tables["rollout_offers"]:
        made[row.rollout_id].append(offers[row.offer_id])
    turns: dict[int, dict[int, MemberTurns]] = defaultdict(dict)
    turn_marks: Counter[int] = Counter()
    for rollout in tables["lead_rollouts"]:
        team = teams[rollout.team_id]
        options = {row.user_id: row for row in tables["distribution_options"] if row.team_id == team.id}
        candidates = [
            _candidate(users[number], members[team.id, number], row, turns[team.id].get(number))
            for number, row in options.items()
        ]
        mark = turn_marks[team.id]
        settings = RolloutSettings(team.order_method, team.mins_until_next_alert, turn_mark=mark)
        planned = plan(candidates, [], settings, rollout.submitted_at)
        assert rollout.turn_user_id == planned.turn_user_id
        if planned.turn is not None:
            turn_marks[team.id] = planned.turn.team_mark
            turns[team.id][planned.turn.user_id] = planned.turn.member_turns
        offers_made = [
            PlannedOffer(row.user_id, row.notify_at, row.rank, row.assign_automatically, _alerts(row))
            for row in made[rollout.id]
        ]
        assert offers_made == [*planned.offers]
        assert {offer.offered_by_id for offer in made[rollout.id]} == {team.creator_id}
    assert {team.id: team.turn_mark for team in teams.values()} == {number: turn_marks[number] for number in teams}
    found: dict[int, dict[int, MemberTurns]] = defaultdict(dict)
    for row in tables["turns"]:
        found[row.team_id][row.user_id] = MemberTurns(row.mark, row.taken, row.last_taken_at)
    assert found == {number: used for number, used in turns.items() if used}


def test_the_last_deliveries_of_an_offer_fit_its_status(tables: Tables) -> None:
    claimed_at = {lead.id: lead.claimed_at for lead in tables["leads"]}
    deliveries = _deliveries_by_offer(tables)
    for offer in tables["lead_offers"]:
        count = len(_alerts(offer).channels)
        assert sorted(each.channel for each in deliveries[offer.id][-count:]) == sorted(_alerts(offer).channels)
        for each in deliveries[offer.id][-count:]:
            if offer.status is LeadOfferStatus.SCHEDULED:
                told = (DeliveryStatus.PENDING, 0, offer.notify_at, None)
            elif offer.status is LeadOfferStatus.CANCELLED or each.status is DeliveryStatus.CANCELLED:
                told = (DeliveryStatus.CANCELLED, 0, None, None)
            else:
                told = (DeliveryStatus.SENT, 1, None, each.sent_at)
                assert offer.notify_at <= each.sent_at <= ANCHOR
                if claimed_at[offer.lead_id] != offer.notify_at:
                    assert each.sent_at <= (claimed_at[offer.lead_id] or ANCHOR)
            assert (each.status, each.attempts, each.next_attempt_at, each.sent_at) == told
    assert {each.status for each in tables["deliveries"]} == {
        DeliveryStatus.PENDING,
        DeliveryStatus.CANCELLED,
        DeliveryStatus.SENT,
    }


def test_users_are_notified_again_after_a_release(tables: Tables) -> None:
    released = {claim.lead_id: claim for claim in tables["claims"] if claim.ended_at is not None}
    deliveries = _deliveries_by_offer(tables)
    again = 0
    for offer in tables["lead_offers"]:
        claim = released.get(offer.lead_id)
        own = claim is not None and claim.offer_id == offer.id
        is_reopened = claim is not None and not own and offer.status is not LeadOfferStatus.DECLINED
        if claim is None or own:
            assert len(deliveries[offer.id]) == len(_alerts(offer).channels)
        elif is_reopened:
            again += 1
            assert len(deliveries[offer.id]) == 2 * len(_alerts(offer).channels)
            was_due = offer.notify_at < claim.claimed_at
            before = DeliveryStatus.SENT if was_due else DeliveryStatus.CANCELLED
            assert deliveries[offer.id][0].status is before
    assert again > 0


def test_the_ledger_agrees_with_the_leads(tables: Tables) -> None:
    offers = {offer.id: offer for offer in tables["lead_offers"]}
    leads = {lead.id: lead for lead in tables["leads"]}
    claims = defaultdict(list)
    for claim in tables["claims"]:
        claims[claim.lead_id].append(claim)
        offer = offers[claim.offer_id]
        assert (offer.lead_id, offer.user_id, offer.team_id) == (claim.lead_id, claim.user_id, claim.team_id)
        assert offer.notify_at <= claim.claimed_at <= (claim.ended_at or ANCHOR) <= ANCHOR
        assert (claim.via is ClaimedVia.AUTO) == offer.assign_automatically
        ended = (ClaimEnd.RELEASED, LeadOfferStatus.DECLINED) if claim.ended_at else (None, LeadOfferStatus.CLAIMED)
        assert (claim.end_reason, offer.status) == ended
    for lead in leads.values():
        its = claims[lead.id]
        held = [(claim.user_id, claim.claimed_at, claim.via) for claim in its if claim.ended_at is None]
        assert held == ([(lead.claimed_by_id, lead.claimed_at, lead.claimed_via)] if lead.claimed_by_id else [])
        assert lead.first_claimed_at == (its[0].claimed_at if its else None)
        assert all(earlier.ended_at <= later.claimed_at for earlier, later in pairwise(its))


async def test_figures_have_something_to_show(database: Database) -> None:
    """Members of every team have claimed, declined and released leads, and some leads were claimed again."""
    size = Size(teams=4, members=4, leads=1_000)
    await fill(database, size)
    tables = await everything(database)
    for number in range(1, size.teams + 1):
        claims = [claim for claim in tables["claims"] if claim.team_id == number]
        declined = {
            offer.user_id
            for offer in tables["lead_offers"]
            if offer.team_id == number and offer.status is LeadOfferStatus.DECLINED
        }
        assert len({claim.user_id for claim in claims}) == size.members
        assert len({claim.user_id for claim in claims if claim.ended_at is not None}) > 1
        assert len(declined) > 1
        assert {claim.via for claim in claims} >= {ClaimedVia.APP, ClaimedVia.EMAIL, ClaimedVia.TEXT, ClaimedVia.PHONE}
    again = Counter(claim.lead_id for claim in tables["claims"])
    assert {*again.values()} == {1, 2}
    months = Counter(claim.claimed_at.month for claim in tables["claims"])
    assert len(months) == 12


async def test_nobody_misses_a_scheduled_offer(database: Database, tables: Tables) -> None:
    async with database.read() as session:
        assert (await session.exec(count_silent_offers())).one() == 0


def _deliveries_by_offer(tables: Tables) -> dict[int, list[Any]]:
    deliveries: dict[int, list[Any]] = defaultdict(list)
    for delivery in tables["deliveries"]:
        deliveries[delivery.offer_id].append(delivery)
    return deliveries


def _candidate(user: Any, status: RequestStatus, row: Any, turns: MemberTurns | None) -> Candidate:
    option = Option(row.rank, row.mins_until_lead_offer, row.assign_automatically, _alerts(row))
    return Candidate(user.id, status, False, user.is_active, user.away_until, option, turns)


def _alerts(row: Any) -> Alerts:
    return Alerts(row.has_call_alert, row.has_text_alert, row.has_email_alert)


def test_everything_of_a_team_belongs_to_its_leader(tables: Tables) -> None:
    teams = {team.id: team for team in tables["teams"]}
    assert {team.order_method for team in teams.values()} == set(OrderMethod)
    contacts = {contact.id: contact.owner_id for contact in tables["contacts"]}
    zipcodes = {row.zipcode: row.team_id for row in tables["team_zipcodes"]}
    assert len(zipcodes) == len(tables["team_zipcodes"])
    rollouts = {rollout.lead_id: rollout for rollout in tables["lead_rollouts"]}
    for lead in tables["leads"]:
        team = teams[rollouts[lead.id].team_id]
        assert lead.creator_id == team.creator_id == contacts[lead.contact_id]
        assert lead.team_id in (None, team.id)
        assert zipcodes[lead.zipcode] == team.id


def test_leads_of_the_website_say_what_was_asked(tables: Tables) -> None:
    names = {source.id: source.name for source in tables["lead_sources"]}
    leads: dict[str, list[Any]] = defaultdict(list)
    for lead in tables["leads"]:
        leads[names[lead.source_id]].append(lead)
    for lead in leads["Website"]:
        fields = (lead.message, lead.listing_price, lead.mls_id, lead.street_address, lead.city, lead.external_id)
        assert None not in fields
    assert len({lead.external_id for lead in leads["Website"]}) == len(leads["Website"])
    assert {lead.language for lead in leads["Website"]} == {"en", "es"}
    assert {(lead.message, lead.city is None) for lead in leads["Open house"]} == {(None, False)}
    assert {(lead.message, lead.city, lead.listing_price) for lead in leads["Referral"]} == {(None, None, None)}
    for lead in tables["leads"]:
        said = {name: getattr(lead, name) for name in RULES}
        with checking() as check:
            assert check.each(RULES, said) == said, "as the API would store it"


async def test_the_same_each_time(clone: Clone, tables: Tables) -> None:
    async with clone() as url:
        another = connect(url)
        await fill(another, SIZE)
        assert await everything(another) == tables
        await another.close()


async def test_a_database_with_users_is_refused(database: Database, world: World) -> None:
    await world.user()
    with pytest.raises(ApiError, match="not empty") as refused:
        await fill(database, SIZE)
    assert refused.value.code is Code.CONFLICT


async def test_new_rows_get_the_next_ids(database: Database, world: World, tables: Tables) -> None:
    assert (await world.user()).id == len(tables["users"]) + 1
    lead = await world.lead(tables["users"][0])
    assert lead.id == len(tables["leads"]) + 1


async def test_teams_and_leads_may_be_few(database: Database) -> None:
    steps: list[int] = []
    await fill(database, Size(teams=1, members=1, leads=1), steps.append)
    assert steps == [1]
    (offer,) = (await everything(database))["lead_offers"]
    assert offer.notify_at <= ANCHOR


def test_the_command(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEAD_OFFERS_DATABASE_URL", database_url)
    arguments = ["sample", "--teams", "2", "--members", "3", "--leads", "10"]
    result = CliRunner().invoke(cli.app, arguments)
    assert (result.exit_code, result.stdout) == (0, "2 teams, 8 users, 10 leads, 30 offers\n")
    result = CliRunner().invoke(cli.app, arguments)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "The database is not empty. Sample data goes into an empty database only.\n"
