"""The tables of the database."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from app.db.types import Id, Text, UTCDateTime, enum_type
from app.domain.alert_channels import ALERT_FIELDS
from app.domain.enums import (
    ApiScope,
    Channel,
    ClaimedVia,
    ClaimEnd,
    DeliveryStatus,
    DistributionTarget,
    EndReason,
    EventKind,
    LeadOfferStatus,
    OrderMethod,
    RequestStatus,
    RolloutCause,
    SkipReason,
    TeamSelectionMethod,
)

SQLModel.metadata.naming_convention = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}


def _id() -> Any:
    return Field(default=None, sa_type=Id, primary_key=True)


def _reference(target: str, *, index: bool = False) -> Any:
    return Field(sa_type=Id, foreign_key=target, index=index)


def _with_default(value: bool | int, **options: Any) -> Any:
    """A column that servers of an earlier version, which do not know it, leave to the database."""
    return Field(default=value, sa_column_kwargs={"server_default": text(str(value).lower())}, **options)


def _optional_reference(target: str, *, index: bool = False) -> Any:
    return Field(default=None, sa_type=Id, foreign_key=target, index=index)


def _newest_first(name: str, column: str, time: str, *included: str) -> tuple[Index, Index]:
    """Return the index, one definition per database, that serves a user's rows by a nullable time, newest first.

    Conditions on the `included` columns do not read the rows. SQLite indexes do not support INCLUDE nor NULLS LAST, but
    nulls sort last in descending order anyway.
    """
    order = text(f"{time} DESC NULLS LAST")
    return (
        Index(name, column, order, "id", postgresql_include=list(included)).ddl_if(dialect="postgresql"),
        Index(name, column, text(f"{time} DESC"), "id", *included).ddl_if(dialect="sqlite"),
    )


def _pending_index(name: str) -> Index:
    """Return an index of the rows that are still to be sent, by the time of their next attempt.

    Every comparison of that time implies the index's condition. A condition on the status would serve only statements
    with the status as a literal, and could make the planner read all pending rows to find those of one offer.
    """
    where = text("next_attempt_at IS NOT NULL")
    return Index(name, "next_attempt_at", postgresql_where=where, sqlite_where=where)


def _live_teams(name: str, *order: Any) -> Index:
    """Return an index of a user's teams in this order, without deleted ones."""
    where = text("deleted_at IS NULL")
    return Index(name, "creator_id", *order, postgresql_where=where, sqlite_where=where)


def _leads_by_time(name: str, condition: str) -> Index:
    """Return an index of the leads of a creator that meet the condition, newest first."""
    where = text(condition)
    return Index(name, "creator_id", text("created_at DESC"), "id", postgresql_where=where, sqlite_where=where)


NEVER_REUSE_IDS = {"sqlite_autoincrement": True}
"""Keeps SQLite from giving the id of a deleted row to a new one. PostgreSQL never does."""


class User(SQLModel, table=True):
    """An agent or a team's leader. Users are never deleted: they are deactivated, or erased in place."""

    __tablename__ = "users"
    __table_args__ = (NEVER_REUSE_IDS,)

    id: int = _id()
    first_name: str = Field(sa_type=Text)
    last_name: str = Field(sa_type=Text)
    email: str | None = Field(default=None, sa_type=Text, unique=True)
    """Lower case. Null if the account was erased."""
    phone: str | None = Field(default=None, sa_type=Text, index=True)
    """E.164, unless an import brought something else."""
    timezone: str = Field(sa_type=Text)
    is_active: bool = True
    away_until: datetime | None = Field(default=None, sa_type=UTCDateTime)
    quiet_hours_start: str | None = Field(default=None, sa_type=Text)
    """HH:MM in the user's time zone, like quiet_hours_end."""
    quiet_hours_end: str | None = Field(default=None, sa_type=Text)


class TextOptOut(SQLModel, table=True):
    """A user's opt-out from text messages to one number. It does not apply to a number that they get later."""

    __tablename__ = "text_stops"

    user_id: int = Field(sa_type=Id, foreign_key="users.id", primary_key=True)
    phone: str = Field(sa_type=Text, primary_key=True)
    stopped_at: datetime = Field(sa_type=UTCDateTime)


class Team(SQLModel, table=True):
    """Users who share leads. A team is marked as deleted, never removed, because its offers refer to it."""

    __tablename__ = "teams"
    __table_args__ = (
        _live_teams("ix_teams_created_by_by_id", "id"),
        _live_teams("ix_teams_created_by_by_name", "name", "id"),
        _live_teams("ix_teams_created_by_by_time", text("created_at DESC"), "id"),
        NEVER_REUSE_IDS,
    )

    id: int = _id()
    name: str = Field(sa_type=Text)
    creator_id: int = _reference("users.id")
    order_method: OrderMethod = Field(sa_type=enum_type(OrderMethod))
    mins_until_next_alert: int = 0
    members_per_lead: int | None = None
    """The limit of members that a lead is offered to at a time; null for none."""
    keeps_contacts: bool = _with_default(False)
    """Whether the member who holds another lead of the contact comes first."""
    turn_mark: int = _with_default(0, sa_type=BigInteger)
    """Where the line of the team stands, see app/domain/turns.py."""
    next_team_id: int | None = _optional_reference("teams.id", index=True)
    """The team that is offered a lead which nobody here takes."""
    mins_until_next_team: int | None = None
    """How long after the last offer an unclaimed lead goes on to the next team. Null without one."""
    created_at: datetime = Field(sa_type=UTCDateTime)
    deleted_at: datetime | None = Field(default=None, sa_type=UTCDateTime)


class TeamZipcode(SQLModel, table=True):
    """A zipcode whose leads a team gets."""

    __tablename__ = "team_zipcodes"

    team_id: int = Field(sa_type=Id, foreign_key="teams.id", primary_key=True)
    zipcode: str = Field(sa_type=Text, primary_key=True, index=True)


class TeamMember(SQLModel, table=True):
    """A membership of a team: an invitation and its answer. The team's creator has none."""

    __tablename__ = "team_members"
    __table_args__ = (
        UniqueConstraint("team_id", "user_id"),
        Index("ix_team_members_team_by_id", "team_id", "id"),
        Index("ix_team_members_user_by_id", "user_id", "id"),
        Index("ix_team_members_user_by_team", "user_id", "team_id", "id"),
        NEVER_REUSE_IDS,
    )

    id: int = _id()
    team_id: int = _reference("teams.id")
    user_id: int = _reference("users.id")
    request_status: RequestStatus = Field(sa_type=enum_type(RequestStatus))


class DistributionOption(SQLModel, table=True):
    """How a member of a team, or its creator, is offered leads."""

    __tablename__ = "distribution_options"
    __table_args__ = (
        UniqueConstraint("team_id", "user_id"),
        Index("ix_distribution_options_team_by_id", "team_id", "id"),
        Index("ix_distribution_options_team_by_rank", "team_id", "rank", "id"),
        NEVER_REUSE_IDS,
    )

    id: int = _id()
    team_id: int = _reference("teams.id")
    user_id: int = _reference("users.id", index=True)
    rank: int | None = None
    mins_until_lead_offer: int = 0
    assign_automatically: bool = False
    has_call_alert: bool = False
    has_text_alert: bool = False
    has_email_alert: bool = True
    weight: int = _with_default(1)
    """The share of the turns, from 1 to 100."""
    max_leads_per_day: int | None = None
    """The cap on leads of the team that the member gets on one day of theirs; null for none."""


class Turn(SQLModel, table=True):
    """A member's place in the line of a team. It outlives the member's distribution option, which is set anew."""

    __tablename__ = "turns"

    team_id: int = Field(sa_type=Id, foreign_key="teams.id", primary_key=True)
    user_id: int = Field(sa_type=Id, foreign_key="users.id", primary_key=True, index=True)
    mark: int = Field(sa_type=BigInteger)
    taken: int = 0
    last_taken_at: datetime | None = Field(default=None, sa_type=UTCDateTime)


class Contact(SQLModel, table=True):
    """The person behind one or more leads, entered by a user."""

    __tablename__ = "contacts"
    __table_args__ = (
        Index("ix_contacts_owner_by_id", "owner_id", "id"),
        Index("ix_contacts_owner_by_first_name", "owner_id", "first_name", "id"),
        Index("ix_contacts_owner_by_last_name", "owner_id", "last_name", "id"),
        NEVER_REUSE_IDS,
    )

    id: int = _id()
    owner_id: int = _reference("users.id")
    first_name: str | None = Field(default=None, sa_type=Text)
    last_name: str | None = Field(default=None, sa_type=Text)
    email: str | None = Field(default=None, sa_type=Text)
    mobile_phone: str | None = Field(default=None, sa_type=Text)


class ContactKey(SQLModel, table=True):
    """An e-mail address or phone number by which an enquiry finds a contact again. See app/commands/contact_keys.py."""

    __tablename__ = "contact_keys"
    __table_args__ = (
        Index(
            "uq_contact_keys_found",
            "owner_id",
            "value",
            unique=True,
            postgresql_where=text("is_found"),
            sqlite_where=text("is_found"),
        ),
    )

    owner_id: int = Field(sa_type=Id, foreign_key="users.id", primary_key=True)
    value: str = Field(sa_type=Text, primary_key=True)
    """`mailto:` and the case-folded address, or `tel:` and the number in E.164."""
    contact_id: int = Field(sa_type=Id, foreign_key="contacts.id", primary_key=True, index=True)
    is_found: bool
    """Whether this contact is the one that is found. The oldest one with the same value takes its place."""


class ApiKey(SQLModel, table=True):
    """A key that signs a program in as its user. It is kept after its end, so that its user sees what it was."""

    __tablename__ = "api_keys"
    __table_args__ = (
        Index("ix_api_keys_user_by_id", "user_id", "id"),
        Index("ix_api_keys_user_by_name", "user_id", "name", "id"),
        NEVER_REUSE_IDS,
    )

    id: int = _id()
    user_id: int = _reference("users.id")
    name: str = Field(sa_type=Text)
    prefix: str = Field(sa_type=Text)
    """The first characters of the key, by which people tell keys apart."""
    hash: str = Field(sa_type=Text, unique=True)
    """SHA-256 of the key in hexadecimal. The key itself is not stored."""
    source_id: int | None = _optional_reference("lead_sources.id", index=True)
    """The only source of the leads that it may bring; null for any."""
    created_at: datetime = Field(sa_type=UTCDateTime)
    expires_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    revoked_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    last_used_on: str | None = Field(default=None, sa_type=Text)
    """YYYY-MM-DD in UTC."""


class ApiKeyScope(SQLModel, table=True):
    """Something that an API key may do. The scopes of a key never change."""

    __tablename__ = "api_key_scopes"

    api_key_id: int = Field(sa_type=Id, foreign_key="api_keys.id", primary_key=True)
    scope: ApiScope = Field(sa_type=enum_type(ApiScope), primary_key=True)


class LeadSource(SQLModel, table=True):
    """Where leads come from, entered by a user."""

    __tablename__ = "lead_sources"
    __table_args__ = (
        UniqueConstraint("creator_id", "name_key"),
        Index("ix_lead_sources_created_by_by_id", "creator_id", "id"),
        Index("ix_lead_sources_created_by_by_name", "creator_id", "name", "id"),
        NEVER_REUSE_IDS,
    )

    id: int = _id()
    creator_id: int = _reference("users.id")
    name: str = Field(sa_type=Text)
    name_key: str = Field(sa_type=Text)
    """The name, trimmed and case folded. It is unique among the sources of one creator."""


class LeadRoute(SQLModel, table=True):
    """The distribution of leads from one source and, optionally, of one type."""

    __tablename__ = "lead_routes"
    __table_args__ = (
        UniqueConstraint("creator_id", "lead_source_id", "lead_type_key"),
        Index("ix_lead_routes_created_by_by_id", "creator_id", "id"),
        NEVER_REUSE_IDS,
    )

    id: int = _id()
    creator_id: int = _reference("users.id")
    lead_source_id: int | None = _optional_reference("lead_sources.id", index=True)
    distribution_target: DistributionTarget = Field(sa_type=enum_type(DistributionTarget))
    team_selection_method: TeamSelectionMethod | None = Field(default=None, sa_type=enum_type(TeamSelectionMethod))
    team_id: int | None = _optional_reference("teams.id", index=True)
    lead_type: str | None = Field(default=None, sa_type=Text)
    lead_type_key: str = Field(sa_type=Text)
    """The type, trimmed and case folded. Empty if the route applies to all types."""


IS_WATCHED = """
distribution_target = 'TEAM_ROLLOUT' AND claimed_by_id IS NULL AND watched_since IS NOT NULL AND exhausted_at IS NULL
"""
"""Unclaimed leads whose creators have not been notified since the last offer."""


HAS_CITY = "city IS NOT NULL"
HAS_EXTERNAL_ID = "external_id IS NOT NULL"


class Lead(SQLModel, table=True):
    """One enquiry of a contact."""

    __tablename__ = "leads"
    __table_args__ = (
        Index("ix_leads_created_by_by_id", "creator_id", "id"),
        Index("ix_leads_created_by_by_time", "creator_id", text("created_at DESC"), "id"),
        *_newest_first("ix_leads_created_by_by_claim", "creator_id", "claimed_at"),
        Index("ix_leads_held_by_by_id", "claimed_by_id", "id"),
        Index("ix_leads_held_by_by_time", "claimed_by_id", text("created_at DESC"), "id"),
        *_newest_first("ix_leads_held_by_by_claim", "claimed_by_id", "claimed_at"),
        _leads_by_time("ix_leads_unclaimed_by_time", "claimed_by_id IS NULL"),
        _leads_by_time("ix_leads_unsubmitted_by_time", "first_team_id IS NULL"),
        _leads_by_time("ix_leads_exhausted_by_time", "exhausted_at IS NOT NULL"),
        Index("ix_leads_created_by_by_source", "creator_id", "source_id", "id"),
        *_newest_first("ix_leads_created_by_by_price", "creator_id", "listing_price"),
        Index(
            "ix_leads_created_by_by_city",
            "creator_id",
            "city",
            "id",
            postgresql_where=text(HAS_CITY),
            sqlite_where=text(HAS_CITY),
        ),
        Index(
            "uq_leads_external_id",
            "creator_id",
            "external_id",
            text("coalesce(source_id, 0)"),
            unique=True,
            postgresql_where=text(HAS_EXTERNAL_ID),
            sqlite_where=text(HAS_EXTERNAL_ID),
        ),
        Index(
            "ix_leads_ending",
            text("coalesce(gives_up_at, watched_since)"),
            postgresql_where=text(IS_WATCHED),
            sqlite_where=text(IS_WATCHED),
        ),
        NEVER_REUSE_IDS,
    )

    id: int = _id()
    contact_id: int = _reference("contacts.id", index=True)
    creator_id: int = _reference("users.id")
    source_id: int | None = _optional_reference("lead_sources.id", index=True)
    distribution_target: DistributionTarget = Field(sa_type=enum_type(DistributionTarget))
    team_selection_method: TeamSelectionMethod | None = Field(default=None, sa_type=enum_type(TeamSelectionMethod))
    team_id: int | None = _optional_reference("teams.id", index=True)
    zipcode: str | None = Field(default=None, sa_type=Text)
    type: str | None = Field(default=None, sa_type=Text)
    message: str | None = Field(default=None, sa_type=Text)
    """The text that the contact wrote. Shown to the creator and the holder alone."""
    listing_price: int | None = None
    """Whole units of the currency."""
    mls_id: str | None = Field(default=None, sa_type=Text)
    listing_status: str | None = Field(default=None, sa_type=Text)
    street_address: str | None = Field(default=None, sa_type=Text)
    city: str | None = Field(default=None, sa_type=Text)
    state: str | None = Field(default=None, sa_type=Text)
    language: str | None = Field(default=None, sa_type=Text)
    external_id: str | None = Field(default=None, sa_type=Text)
    """The source's own id of the enquiry, unique among the leads that a creator has from the source."""
    created_at: datetime = Field(sa_type=UTCDateTime)
    claimed_by_id: int | None = _optional_reference("users.id")
    claimed_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    claimed_via: ClaimedVia | None = Field(default=None, sa_type=enum_type(ClaimedVia))
    first_claimed_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    """When somebody first got it. A release keeps it. Null if it was imported without the time of its claim."""
    first_claimed_via: ClaimedVia | None = Field(default=None, sa_type=enum_type(ClaimedVia))
    """How somebody first got it. A release keeps it. Null if nobody ever got it."""
    first_team_id: int | None = Field(default=None, sa_type=Id)
    """The team of its first step. Null until a step makes an offer."""
    was_released: bool = _with_default(False)
    was_exhausted: bool = _with_default(False)
    """Whether it was ever reported as unclaimed. These four keep figures from reading the tables that tell the same."""
    watched_since: datetime | None = Field(default=None, sa_type=UTCDateTime)
    """When it was created here, or first submitted. Null for an imported lead that was never submitted."""
    exhausted_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    """When it was reported to its creator as unclaimed. A submit and a release set it to null again."""
    ended_step_id: int | None = Field(default=None, sa_type=Id)
    """The last step before the target was changed. A lead goes on along the steps after it only."""
    gives_up_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    """When its current step is over; null if it never is. See app/commands/step_end.py."""


class LeadRollout(SQLModel, table=True):
    """A step: a submit that created offers, or the passing on of a lead to the next team, with offers or without."""

    __tablename__ = "lead_rollouts"
    __table_args__ = (
        Index("ix_lead_rollouts_team_by_time", "team_id", "submitted_at"),
        NEVER_REUSE_IDS,
    )

    id: int = _id()
    lead_id: int = _reference("leads.id", index=True)
    team_id: int = _reference("teams.id")
    team_selection_method: TeamSelectionMethod = Field(sa_type=enum_type(TeamSelectionMethod))
    submitted_at: datetime = Field(sa_type=UTCDateTime)
    cause: RolloutCause = Field(
        default=RolloutCause.SUBMITTED,
        sa_type=enum_type(RolloutCause),
        sa_column_kwargs={"server_default": RolloutCause.SUBMITTED.name},
    )
    turn_user_id: int | None = _optional_reference("users.id")
    """The member whose turn it used."""
    wait_minutes: int | None = None
    """How long an unclaimed lead waits after its last offer. Null for submits from before this was stored."""


class RolloutOffer(SQLModel, table=True):
    """An offer that a submit created. An offer that was cancelled and created again belongs to several submits."""

    __tablename__ = "rollout_offers"

    rollout_id: int = Field(sa_type=Id, foreign_key="lead_rollouts.id", primary_key=True)
    offer_id: int = Field(sa_type=Id, foreign_key="lead_offers.id", primary_key=True, index=True)


class RolloutSkip(SQLModel, table=True):
    """A member that a submit did not offer the lead to, and the reason."""

    __tablename__ = "rollout_skips"

    rollout_id: int = Field(sa_type=Id, foreign_key="lead_rollouts.id", primary_key=True)
    user_id: int = Field(sa_type=Id, foreign_key="users.id", primary_key=True, index=True)
    reason: SkipReason = Field(sa_type=enum_type(SkipReason))


HAS_NO_ALERT = f"NOT ({' OR '.join(f'coalesce({name}, false)' for name in ALERT_FIELDS.values())})"
"""No channel is on; an imported offer may have null for off."""

WANTS_ATTENTION = f"""
status = 'SCHEDULED' AND (assign_automatically OR {HAS_NO_ALERT}) OR status = 'SENT' AND held_until IS NOT NULL
"""
"""Offers that need more from the worker than their deliveries: automatic ones, and those without a channel."""


IS_SCHEDULED = "status = 'SCHEDULED'"


class LeadOffer(SQLModel, table=True):
    """A lead offered to one user."""

    __tablename__ = "lead_offers"
    __table_args__ = (
        UniqueConstraint("lead_id", "user_id"),
        *_newest_first("ix_lead_offers_made_to", "user_id", "notify_at"),
        *_newest_first("ix_lead_offers_made_by", "offered_by_id", "notify_at", "user_id"),
        Index("ix_lead_offers_made_to_by_id", "user_id", "id"),
        Index("ix_lead_offers_made_to_by_lead", "user_id", "lead_id"),
        Index("ix_lead_offers_made_to_by_status", "user_id", "status"),
        Index("ix_lead_offers_made_by_by_status", "offered_by_id", "status", "user_id"),
        Index("ix_lead_offers_of_lead_by_id", "lead_id", "id"),
        Index("ix_lead_offers_of_lead_by_time", "lead_id", "notify_at", "id"),
        Index("ix_lead_offers_made_by_by_id", "offered_by_id", "id", postgresql_include=["user_id"]),
        Index(
            "ix_lead_offers_attention",
            text("coalesce(held_until, notify_at)"),
            postgresql_where=text(WANTS_ATTENTION),
            sqlite_where=text(WANTS_ATTENTION),
        ),
        Index(
            "ix_lead_offers_scheduled",
            "notify_at",
            postgresql_where=text(IS_SCHEDULED),
            sqlite_where=text(IS_SCHEDULED),
        ),
        NEVER_REUSE_IDS,
    )

    id: int = _id()
    lead_id: int = _reference("leads.id")
    user_id: int | None = _optional_reference("users.id")
    team_id: int | None = _optional_reference("teams.id", index=True)
    offered_by_id: int = _reference("users.id")
    """The user who submitted the lead, which is the creator of the team."""
    notify_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    rank: int | None = None
    assign_automatically: bool = False
    has_call_alert: bool | None = None
    has_text_alert: bool | None = None
    has_email_alert: bool | None = None
    status: LeadOfferStatus = Field(sa_type=enum_type(LeadOfferStatus))
    end_reason: EndReason | None = Field(default=None, sa_type=enum_type(EndReason))
    order_method: OrderMethod | None = Field(default=None, sa_type=enum_type(OrderMethod))
    """The order of the rollout that created the offer. Null for imported and assigned offers."""
    held_until: datetime | None = Field(default=None, sa_type=UTCDateTime)
    """The end of the quiet hours that delay the automatic assignment."""


HAS_NOT_ENDED = "ended_at IS NULL"


class Claim(SQLModel, table=True):
    """A time during which somebody had a lead. See app/commands/claim_ledger.py."""

    __tablename__ = "claims"
    __table_args__ = (
        Index(
            "uq_claims_open",
            "lead_id",
            unique=True,
            postgresql_where=text(HAS_NOT_ENDED),
            sqlite_where=text(HAS_NOT_ENDED),
        ),
        Index("ix_claims_of_lead_by_id", "lead_id", "id"),
        Index("ix_claims_team_by_time", "team_id", "claimed_at"),
        Index("ix_claims_user_by_time", "user_id", "claimed_at"),
        NEVER_REUSE_IDS,
    )

    id: int = _id()
    lead_id: int = _reference("leads.id")
    user_id: int = _reference("users.id")
    team_id: int | None = _optional_reference("teams.id")
    """The team by which the user got the lead: that of their offer, or of the lead if they have no offer of it."""
    offer_id: int | None = _optional_reference("lead_offers.id")
    """The user's offer of the lead. Null for imported leads whose holder has none."""
    via: ClaimedVia = Field(sa_type=enum_type(ClaimedVia))
    claimed_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    """Null if the lead was imported without it."""
    ended_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    """Null while the user has the lead."""
    end_reason: ClaimEnd | None = Field(default=None, sa_type=enum_type(ClaimEnd))


class Attempts(SQLModel):
    """The columns of every row that the worker sends: deliveries, notices, invitations and events."""

    status: DeliveryStatus = Field(sa_type=enum_type(DeliveryStatus))
    attempts: int = 0
    """Finished attempts, failed or not."""
    next_attempt_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    """When the next attempt is due, or when the lease ends; null once the row is sent, failed or cancelled."""
    sent_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    error: str | None = Field(default=None, sa_type=Text)
    """Why the last attempt failed."""
    lease: str | None = Field(default=None, sa_type=Text)
    """The token of the worker that is making an attempt now."""


class Delivery(Attempts, table=True):
    """A message to an offer's user on one channel."""

    __tablename__ = "deliveries"
    __table_args__ = (
        _pending_index("ix_deliveries_due"),
        NEVER_REUSE_IDS,
    )

    id: int = _id()
    offer_id: int = _reference("lead_offers.id", index=True)
    channel: Channel = Field(sa_type=enum_type(Channel))
    trace_context: str | None = Field(default=None, sa_type=Text)
    """The span of the request that has caused the message, if tracing is on, see app/observability/tracing.py."""


class Notice(Attempts, table=True):
    """An e-mail to a lead's creator when its rollout is exhausted."""

    __tablename__ = "notices"
    __table_args__ = (
        _pending_index("ix_notices_due"),
        NEVER_REUSE_IDS,
    )

    id: int = _id()
    lead_id: int = _reference("leads.id", index=True)


IS_WAITING = "removed_at IS NULL"


class WaitingInvitation(Attempts, table=True):
    """An invitation to a team that waits until its address has an account, and the e-mail that tells about it.

    The creator of the account then gets a membership in its place. An invitation that was removed is kept, because it
    tells when its address got the last e-mail.
    """

    __tablename__ = "waiting_invitations"
    __table_args__ = (
        Index(
            "uq_waiting_invitations_waiting",
            "team_id",
            "email",
            unique=True,
            postgresql_where=text(IS_WAITING),
            sqlite_where=text(IS_WAITING),
        ),
        Index("ix_waiting_invitations_inviter_by_time", "inviter_id", "invited_at"),
        _pending_index("ix_waiting_invitations_due"),
        NEVER_REUSE_IDS,
    )

    id: int = _id()
    team_id: int = _reference("teams.id", index=True)
    inviter_id: int = _reference("users.id")
    email: str = Field(sa_type=Text, index=True)
    """As in users, by which the account is recognized."""
    invited_at: datetime = Field(sa_type=UTCDateTime)
    mail_at: datetime = Field(sa_type=UTCDateTime)
    """When the e-mail was or is due for the first time."""
    removed_at: datetime | None = Field(default=None, sa_type=UTCDateTime)


class TextReply(SQLModel, table=True):
    """A reply by text message, and its offer. A provider that reports it twice gets the same result."""

    __tablename__ = "text_replies"

    id: str = Field(sa_type=Text, primary_key=True)
    """The provider's message id."""
    offer_id: int | None = _optional_reference("lead_offers.id", index=True)
    received_at: datetime = Field(sa_type=UTCDateTime)


class Event(Attempts, table=True):
    """A webhook event."""

    __tablename__ = "events"
    __table_args__ = (
        _pending_index("ix_events_due"),
        NEVER_REUSE_IDS,
    )

    id: int = _id()
    key: str = Field(sa_type=Text)
    """Identifies the event for the receiver. Unlike the id, it is unique across restored and separate databases."""
    kind: EventKind = Field(sa_type=enum_type(EventKind))
    payload: str = Field(sa_type=Text)
    """The request body as of the event, so that every attempt sends the same bytes."""
    happened_at: datetime = Field(sa_type=UTCDateTime)
    trace_context: str | None = Field(default=None, sa_type=Text)
    """As that of a delivery."""
