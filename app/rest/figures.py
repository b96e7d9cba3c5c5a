"""The REST API's figures: the same as in GraphQL, as JSON or as CSV."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson
from starlette.responses import Response

from app.domain.bounds import EARLIEST
from app.domain.figures import FigureGroup, Span, problems_of
from app.domain.identifiers import NO_ID, parse_id
from app.domain.time_zones import known_zone
from app.errors import Problem, bad_input
from app.figures import lead_figures, member_figures
from app.figures.tables import Table, csv_text, lead_records, lead_table, member_records, member_table
from app.http.accept_header import media_ranges
from app.rest.filter_fields import LEAD_FIELDS, instant, quoted
from app.rest.handlers import AuthenticatedRequest, StatusAndBody
from app.rest.query_string import parse_figures

CSV = "text/csv"
LEAD_PARAMETERS = ("from", "to", "by", "timezone")
MEMBER_PARAMETERS = ("team_id", "from", "to")


async def get_lead_figures(request: AuthenticatedRequest) -> StatusAndBody:
    """Return the figures of the viewer's leads as a list of groups. All other parameters are conditions on them."""
    values, where, problems = parse_figures(request.query_string, LEAD_PARAMETERS, LEAD_FIELDS)
    by, timezone = _group(values["by"], problems), values["timezone"] or None
    span = _span(values, problems, timezone)
    zone = known_zone(timezone or request.viewer.user.timezone)
    figures = await request.db.read_page(
        "leads", lambda session: lead_figures(session, request.viewer.id, span, by, zone, where)
    )
    return _answer(request, lead_table(figures, by), lead_records(figures))


async def get_member_figures(request: AuthenticatedRequest) -> StatusAndBody:
    """Return the figures of the members of a team as a list of users, empty unless the viewer created the team."""
    values, _, problems = parse_figures(request.query_string, MEMBER_PARAMETERS, {})
    if not values["team_id"]:
        problems.append(Problem("team_id", "is missing"))
    span, team_id = _span(values, problems), parse_id(values["team_id"]) or NO_ID
    figures = await request.db.read_page(
        "lead_offers", lambda session: member_figures(session, request.viewer.id, team_id, span)
    )
    return _answer(request, member_table(figures), member_records(figures))


def _group(text: str, problems: list[Problem]) -> FigureGroup | None:
    if text and text not in tuple(FigureGroup):
        problems.append(Problem("by", f"must be one of {', '.join(FigureGroup)}, not {quoted(text)}"))
        return None
    return FigureGroup(text) if text else None


def _span(values: Mapping[str, str], problems: list[Problem], timezone: str | None = None) -> Span:
    """Return the span. Raise BAD_USER_INPUT for its problems and the earlier ones."""
    begins, ends = _instant(values, "from", problems), _instant(values, "to", problems)
    problems += problems_of(begins or ends or EARLIEST, ends or begins or EARLIEST, timezone)
    if problems:
        raise bad_input(*problems)
    assert begins is not None
    assert ends is not None
    return Span(begins, ends)


def _instant(values: Mapping[str, str], name: str, problems: list[Problem]) -> datetime | None:
    text = values[name]
    try:
        return instant(text)
    except ValueError as error:
        problems.append(Problem(name, str(error) if text else "is missing"))
        return None


def _prefers_csv(request: AuthenticatedRequest) -> bool:
    """Whether the Accept header names CSV, and JSON not or not as much."""
    accepted = dict(media_ranges(request.request.headers.get("accept", "")))
    csv = accepted.get(CSV, accepted.get("text/*", 0.0))
    json = accepted.get("application/json", accepted.get("application/*", 0.0))
    return csv > 0 and csv >= json


def _answer(request: AuthenticatedRequest, table: Table, records: Sequence[dict[str, Any]]) -> StatusAndBody:
    """Return the figures in the format that the client prefers."""
    is_csv = _prefers_csv(request)
    content, media_type = (csv_text(table), CSV) if is_csv else (orjson.dumps(records), "application/json")
    return 200, Response(content, media_type=media_type, headers={"Vary": "Accept"})
