"""Whether a submit of a lead would succeed, as an expression over its row, and how its first team is chosen.

`submit_lead_offers` (app/commands/submit.py) reports the first error that applies. It needs the planner; whether there
is an error does not, because the order and the times of offers do not matter. Both use the same choice of the team, the
same chain, caps and access rules, and tests/commands/test_submittable.py compares them.
"""

from itertools import pairwise
from typing import Any

from sqlalchemy import ColumnElement, and_, case, exists, func, or_, select
from sqlalchemy.orm import aliased
from sqlmodel import col

from app.access import visibility
from app.access.field_access import is_in_line
from app.commands.candidates import has_got
from app.commands.chains import has_gone_on
from app.commands.offer_standing import IS_OPEN
from app.db.day_starts import day_start_in
from app.db.models import DistributionOption, Lead, LeadOffer, Team, TeamZipcode, User
from app.domain.bounds import LONGEST_CHAIN
from app.domain.enums import DistributionTarget, LeadOfferStatus, TeamSelectionMethod


def named_team(teams: Any, creator_id: Any, team_id: Any) -> Any:
    """Restrict a select of teams to the one that a lead of this creator names, if leads can be distributed to it."""
    return teams.where(visibility.usable_teams(creator_id), col(Team.id) == team_id)


def team_with_zipcode(teams: Any, creator_id: Any, zipcode: Any) -> Any:
    """Restrict a select of teams to the creator's oldest one with the zipcode."""
    return (
        teams.join(TeamZipcode, col(TeamZipcode.team_id) == col(Team.id))
        .where(visibility.usable_teams(creator_id), col(TeamZipcode.zipcode) == zipcode)
        .order_by(col(Team.created_at), col(Team.id))
        .limit(1)
    )


def submit_succeeds(lead: Any, viewer_id: visibility.IdValue, now: visibility.Moment) -> ColumnElement[bool]:
    """Return whether the viewer's submit of the lead would succeed now. `lead` has the columns of its row."""
    team_id = _first_team_id(lead)
    has_option = exists(
        select(1).where(col(DistributionOption.team_id) == team_id).correlate_except(DistributionOption)
    )
    has_open_offer = exists(
        select(1).where(col(LeadOffer.lead_id) == lead.id, IS_OPEN).correlate_except(LeadOffer),
    )
    return and_(
        lead.creator_id == viewer_id,
        lead.distribution_target == DistributionTarget.TEAM_ROLLOUT,
        lead.claimed_by_id.is_(None),
        # With an open offer, a submit that makes no further ones succeeds as well, and asks the first team alone.
        case(
            (has_open_offer, or_(has_option, has_gone_on(lead, team_id))),
            else_=_has_eligible_member(lead, team_id, now),
        ),
    )


def _first_team_id(lead: Any) -> ColumnElement[int | None]:
    """Return the id of the team that a submit asks first; null if there is none."""
    named = named_team(select(Team.id), lead.creator_id, lead.team_id).correlate_except(Team)  # type: ignore[call-overload]
    with_zipcode = team_with_zipcode(select(Team.id), lead.creator_id, lead.zipcode)  # type: ignore[call-overload]
    return case(
        (
            lead.team_selection_method == TeamSelectionMethod.ZIPCODE,
            with_zipcode.correlate_except(Team, TeamZipcode).scalar_subquery(),
        ),
        else_=named.scalar_subquery(),
    )


def _has_eligible_member(lead: Any, team_id: ColumnElement[Any], now: visibility.Moment) -> ColumnElement[bool]:
    """Return whether the team or one that follows it has somebody to plan, for a lead without an open offer.

    As in the planner, a limit of members leaves room for the first tier, and a cap does not keep a contact from their
    agent. A chain that leads back to itself has no further teams.
    """
    chain = [aliased(Team) for _ in range(LONGEST_CHAIN)]
    option, user = aliased(DistributionOption), aliased(User)
    statement: Any = select(1).select_from(chain[0])
    for team, following in pairwise(chain):
        is_next = and_(col(following.id) == col(team.next_team_id), visibility.is_live(following))
        statement = statement.outerjoin(following, is_next)
    return exists(
        statement.join(option, col(option.team_id).in_([col(team.id) for team in chain]))
        .join(user, col(user.id) == col(option.user_id))
        .where(
            col(chain[0].id) == team_id,
            is_in_line(option),
            or_(col(user.away_until).is_(None), col(user.away_until) <= now),
            ~_is_offered(lead, option),
            or_(
                col(option.max_leads_per_day).is_(None),
                _holds_lead_of_contact(lead, option),
                _leads_today(option, user, now) < col(option.max_leads_per_day),
            ),
        )
        .correlate_except(*chain, option, user)
    )


def _is_offered(lead: Any, option: Any) -> ColumnElement[bool]:
    return exists(
        select(1)
        .where(
            col(LeadOffer.lead_id) == lead.id,
            col(LeadOffer.user_id) == option.user_id,
            col(LeadOffer.status) != LeadOfferStatus.CANCELLED,
        )
        .correlate_except(LeadOffer)
    )


def _holds_lead_of_contact(lead: Any, option: Any) -> ColumnElement[bool]:
    """The team keeps contacts, and the option's user holds another lead of the contact."""
    team, other = aliased(Team), aliased(Lead)
    return exists(
        select(1)
        .where(
            col(team.id) == option.team_id,
            col(team.keeps_contacts),
            col(other.contact_id) == lead.contact_id,
            col(other.id) != lead.id,
            col(other.claimed_by_id) == option.user_id,
        )
        .correlate_except(team, other)
    )


def _leads_today(option: Any, user: Any, now: visibility.Moment) -> ColumnElement[int]:
    today = day_start_in(user.timezone, now)
    got = select(func.count()).where(has_got(option.user_id, today, option.team_id))
    return got.correlate_except(Lead, LeadOffer).scalar_subquery()
