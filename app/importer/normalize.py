"""What the REST API leaves unsaid, row by row: defaults from other rows, and what this server states more strictly.

The rules are those of imports; each function fills in a row's values and says whether the row is to be kept.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.domain.enums import (
    ClaimedVia,
    DistributionTarget,
    EndReason,
    LeadOfferStatus,
    OrderMethod,
    TeamSelectionMethod,
)
from app.domain.phones import parse_phone
from app.domain.validation import fold
from app.importer.parse import Row
from app.importer.report import Findings

RouteKey = tuple[int | None, int | None, str]
"""Creator, source and type of a route."""

TARGET = ("distribution_target", "team_selection_method", "team_id")


@dataclass(frozen=True, slots=True)
class Context:
    known: Mapping[str, Mapping[int, Mapping[str, Any]]]
    """By list and id, the rows of the file and those of the database that it names; the database's stand."""
    routes: dict[RouteKey, Mapping[str, Any]]
    """Of the database, joined by those of the file as they are completed."""
    now: datetime
    findings: Findings

    def fact(self, name: str, number: int | None, column: str) -> Any:
        """A column of a row that another names; None if there is no such row, which is noted elsewhere."""
        return self.known[name].get(number, {}).get(column) if number is not None else None

    def adjust(self, row: Row, column: str, value: Any, change: str) -> None:
        """Gives the column this value and reports it, if that changes anything."""
        if row.values[column] != value:
            row.values[column] = value
            self.findings.adjusted[row.where.partition("[")[0], change] += 1


def user(row: Row, context: Context) -> bool:
    _write_in_full(row, "phone", context)
    return True


def contact(row: Row, context: Context) -> bool:
    _write_in_full(row, "mobile_phone", context)
    return True


def team(row: Row, context: Context) -> bool:
    row.values["created_at"] = row.values["created_at"] or context.now
    if row.values["order_method"] is OrderMethod.TIME:
        context.adjust(row, "mins_until_next_alert", 0, "by time: mins_until_next_alert set to 0")
    return True


def member(row: Row, context: Context) -> bool:
    own = context.fact("teams", row.values["team_id"], "creator_id")
    if own is not None and own == row.values["user_id"]:
        context.findings.adjusted["team_members", "of a team's own creator left out: they need no membership"] += 1
        return False
    return True


def option(row: Row, context: Context) -> bool:
    if context.fact("teams", row.values["team_id"], "order_method") is OrderMethod.RANK:
        context.adjust(row, "mins_until_lead_offer", 0, "of a team by rank: mins_until_lead_offer set to 0")
    return True


def source(row: Row, _context: Context) -> bool:
    row.values["name_key"] = fold(row.values["name"])
    return True


def route(row: Row, context: Context) -> bool:
    values = row.values
    if values["creator_id"] is None:
        values["creator_id"] = context.fact("teams", values["team_id"], "creator_id") or context.fact(
            "lead_sources", values["lead_source_id"], "creator_id"
        )
    if values["creator_id"] is None:
        context.findings.mistake(f"{row.where}.creator_id", "is missing, and no team or source says whose route it is")
    values["lead_type_key"] = fold(values["lead_type"])
    _straighten_target(row, context)
    context.routes[values["creator_id"], values["lead_source_id"], values["lead_type_key"]] = values
    return True


def lead(row: Row, context: Context) -> bool:
    values = row.values
    values["creator_id"] = values["creator_id"] or context.fact("contacts", values["contact_id"], "owner_id")
    values["created_at"] = values["created_at"] or context.now
    if values["distribution_target"] is None:
        _take_target(row, context)
    _straighten_target(row, context)
    if values["claimed_by_id"] is not None:
        values["claimed_via"] = values["claimed_via"] or ClaimedVia.APP
    else:
        values["claimed_via"] = None  # "None", which the REST API answers of every lead that nobody has
        context.adjust(row, "claimed_at", None, "that nobody has: claimed_at left out")
    return True


def offer(row: Row, context: Context) -> bool:
    values = row.values
    values["offered_by_id"] = context.fact("teams", values["team_id"], "creator_id") or context.fact(
        "leads", values["lead_id"], "creator_id"
    )
    ahead = values["notify_at"] is not None and values["notify_at"] > context.now
    holder = context.fact("leads", values["lead_id"], "claimed_by_id")
    values["status"], values["end_reason"] = _status(values["user_id"], holder, ahead=ahead)
    return True


COMPLETE: Mapping[str, Callable[[Row, Context], bool]] = {
    "users": user,
    "contacts": contact,
    "teams": team,
    "team_members": member,
    "team_member_distribution_options": option,
    "lead_sources": source,
    "lead_routes": route,
    "leads": lead,
    "lead_offers": offer,
}


def _write_in_full(row: Row, column: str, context: Context) -> None:
    """A phone number in E.164. What is none is kept as it stands and reported: people are not lost for a digit."""
    if row.values[column] is None:
        return
    try:
        row.values[column] = parse_phone(row.values[column])
    except ValueError:
        name = row.where.partition("[")[0]
        context.findings.adjusted[name, f"with a {column} that is no phone number: kept as it stands"] += 1


def _take_target(row: Row, context: Context) -> None:
    """From the route of the lead's source and type, else from the one for all types, else it is its creator's alone."""
    values = row.values
    for column in ("team_selection_method", "team_id"):
        if values[column] is not None:
            context.findings.mistake(f"{row.where}.{column}", "stands without a distribution_target", values[column])
    routes = (
        context.routes.get((values["creator_id"], values["source_id"], key)) for key in (fold(values["type"]), "")
    )
    found = next(filter(None, routes), {"distribution_target": DistributionTarget.MYSELF})
    values.update({column: found.get(column) for column in TARGET})


def _straighten_target(row: Row, context: Context) -> None:
    if row.values["distribution_target"] is DistributionTarget.MYSELF:
        context.adjust(row, "team_selection_method", None, "for Myself: team_selection_method left out")
        context.adjust(row, "team_id", None, "for Myself: team_id left out")
    if row.values["team_selection_method"] is TeamSelectionMethod.ZIPCODE:
        context.adjust(row, "team_id", None, "by Zipcode: team_id left out")


def _status(user: int | None, holder: int | None, *, ahead: bool) -> tuple[LeadOfferStatus, EndReason | None]:
    if ahead and user is None:
        return LeadOfferStatus.CANCELLED, EndReason.IMPORTED
    if holder is None:
        return (LeadOfferStatus.SCHEDULED if ahead else LeadOfferStatus.SENT), None
    if user == holder:
        return LeadOfferStatus.CLAIMED, None
    return (LeadOfferStatus.CANCELLED if ahead else LeadOfferStatus.EXPIRED), EndReason.CLAIMED
