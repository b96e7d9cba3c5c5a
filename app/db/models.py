"""The tables."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from app.db.types import Id, Text, UTCDateTime, enum_type
from app.domain.alert_channels import ALERT_FIELDS
from app.domain.enums import (
    Channel,
    ClaimedVia,
    DeliveryStatus,
    DistributionTarget,
    EndReason,
    EventKind,
    LeadOfferStatus,
    OrderMethod,
    RequestStatus,
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


def _optional_reference(target: str, *, index: bool = False) -> Any:
    return Field(default=None, sa_type=Id, foreign_key=target, index=index)


def _newest_first(name: str, column: str, **options: Any) -> tuple[Index, Index]:
    """An index that serves one viewer's offers, newest first.

    SQLite indexes know no NULLS LAST; its nulls sort last in descending order by themselves.
    """
    return (
        Index(name, column, text("notify_at DESC NULLS LAST"), "id", **options).ddl_if(dialect="postgresql"),
        Index(name, column, text("notify_at DESC"), "id").ddl_if(dialect="sqlite"),
    )


def _of_the_pending(name: str) -> Index:
    """An index of what is still to be attempted, by its moment.

    Its condition follows from any comparison of the moment. One on the status would serve only statements in which the
    status is written out; and statements that look for what is pending of one offer would be led into reading all.
    """
    where = text("next_attempt_at IS NOT NULL")
    return Index(name, "next_attempt_at", postgresql_where=where, sqlite_where=where)


NUMBERED_FOR_GOOD = {"sqlite_autoincrement": True}
"""The id of a deleted row is never given to another."""


class User(SQLModel, table=True):
    """An agent or a team's leader. Nothing deletes a user: an account is switched off, or erased in place."""

    __tablename__ = "users"
    __table_args__ = (NUMBERED_FOR_GOOD,)

    id: int = _id()
    first_name: str = Field(sa_type=Text)
    last_name: str = Field(sa_type=Text)
    email: str | None = Field(default=None, sa_type=Text, unique=True)
    """In lower case. Null once the account has been erased."""
    phone: str | None = Field(default=None, sa_type=Text, index=True)
    """In E.164, unless an import found something else."""
    timezone: str = Field(sa_type=Text)
    is_active: bool = True
    away_until: datetime | None = Field(default=None, sa_type=UTCDateTime)
    quiet_hours_start: str | None = Field(default=None, sa_type=Text)
    """HH:MM in the user's own time zone, as quiet_hours_end is."""
    quiet_hours_end: str | None = Field(default=None, sa_type=Text)


class TextStop(SQLModel, table=True):
    """A user has asked for no texts to this number, which says nothing of one that they have later."""

    __tablename__ = "text_stops"

    user_id: int = Field(sa_type=Id, foreign_key="users.id", primary_key=True)
    phone: str = Field(sa_type=Text, primary_key=True)
    stopped_at: datetime = Field(sa_type=UTCDateTime)


class Team(SQLModel, table=True):
    __tablename__ = "teams"
    __table_args__ = (NUMBERED_FOR_GOOD,)

    id: int = _id()
    name: str = Field(sa_type=Text)
    creator_id: int = _reference("users.id", index=True)
    order_method: OrderMethod = Field(sa_type=enum_type(OrderMethod))
    mins_until_next_alert: int = 0
    created_at: datetime = Field(sa_type=UTCDateTime)
    deleted_at: datetime | None = Field(default=None, sa_type=UTCDateTime)


class TeamZipcode(SQLModel, table=True):
    __tablename__ = "team_zipcodes"

    team_id: int = Field(sa_type=Id, foreign_key="teams.id", primary_key=True)
    zipcode: str = Field(sa_type=Text, primary_key=True, index=True)


class TeamMember(SQLModel, table=True):
    __tablename__ = "team_members"
    __table_args__ = (UniqueConstraint("team_id", "user_id"), NUMBERED_FOR_GOOD)

    id: int = _id()
    team_id: int = _reference("teams.id")
    user_id: int = _reference("users.id", index=True)
    request_status: RequestStatus = Field(sa_type=enum_type(RequestStatus))


class DistributionOption(SQLModel, table=True):
    __tablename__ = "distribution_options"
    __table_args__ = (UniqueConstraint("team_id", "user_id"), NUMBERED_FOR_GOOD)

    id: int = _id()
    team_id: int = _reference("teams.id")
    user_id: int = _reference("users.id", index=True)
    rank: int | None = None
    mins_until_lead_offer: int = 0
    assign_automatically: bool = False
    has_call_alert: bool = False
    has_text_alert: bool = False
    has_email_alert: bool = True


class Contact(SQLModel, table=True):
    __tablename__ = "contacts"
    __table_args__ = (NUMBERED_FOR_GOOD,)

    id: int = _id()
    owner_id: int = _reference("users.id", index=True)
    first_name: str | None = Field(default=None, sa_type=Text)
    last_name: str | None = Field(default=None, sa_type=Text)
    email: str | None = Field(default=None, sa_type=Text)
    mobile_phone: str | None = Field(default=None, sa_type=Text)


class LeadSource(SQLModel, table=True):
    __tablename__ = "lead_sources"
    __table_args__ = (UniqueConstraint("creator_id", "name_key"), NUMBERED_FOR_GOOD)

    id: int = _id()
    creator_id: int = _reference("users.id")
    name: str = Field(sa_type=Text)
    name_key: str = Field(sa_type=Text)
    """The name trimmed and case folded: two sources of one creator never differ by less."""


class LeadRoute(SQLModel, table=True):
    __tablename__ = "lead_routes"
    __table_args__ = (UniqueConstraint("creator_id", "lead_source_id", "lead_type_key"), NUMBERED_FOR_GOOD)

    id: int = _id()
    creator_id: int = _reference("users.id")
    lead_source_id: int | None = _optional_reference("lead_sources.id", index=True)
    distribution_target: DistributionTarget = Field(sa_type=enum_type(DistributionTarget))
    team_selection_method: TeamSelectionMethod | None = Field(default=None, sa_type=enum_type(TeamSelectionMethod))
    team_id: int | None = _optional_reference("teams.id", index=True)
    lead_type: str | None = Field(default=None, sa_type=Text)
    lead_type_key: str = Field(sa_type=Text)
    """The type trimmed and case folded; empty where the route serves all types."""


IS_WATCHED = """
distribution_target = 'TEAM_ROLLOUT' AND claimed_by_id IS NULL AND watched_since IS NOT NULL AND exhausted_at IS NULL
"""
"""Leads that somebody should take, and whose creators have not been told that nobody does."""


class Lead(SQLModel, table=True):
    __tablename__ = "leads"
    __table_args__ = (
        Index("ix_leads_watched", "watched_since", postgresql_where=text(IS_WATCHED), sqlite_where=text(IS_WATCHED)),
        NUMBERED_FOR_GOOD,
    )

    id: int = _id()
    contact_id: int = _reference("contacts.id", index=True)
    creator_id: int = _reference("users.id", index=True)
    source_id: int | None = _optional_reference("lead_sources.id", index=True)
    distribution_target: DistributionTarget = Field(sa_type=enum_type(DistributionTarget))
    team_selection_method: TeamSelectionMethod | None = Field(default=None, sa_type=enum_type(TeamSelectionMethod))
    team_id: int | None = _optional_reference("teams.id", index=True)
    zipcode: str | None = Field(default=None, sa_type=Text)
    type: str | None = Field(default=None, sa_type=Text)
    created_at: datetime = Field(sa_type=UTCDateTime)
    claimed_by_id: int | None = _optional_reference("users.id", index=True)
    claimed_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    claimed_via: ClaimedVia | None = Field(default=None, sa_type=enum_type(ClaimedVia))
    watched_since: datetime | None = Field(default=None, sa_type=UTCDateTime)
    """Its creation here, or its first submit; null for an imported lead that was never submitted here."""
    exhausted_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    """When its creator was last told that nobody takes it; null once it is offered again."""


class LeadRollout(SQLModel, table=True):
    """One submit that made offers."""

    __tablename__ = "lead_rollouts"
    __table_args__ = (NUMBERED_FOR_GOOD,)

    id: int = _id()
    lead_id: int = _reference("leads.id", index=True)
    team_id: int = _reference("teams.id", index=True)
    team_selection_method: TeamSelectionMethod = Field(sa_type=enum_type(TeamSelectionMethod))
    submitted_at: datetime = Field(sa_type=UTCDateTime)


class RolloutOffer(SQLModel, table=True):
    """An offer that a submit made. An offer that was cancelled and planned anew belongs to two."""

    __tablename__ = "rollout_offers"

    rollout_id: int = Field(sa_type=Id, foreign_key="lead_rollouts.id", primary_key=True)
    offer_id: int = Field(sa_type=Id, foreign_key="lead_offers.id", primary_key=True, index=True)


class RolloutSkip(SQLModel, table=True):
    """A member whom a submit left out, and why."""

    __tablename__ = "rollout_skips"

    rollout_id: int = Field(sa_type=Id, foreign_key="lead_rollouts.id", primary_key=True)
    user_id: int = Field(sa_type=Id, foreign_key="users.id", primary_key=True, index=True)
    reason: SkipReason = Field(sa_type=enum_type(SkipReason))


HAS_NO_ALERT = f"NOT ({' OR '.join(f'coalesce({name}, false)' for name in ALERT_FIELDS.values())})"
"""No channel is on; an imported offer may have null for off."""

WANTS_ATTENTION = f"""
status = 'SCHEDULED' AND (assign_automatically OR {HAS_NO_ALERT}) OR status = 'SENT' AND held_until IS NOT NULL
"""
"""Offers of which nobody is told by a delivery alone: automatic ones, and those without a channel."""


class LeadOffer(SQLModel, table=True):
    """A lead offered to one user."""

    __tablename__ = "lead_offers"
    __table_args__ = (
        UniqueConstraint("lead_id", "user_id"),
        *_newest_first("ix_lead_offers_made_to", "user_id"),
        *_newest_first("ix_lead_offers_made_by", "offered_by_id", postgresql_include=["user_id"]),
        Index("ix_lead_offers_made_to_by_id", "user_id", "id"),
        Index("ix_lead_offers_made_by_by_id", "offered_by_id", "id", postgresql_include=["user_id"]),
        Index(
            "ix_lead_offers_attention",
            text("coalesce(held_until, notify_at)"),
            postgresql_where=text(WANTS_ATTENTION),
            sqlite_where=text(WANTS_ATTENTION),
        ),
        NUMBERED_FOR_GOOD,
    )

    id: int = _id()
    lead_id: int = _reference("leads.id")
    user_id: int | None = _optional_reference("users.id")
    team_id: int | None = _optional_reference("teams.id", index=True)
    offered_by_id: int = _reference("users.id")
    """Who submitted the lead, that is the creator of the team."""
    notify_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    rank: int | None = None
    assign_automatically: bool = False
    has_call_alert: bool | None = None
    has_text_alert: bool | None = None
    has_email_alert: bool | None = None
    status: LeadOfferStatus = Field(sa_type=enum_type(LeadOfferStatus))
    end_reason: EndReason | None = Field(default=None, sa_type=enum_type(EndReason))
    order_method: OrderMethod | None = Field(default=None, sa_type=enum_type(OrderMethod))
    """The order of the rollout that made the offer; null where none did: imported, or assigned."""
    held_until: datetime | None = Field(default=None, sa_type=UTCDateTime)
    """Until when the user's quiet hours hold back the automatic assignment."""


class Delivery(SQLModel, table=True):
    """The attempts to reach an offer's user on one channel."""

    __tablename__ = "deliveries"
    __table_args__ = (
        _of_the_pending("ix_deliveries_due"),
        NUMBERED_FOR_GOOD,
    )

    id: int = _id()
    offer_id: int = _reference("lead_offers.id", index=True)
    channel: Channel = Field(sa_type=enum_type(Channel))
    status: DeliveryStatus = Field(sa_type=enum_type(DeliveryStatus))
    attempts: int = 0
    next_attempt_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    """When the next attempt is due; null once the delivery has come to an end."""
    sent_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    error: str | None = Field(default=None, sa_type=Text)
    lease: str | None = Field(default=None, sa_type=Text)
    """Whose attempt is under way: while it is, next_attempt_at is when the attempt is given up for dead."""


class Notice(SQLModel, table=True):
    """The attempts to tell a lead's creator that its rollout is exhausted. Its columns are those of a delivery."""

    __tablename__ = "notices"
    __table_args__ = (
        _of_the_pending("ix_notices_due"),
        NUMBERED_FOR_GOOD,
    )

    id: int = _id()
    lead_id: int = _reference("leads.id", index=True)
    status: DeliveryStatus = Field(sa_type=enum_type(DeliveryStatus))
    attempts: int = 0
    next_attempt_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    sent_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    error: str | None = Field(default=None, sa_type=Text)
    lease: str | None = Field(default=None, sa_type=Text)


class TextReply(SQLModel, table=True):
    """A reply that came by text, and the offer that it is about: told twice by the provider, it is about the same."""

    __tablename__ = "text_replies"

    id: str = Field(sa_type=Text, primary_key=True)
    """The provider's."""
    offer_id: int | None = _optional_reference("lead_offers.id", index=True)
    received_at: datetime = Field(sa_type=UTCDateTime)


class Event(SQLModel, table=True):
    """The attempts to tell the webhook what has happened. Columns not explained here are those of a delivery."""

    __tablename__ = "events"
    __table_args__ = (
        _of_the_pending("ix_events_due"),
        NUMBERED_FOR_GOOD,
    )

    id: int = _id()
    key: str = Field(sa_type=Text)
    """By which the receiver knows the event again. Unlike the id it means no other in a restored or second database."""
    kind: EventKind = Field(sa_type=enum_type(EventKind))
    payload: str = Field(sa_type=Text)
    """The body, as it was when it happened: it is the same to the byte however often it is sent."""
    happened_at: datetime = Field(sa_type=UTCDateTime)
    status: DeliveryStatus = Field(sa_type=enum_type(DeliveryStatus))
    attempts: int = 0
    next_attempt_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    sent_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    error: str | None = Field(default=None, sa_type=Text)
    lease: str | None = Field(default=None, sa_type=Text)
