"""Filters of lists: one condition per field, and `and`, `or` and `not` to combine them.

`parse_where` translates a filter to that of `app.lists`.
"""

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import strawberry
from strawberry import UNSET
from strawberry.utils.str_converters import to_camel_case

from app.domain.identifiers import parse_id
from app.errors import Problem
from app.graphql.inputs.fields import optional
from app.graphql.inputs.filters import (
    BooleanFilter,
    DateTimeFilter,
    DistributionTargetFilter,
    IDFilter,
    IntFilter,
    LeadOfferStatusFilter,
    RequestStatusFilter,
    StringFilter,
)
from app.lists.filters import (
    LISTS,
    NO_MATCH,
    RANGES,
    AllOf,
    AnyOf,
    Condition,
    FlagCondition,
    Negation,
    Operator,
    RelatedCondition,
    Where,
)

COMBINED = "A row must match every field that is given; a field that is left out or null matches all rows."


def _and() -> Any:
    return strawberry.field(
        name="and", default=UNSET, description="Matches rows that match every filter in this list; if empty, all rows."
    )


def _or() -> Any:
    return strawberry.field(
        name="or",
        default=UNSET,
        description="Matches rows that match at least one filter in this list; if empty, no rows.",
    )


def _not() -> Any:
    return strawberry.field(
        name="not", default=UNSET, description="Matches exactly the rows that do not match this filter."
    )


@strawberry.input(description=f"Filters lead offers. {COMBINED}")
class LeadOfferWhere:
    id: IDFilter | None = optional("Condition on the offer's id.")
    lead_id: IDFilter | None = optional("Condition on the id of the offered lead.")
    user_id: IDFilter | None = optional("Condition on the id of the user to whom the lead is offered.")
    team_id: IDFilter | None = optional("Condition on the id of the team whose rollout made the offer.")
    notify_at: DateTimeFilter | None = optional("Condition on the time at which the user is notified.")
    rank: IntFilter | None = optional("Condition on the user's rank when the offer was made.")
    assign_automatically: BooleanFilter | None = optional(
        "Condition on whether the lead is assigned automatically when the offer is due."
    )
    has_call_alert: BooleanFilter | None = optional("Condition on whether the user is notified by a phone call.")
    has_text_alert: BooleanFilter | None = optional("Condition on whether the user is notified by text message.")
    has_email_alert: BooleanFilter | None = optional("Condition on whether the user is notified by e-mail.")
    status: LeadOfferStatusFilter | None = optional("Condition on the offer's status.")
    mine: bool | None = optional("Whether the offer was made to you.")
    and_: list["LeadOfferWhere"] | None = _and()
    or_: list["LeadOfferWhere"] | None = _or()
    not_: "LeadOfferWhere | None" = _not()


@strawberry.input(description=f"Filters leads. {COMBINED}")
class LeadWhere:
    id: IDFilter | None = optional("Condition on the lead's id.")
    creator_id: IDFilter | None = optional("Condition on the id of the user who created the lead.")
    claimed_by_id: IDFilter | None = optional(
        "Condition on the id of the user who holds the lead; null while nobody holds it."
    )
    team_id: IDFilter | None = optional("Condition on the id of the team that the lead names.")
    zipcode: StringFilter | None = optional("Condition on the lead's five-digit ZIP code.")
    type: StringFilter | None = optional("Condition on the lead's type, for example Buyer.")
    source_id: IDFilter | None = optional("Condition on the id of the source that the lead came from.")
    external_id: StringFilter | None = optional("Condition on the source's own id of the enquiry.")
    city: StringFilter | None = optional("Condition on the city of the listing.")
    listing_price: IntFilter | None = optional("Condition on the price of the listing, in whole units.")
    created_at: DateTimeFilter | None = optional("Condition on the time at which the lead was created.")
    claimed_at: DateTimeFilter | None = optional(
        "Condition on the time at which the lead was claimed; null while nobody holds it."
    )
    claimed: bool | None = optional("Whether somebody holds the lead.")
    submitted: bool | None = optional(
        "Whether the lead was ever offered to a team. Neither true nor false matches leads that others created."
    )
    exhausted: bool | None = optional(
        "Whether you were notified that nobody claimed the lead, and it was neither claimed nor submitted again since. "
        "Neither true nor false matches leads that others created."
    )
    distribution_target: DistributionTargetFilter | None = optional("Condition on the lead's distributionTarget.")
    rollout_team_id: IDFilter | None = optional(
        "The team of the last step. As in rolloutTeam, it is null before a submit, and unless you created the lead."
    )
    contact: "ContactWhere | None" = optional(
        "Filter that the lead's contact must match. An e-mail address or phone number that you cannot see is null."
    )
    source: "LeadSourceWhere | None" = optional(
        "Filter that the lead's source must match. A lead without a source does not match."
    )
    and_: list["LeadWhere"] | None = _and()
    or_: list["LeadWhere"] | None = _or()
    not_: "LeadWhere | None" = _not()


@strawberry.input(description=f"Filters teams. {COMBINED}")
class TeamWhere:
    id: IDFilter | None = optional("Condition on the team's id.")
    name: StringFilter | None = optional("Condition on the team's name.")
    creator_id: IDFilter | None = optional("Condition on the id of the user who created the team.")
    created_at: DateTimeFilter | None = optional("Condition on the time at which the team was created.")
    and_: list["TeamWhere"] | None = _and()
    or_: list["TeamWhere"] | None = _or()
    not_: "TeamWhere | None" = _not()


@strawberry.input(description=f"Filters team members. {COMBINED}")
class TeamMemberWhere:
    id: IDFilter | None = optional("Condition on the membership's id.")
    team_id: IDFilter | None = optional("Condition on the id of the team.")
    user_id: IDFilter | None = optional("Condition on the id of the invited user.")
    request_status: RequestStatusFilter | None = optional("Condition on the status of the invitation.")
    and_: list["TeamMemberWhere"] | None = _and()
    or_: list["TeamMemberWhere"] | None = _or()
    not_: "TeamMemberWhere | None" = _not()


@strawberry.input(description=f"Filters distribution options. {COMBINED}")
class DistributionOptionWhere:
    id: IDFilter | None = optional("Condition on the option's id.")
    user_id: IDFilter | None = optional("Condition on the id of the user to whom the option applies.")
    rank: IntFilter | None = optional("Condition on the user's rank.")
    assign_automatically: BooleanFilter | None = optional(
        "Condition on whether leads are assigned to the user automatically."
    )
    and_: list["DistributionOptionWhere"] | None = _and()
    or_: list["DistributionOptionWhere"] | None = _or()
    not_: "DistributionOptionWhere | None" = _not()


@strawberry.input(description=f"Filters contacts. {COMBINED}")
class ContactWhere:
    id: IDFilter | None = optional("Condition on the contact's id.")
    first_name: StringFilter | None = optional("Condition on the contact's first name.")
    last_name: StringFilter | None = optional("Condition on the contact's last name.")
    email: StringFilter | None = optional("Condition on the contact's e-mail address, without regard to case.")
    mobile_phone: StringFilter | None = optional("Condition on the contact's phone number, in the format +12025550142.")
    and_: list["ContactWhere"] | None = _and()
    or_: list["ContactWhere"] | None = _or()
    not_: "ContactWhere | None" = _not()


@strawberry.input(description=f"Filters lead routes. {COMBINED}")
class LeadRouteWhere:
    id: IDFilter | None = optional("Condition on the route's id.")
    lead_source_id: IDFilter | None = optional("Condition on the id of the route's lead source.")
    team_id: IDFilter | None = optional("Condition on the id of the team that the route names.")
    lead_type: StringFilter | None = optional(
        "Condition on the type of leads that the route serves; null for a route that serves all types."
    )
    and_: list["LeadRouteWhere"] | None = _and()
    or_: list["LeadRouteWhere"] | None = _or()
    not_: "LeadRouteWhere | None" = _not()


@strawberry.input(description=f"Filters lead sources. {COMBINED}")
class LeadSourceWhere:
    id: IDFilter | None = optional("Condition on the source's id.")
    name: StringFilter | None = optional("Condition on the source's name.")
    and_: list["LeadSourceWhere"] | None = _and()
    or_: list["LeadSourceWhere"] | None = _or()
    not_: "LeadSourceWhere | None" = _not()


@strawberry.input(description=f"Filters API keys. {COMBINED}")
class ApiKeyWhere:
    id: IDFilter | None = optional("Condition on the key's id.")
    name: StringFilter | None = optional("Condition on the key's name.")
    revoked_at: DateTimeFilter | None = optional("Condition on the time at which the key was revoked; null if never.")
    and_: list["ApiKeyWhere"] | None = _and()
    or_: list["ApiKeyWhere"] | None = _or()
    not_: "ApiKeyWhere | None" = _not()


RELATED = {"contact", "source"}
"""The fields of filters that are filters of another row."""

Report = Callable[[Problem], None]


def parse_where(where: Any, path: str, report: Report) -> Where:
    """Translate a …Where input; a row must match all of its fields."""
    return AllOf(tuple(_part(name, value, path, report) for name, value in _given(where)))


def _part(name: str, value: Any, path: str, report: Report) -> Where:
    match name:
        case "and_":
            return AllOf(_each(value, f"{path}.and", report))
        case "or_":
            return AnyOf(_each(value, f"{path}.or", report))
        case "not_":
            return Negation(parse_where(value, f"{path}.not", report))
    path = f"{path}.{to_camel_case(name)}"
    if name in RELATED:
        return RelatedCondition(name, parse_where(value, path, report))
    if isinstance(value, bool):
        return FlagCondition(name, value)
    return AllOf(tuple(_conditions(name, value, path, report)))


def _each(wheres: Sequence[Any], path: str, report: Report) -> tuple[Where, ...]:
    return tuple(parse_where(where, f"{path}.{i}", report) for i, where in enumerate(wheres))


def _given(item: Any) -> list[tuple[str, Any]]:
    """Return the fields of an input that are neither left out nor null."""
    if item is None or item is UNSET:
        return []
    pairs = [(field.name, getattr(item, field.name)) for field in dataclasses.fields(item)]
    return [(name, value) for name, value in pairs if value is not UNSET and value is not None]


def _conditions(field: str, operators: Any, path: str, report: Report) -> Iterable[Condition]:
    for attribute in dataclasses.fields(operators):
        value = getattr(operators, attribute.name)
        if value is UNSET:
            continue
        operator = Operator(to_camel_case(attribute.name.rstrip("_")))
        yield Condition(field, operator, _value(operators, operator, value, f"{path}.{operator}", report))


def _value(operators: Any, operator: Operator, value: Any, path: str, report: Report) -> Any:
    if value is None:
        if operator not in (Operator.EQ, Operator.NE):
            report(Problem(path, "must not be null; only eq and ne accept null"))
        return None
    if operator in LISTS:
        return tuple(_scalar(operators, item, operator, f"{path}.{i}", report) for i, item in enumerate(value))
    return _scalar(operators, value, operator, path, report)


def _scalar(operators: Any, value: Any, operator: Operator, path: str, report: Report) -> Any:
    if isinstance(operators, IDFilter):
        number = parse_id(value)
        if number is None and operator in RANGES:
            report(Problem(path, f"must be a whole number from 1 to 2⁶³-1, not {value[:40]!r}"))
        return NO_MATCH if number is None else number
    if isinstance(operators, StringFilter) and "\0" in value:
        report(Problem(path, "must not contain the character NUL"))
    return value
