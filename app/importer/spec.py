"""Specifies the lists of an import and their fields. A row may refer to rows of its own list and of earlier ones."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from app.domain.alert_channels import ALERT_FIELDS, Alerts
from app.domain.enums import ClaimedVia, DistributionTarget, OrderMethod, RequestStatus, TeamSelectionMethod
from app.importer import parsers
from app.importer.parsers import Parser


@dataclass(frozen=True, slots=True)
class Field:
    """A field by its REST name. If it is left out or null, it takes its default, or is a problem if it is required."""

    name: str
    parse: Parser
    column: str
    default: Any = None
    required: bool = False
    to: str | None = None
    """For a reference, the list that it refers to: `team_id: 8` or `team: {id: 8}`."""
    may_be_left_out: bool = False
    """Whether a lenient import leaves an invalid value out: details of a person, which nothing else depends on."""
    is_private: bool = False
    """Whether problems do not quote the value, because the user who imports may not read it."""

    @property
    def nested(self) -> str:
        return self.name.removesuffix("_id")


@dataclass(frozen=True, slots=True)
class ImportList:
    name: str
    table: str
    fields: Sequence[Field]
    facts: Sequence[str] = ()
    """Columns that the normalization of later lists needs."""
    unique: Sequence[str] = ()
    """Columns that identify a row, besides its id. They do not where one of them is null."""
    found_by: Sequence[str] = ()
    """The unique columns by which rows of the database are looked up; the first one unless given."""
    null_identifies: frozenset[str] = frozenset()
    """Those of the `unique` columns in which null is a value like any other."""
    numbered: bool = True
    """Whether every row has an id. Otherwise a row may be identified by its unique columns alone."""
    answers: frozenset[str] = frozenset()
    """Fields that the REST API computes. They are ignored, and not reported as unknown."""

    @property
    def references(self) -> list[Field]:
        return [field for field in self.fields if field.to]

    @property
    def known(self) -> frozenset[str]:
        names = {field.name for field in self.fields} | {field.nested for field in self.references}
        return frozenset(names | {"id"} | self.answers)


def _field(name: str, parse: Parser, *, column: str = "", default: Any = None, required: bool = False) -> Field:
    return Field(name, parse, column or name, default, required)


def _detail(name: str, parse: Parser, *, column: str = "", default: Any = None, is_private: bool = False) -> Field:
    return Field(name, parse, column or name, default, may_be_left_out=True, is_private=is_private)


def _reference(name: str, to: str, *, column: str = "", required: bool = False) -> Field:
    return Field(name, parsers.reference, column or name, None, required, to)


_TARGET = parsers.choice(DistributionTarget)
_METHOD = _field("team_selection_method", parsers.choice_or_none(TeamSelectionMethod))

LISTS = (
    ImportList(
        "users",
        "users",
        (
            _detail("first_name", parsers.name, default=""),
            _detail("last_name", parsers.name, default=""),
            _detail("email", parsers.user_email),
            _detail("phone", parsers.phone),
            _field("timezone", parsers.timezone, default="UTC"),
            _field("is_active", parsers.boolean, default=True),
        ),
        unique=("email",),
    ),
    ImportList(
        "teams",
        "teams",
        (
            _field("name", parsers.name, required=True),
            _reference("creator_id", "users", required=True),
            _field("order_method", parsers.choice(OrderMethod), default=OrderMethod.RANK),
            _field("mins_until_next_alert", parsers.minutes, default=0),
            _field("distribution_zipcodes", parsers.zipcodes, default=()),
            _field("members_per_lead", parsers.members_per_lead),
            _field("keeps_contacts", parsers.boolean, default=False),
            _reference("next_team_id", "teams"),
            _field("mins_until_next_team", parsers.minutes),
            _field("created_at", parsers.instant),
        ),
        facts=("creator_id", "order_method", "next_team_id", "deleted_at"),
    ),
    ImportList(
        "team_members",
        "team_members",
        (
            _reference("team_id", "teams", required=True),
            _reference("user_id", "users", required=True),
            _field("request_status", parsers.choice(RequestStatus), default=RequestStatus.PENDING),
        ),
        unique=("team_id", "user_id"),
        numbered=False,
    ),
    ImportList(
        "team_member_distribution_options",
        "distribution_options",
        (
            _reference("team_id", "teams", required=True),
            _reference("user_id", "users", required=True),
            _field("rank", parsers.rank),
            _field("mins_until_lead_offer", parsers.minutes, default=0),
            _field("assign_automatically", parsers.boolean, default=False),
            *(_field(name, parsers.boolean, default=default) for name, default in Alerts(email=True).fields().items()),
            _field("weight", parsers.weight, default=1),
            _field("max_leads_per_day", parsers.leads_per_day),
        ),
        unique=("team_id", "user_id"),
        numbered=False,
    ),
    ImportList(
        "contacts",
        "contacts",
        (
            _reference("owner_user_id", "users", column="owner_id", required=True),
            _detail("first_name", parsers.name),
            _detail("last_name", parsers.name),
            _detail("email", parsers.email),
            _detail("mobile_phone", parsers.phone),
        ),
        facts=("owner_id",),
    ),
    ImportList(
        "lead_sources",
        "lead_sources",
        (_field("name", parsers.name, required=True), _reference("creator_id", "users", required=True)),
        facts=("creator_id",),
        unique=("creator_id", "name_key"),
    ),
    ImportList(
        "lead_routes",
        "lead_routes",
        (
            _reference("creator_id", "users"),
            _reference("lead_source_id", "lead_sources"),
            _field("distribution_target", _TARGET, required=True),
            _METHOD,
            _reference("team_id", "teams"),
            _field("filter", parsers.text, column="lead_type"),
        ),
        unique=("creator_id", "lead_source_id", "lead_type_key"),
    ),
    ImportList(
        "leads",
        "leads",
        (
            _reference("contact_id", "contacts", required=True),
            _reference("creator_id", "users"),
            _reference("source_id", "lead_sources"),
            _field("distribution_target", _TARGET),
            _METHOD,
            _reference("team_id", "teams"),
            _detail("zipcode", parsers.zipcode),
            _field("type", parsers.text),
            _detail("text_body", parsers.message, column="message", is_private=True),
            _detail("listing_price", parsers.price),
            _detail("mls_id", parsers.code),
            _detail("listing_status", parsers.name),
            _detail("street_address", parsers.name),
            _detail("city", parsers.name),
            _detail("state", parsers.name),
            _detail("language", parsers.name),
            _field("external_id", parsers.code),
            _field("created_at", parsers.instant),
            _reference("claimed_by_user_id", "users", column="claimed_by_id"),
            _field("claimed_at", parsers.instant),
            _field("claimed_via", parsers.choice(ClaimedVia)),
        ),
        facts=("creator_id", "claimed_by_id"),
        unique=("creator_id", "external_id", "source_id"),
        found_by=("creator_id", "external_id"),
        null_identifies=frozenset({"source_id"}),
        answers=frozenset({"time_to_claim"}),
    ),
    ImportList(
        "lead_offers",
        "lead_offers",
        (
            _reference("lead_id", "leads", required=True),
            _reference("user_id", "users"),
            _reference("team_id", "teams"),
            _field("notify_at", parsers.instant),
            _field("rank", parsers.rank),
            _field("assign_automatically", parsers.boolean, default=False),
            *(_field(name, parsers.boolean) for name in ALERT_FIELDS.values()),
        ),
        unique=("lead_id", "user_id"),
    ),
)
