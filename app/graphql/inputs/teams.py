"""Inputs of mutations that write teams and distribution options."""

import strawberry

from app.domain.bounds import (
    HEAVIEST_WEIGHT,
    HIGHEST_RANK,
    LONGEST_CHAIN,
    LONGEST_TEXT,
    MOST_LEADS_PER_DAY,
    MOST_MEMBERS_PER_LEAD,
    MOST_ZIPCODES,
    YEAR_IN_MINUTES,
)
from app.graphql.enums import OrderMethod
from app.graphql.inputs.fields import NOT_NULL, PATCH, defaulted, optional, required

ZIPCODES = (
    f"US ZIP codes, each as ddddd or ddddd-dddd; only the first five digits are stored. At most {MOST_ZIPCODES:,}."
)
GAP = (
    f"Minutes between the offers to one rank and to the next, or from one turn to the next, from 0 to "
    f"{YEAR_IN_MINUTES:,} (one year). Must be 0 if orderMethod is TIME."
)
LIMIT = (
    f"Number of members to whom a lead is offered at a time, from 1 to {MOST_MEMBERS_PER_LEAD}. Members of equal rank, "
    "or of equal minutes by time, are offered it together, even if that exceeds the number. Null: all members."
)
KEEPS_CONTACTS = "Whether the member who holds another lead of the same contact is offered a lead before the others."
NEXT_TEAM = (
    "Id of another team that you created, to which a lead goes on that nobody here claims. Needs minsUntilNextTeam. "
    f"A chain has at most {LONGEST_CHAIN} teams and must not lead back to a team in it. Null: no next team."
)
NEXT_TEAM_AFTER = (
    f"Minutes from the last offer until an unclaimed lead goes on to the next team, from 0 to {YEAR_IN_MINUTES:,} (one "
    "year). Needs nextTeamId, and is null without it."
)

RANK = f"Rank from 0 to {HIGHEST_RANK:,}. Lower ranks are offered leads first, and equal ranks at the same time."
ONLY_BY_RANK = "Has no effect unless the team's orderMethod is RANK."
MINUTES = (
    f"Minutes from the submit until the member is offered a lead, from 0 to {YEAR_IN_MINUTES:,} (one year). Must be 0 "
    "unless the team's orderMethod is TIME."
)
AUTOMATICALLY = "Whether the lead, if still unclaimed, is assigned to the member when their offer is due."
CALL_ALERT = "Whether to notify the member by a phone call."
TEXT_ALERT = "Whether to notify the member by text message."
EMAIL_ALERT = "Whether to notify the member by e-mail."
WEIGHT = (
    f"The member's share of the turns, from 1 to {HEAVIEST_WEIGHT}: a member of weight 2 gets twice as many turns as "
    "one of weight 1. Has no effect unless the team's orderMethod is ROUND_ROBIN."
)
CAP = (
    f"Number of leads, from 0 to {MOST_LEADS_PER_DAY:,}, that the member can get by offers of this team on one day in "
    "their time zone. Once it is reached, a submit skips the member until the next day."
)


@strawberry.input(description="A new team. A field that is left out or null takes its default.")
class CreateTeamInput:
    name: str = required(f"Name of the team, 1 to {LONGEST_TEXT} characters.")
    order_method: OrderMethod | None = defaulted(OrderMethod.RANK, "Order in which members are offered a lead.")
    mins_until_next_alert: int | None = defaulted(0, GAP)
    distribution_zipcodes: list[str] | None = strawberry.field(
        default_factory=list, description=f"{ZIPCODES} Leads with one of them can be distributed to this team."
    )
    members_per_lead: int | None = optional(LIMIT)
    keeps_contacts: bool | None = defaulted(False, KEEPS_CONTACTS)
    next_team_id: strawberry.ID | None = optional(NEXT_TEAM)
    mins_until_next_team: int | None = optional(NEXT_TEAM_AFTER)


@strawberry.input(
    description=f"Changes to a team. {PATCH} Changing orderMethod to RANK or ROUND_ROBIN sets minsUntilLeadOffer of "
    "all members to 0; changing it to TIME sets the team's minsUntilNextAlert to 0."
)
class UpdateTeamInput:
    name: str | None = optional(f"New name, 1 to {LONGEST_TEXT} characters. {NOT_NULL}")
    order_method: OrderMethod | None = optional(f"New order in which members are offered a lead. {NOT_NULL}")
    mins_until_next_alert: int | None = optional(f"{GAP} {NOT_NULL}")
    distribution_zipcodes: list[str] | None = optional(f"Replaces the whole list. {ZIPCODES} {NOT_NULL}")
    members_per_lead: int | None = optional(LIMIT)
    keeps_contacts: bool | None = optional(f"{KEEPS_CONTACTS} {NOT_NULL}")
    next_team_id: strawberry.ID | None = optional(NEXT_TEAM)
    mins_until_next_team: int | None = optional(NEXT_TEAM_AFTER)


@strawberry.input(
    description="How a team offers leads to a member, or to its creator. The input replaces the whole option: a field "
    "that is left out or null takes its default, not its previous value."
)
class DistributionOptionInput:
    team_id: strawberry.ID = required("Id of a team that you created.")
    user_id: strawberry.ID = required("Id of a member of the team, whatever their status, or of its creator.")
    rank: int | None = optional(f"{RANK} Members without a rank (null, the default) come last. {ONLY_BY_RANK}")
    mins_until_lead_offer: int | None = defaulted(0, MINUTES)
    assign_automatically: bool | None = defaulted(False, AUTOMATICALLY)
    has_call_alert: bool | None = defaulted(False, CALL_ALERT)
    has_text_alert: bool | None = defaulted(False, TEXT_ALERT)
    has_email_alert: bool | None = defaulted(True, EMAIL_ALERT)
    weight: int | None = defaulted(1, WEIGHT)
    max_leads_per_day: int | None = optional(f"{CAP} Null (the default): any number.")


@strawberry.input(description=f"Changes to a distribution option. {PATCH}")
class UpdateDistributionOptionInput:
    rank: int | None = optional(f"{RANK} Members without a rank (null) come last. {ONLY_BY_RANK}")
    mins_until_lead_offer: int | None = optional(f"{MINUTES} {NOT_NULL}")
    assign_automatically: bool | None = optional(f"{AUTOMATICALLY} {NOT_NULL}")
    has_call_alert: bool | None = optional(f"{CALL_ALERT} {NOT_NULL}")
    has_text_alert: bool | None = optional(f"{TEXT_ALERT} {NOT_NULL}")
    has_email_alert: bool | None = optional(f"{EMAIL_ALERT} {NOT_NULL}")
    weight: int | None = optional(f"{WEIGHT} {NOT_NULL}")
    max_leads_per_day: int | None = optional(f"{CAP} Null: any number.")
