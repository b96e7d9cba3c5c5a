"""Normalizes imported rows: defaults that depend on other rows, and the stricter rules of this server.

Each function changes a row's values in place. Every change of a value from the file is reported.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from app.domain import offer_states
from app.domain.distribution_targets import TARGET_FIELDS, Target, routed_target
from app.domain.enums import ClaimedVia, OrderMethod, TeamSelectionMethod
from app.domain.phones import parse_phone
from app.domain.team_chains import NextTeams, chain_problem, pair_problem
from app.domain.validation import fold
from app.importer.parse import Row
from app.importer.report import Report

Known = Mapping[str, Mapping[int, Mapping[str, Any]]]
"""By list and id, the rows that others may refer to. Rows of the database take precedence over rows of the file."""

RoutesOfSource = dict[str, Target]
"""The targets of a source's routes by folded lead type."""


@dataclass(frozen=True, slots=True)
class Context:
    known: Known
    routes: dict[tuple[int | None, int | None], RoutesOfSource]
    """By creator and source: routes of the database, and those of the file once they are normalized."""
    now: datetime
    report: Report
    next_of: NextTeams
    """The next team of each team, of the database and of the file."""

    def fact(self, name: str, number: int | None, column: str) -> Any:
        """Return a column of the row with this id, or None if there is none, which `resolve` reports."""
        return self.known[name].get(number, {}).get(column) if number is not None else None

    def adjust(self, row: Row, column: str, value: Any, change: str) -> None:
        """Set a column, and report the change if it is one."""
        if row.values[column] != value:
            row.values[column] = value
            self.report.adjusted[row.list_name, change] += 1


Normalizer = Callable[[Row, Context], None]


def _phone(column: str) -> Normalizer:
    """Return a normalizer to E.164. An invalid number is kept, so that a typing error loses nobody."""

    def normalize(row: Row, context: Context) -> None:
        if row.values[column] is None:
            return
        try:
            row.values[column] = parse_phone(row.values[column])
        except ValueError:
            context.report.adjusted[row.list_name, f"with an invalid {column}: kept as it is"] += 1

    return normalize


def _team(row: Row, context: Context) -> None:
    row.values["created_at"] = row.values["created_at"] or context.now
    if row.values["order_method"] is OrderMethod.TIME:
        context.adjust(row, "mins_until_next_alert", 0, "ordered by time: mins_until_next_alert set to 0")
    _check_next_team(row, context)


def _check_next_team(row: Row, context: Context) -> None:
    """Report a next team that the API would refuse, too. An id that is unknown is reported already."""
    values = row.values
    next_id = values["next_team_id"]
    if problem := pair_problem(next_id, values["mins_until_next_team"]):
        context.report.problem(f"{row.where}.{problem.field}", problem.message)
    if next_id not in context.known["teams"] or None in (values["id"], values["creator_id"]):
        return
    path = f"{row.where}.next_team_id"
    if context.fact("teams", next_id, "creator_id") != values["creator_id"]:
        context.report.problem(path, "is not a team of the same creator", next_id)
    elif context.fact("teams", next_id, "deleted_at") is not None:
        context.report.problem(path, "is a deleted team", next_id)
    elif message := chain_problem(values["id"], context.next_of):
        context.report.problem(path, message, next_id)


_ORDERS = {OrderMethod.RANK: "by rank", OrderMethod.ROUND_ROBIN: "round robin"}


def _option(row: Row, context: Context) -> None:
    if order := _ORDERS.get(context.fact("teams", row.values["team_id"], "order_method")):
        context.adjust(row, "mins_until_lead_offer", 0, f"of a team ordered {order}: mins_until_lead_offer set to 0")


def _source(row: Row, _context: Context) -> None:
    row.values["name_key"] = fold(row.values["name"])


def _route(row: Row, context: Context) -> None:
    values = row.values
    values["creator_id"] = (
        values["creator_id"]
        or context.fact("teams", values["team_id"], "creator_id")
        or context.fact("lead_sources", values["lead_source_id"], "creator_id")
    )
    if values["creator_id"] is None:
        context.report.problem(f"{row.where}.creator_id", "is missing, and no team or source has it either")
    values["lead_type_key"] = fold(values["lead_type"])
    target = _normalize_target(row, context)
    if target is not None:
        routes = context.routes.setdefault((values["creator_id"], values["lead_source_id"]), {})
        routes[values["lead_type_key"]] = target


def _lead(row: Row, context: Context) -> None:
    values = row.values
    values["creator_id"] = values["creator_id"] or context.fact("contacts", values["contact_id"], "owner_id")
    values["created_at"] = values["created_at"] or context.now

    if values["distribution_target"] is None:
        for column in ("team_selection_method", "team_id"):
            if values[column] is not None:
                path = f"{row.where}.{column}"
                context.report.problem(path, "is given without a distribution_target", values[column])
        routes = context.routes.get((values["creator_id"], values["source_id"]), {})
        values.update(asdict(routed_target(routes, values["type"])))
    else:
        _normalize_target(row, context)

    if values["claimed_by_id"] is not None:
        values["claimed_via"] = values["claimed_via"] or ClaimedVia.APP
    else:
        values["claimed_via"] = None  # the REST API says "None", its word for APP, for every unclaimed lead
        context.adjust(row, "claimed_at", None, "that nobody has claimed: claimed_at removed")
    values["first_claimed_at"], values["first_claimed_via"] = values["claimed_at"], values["claimed_via"]


def _offer(row: Row, context: Context) -> None:
    values = row.values
    values["offered_by_id"] = context.fact("teams", values["team_id"], "creator_id") or context.fact(
        "leads", values["lead_id"], "creator_id"
    )
    is_ahead = values["notify_at"] is not None and values["notify_at"] > context.now
    holder_id = context.fact("leads", values["lead_id"], "claimed_by_id")
    values["status"], values["end_reason"] = offer_states.imported(values["user_id"], holder_id, is_ahead=is_ahead)


NORMALIZERS: Mapping[str, Normalizer] = {
    "users": _phone("phone"),
    "contacts": _phone("mobile_phone"),
    "teams": _team,
    "team_member_distribution_options": _option,
    "lead_sources": _source,
    "lead_routes": _route,
    "leads": _lead,
    "lead_offers": _offer,
}


def is_superfluous(row: Row, context: Context) -> bool:
    """Return whether to leave the row out, and report it: the membership of a team's own creator."""
    if row.list_name != "team_members":
        return False
    creator_id = context.fact("teams", row.values["team_id"], "creator_id")
    if creator_id is None or creator_id != row.values["user_id"]:
        return False
    context.report.adjusted["team_members", "of a team's own creator left out: the creator needs no membership"] += 1
    return True


def _normalize_target(row: Row, context: Context) -> Target | None:
    """Remove the method and the team that the row's target does not use, and return the target if it has one."""
    values = [row.values[column] for column in TARGET_FIELDS]
    if values[0] is None:
        return None  # a required field that is missing is reported already
    target = Target(*values).normalized()
    method = target.team_selection_method
    goes = "by Zipcode" if method is TeamSelectionMethod.ZIPCODE else "to Myself"
    context.adjust(row, "team_selection_method", method, f"{goes}: team_selection_method removed")
    context.adjust(row, "team_id", target.team_id, f"{goes}: team_id removed")
    return target
