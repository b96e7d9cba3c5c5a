"""Add what an enquiry says, the keys by which a contact is found again, and API keys."""

import unicodedata
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"

Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Instant = sa.DateTime(timezone=True)
Text = sa.String().with_variant(sa.String(collation="C"), "postgresql")

TEXTS = ("message", "mls_id", "listing_status", "street_address", "city", "state", "language", "external_id")

CHUNK = 10_000
"""Contacts whose keys are worked out at a time."""


def upgrade() -> None:
    """Add columns and tables that servers of an earlier version, which still run, need not know.

    Contacts that such a server enters after this have no keys until they are changed: an enquiry makes a new contact.
    """
    for name in TEXTS:
        op.add_column("leads", sa.Column(name, Text, nullable=True))
    op.add_column("leads", sa.Column("listing_price", sa.Integer(), nullable=True))
    index_leads()
    op.create_table(
        "api_keys",
        sa.Column("id", Id, nullable=False),
        sa.Column("user_id", Id, nullable=False),
        sa.Column("name", Text, nullable=False),
        sa.Column("prefix", Text, nullable=False),
        sa.Column("hash", Text, nullable=False),
        sa.Column("source_id", Id, nullable=True),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("expires_at", Instant, nullable=True),
        sa.Column("revoked_at", Instant, nullable=True),
        sa.Column("last_used_on", Text, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_api_keys"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_api_keys_user_id"),
        sa.ForeignKeyConstraint(["source_id"], ["lead_sources.id"], name="fk_api_keys_source_id"),
        sa.UniqueConstraint("hash", name="uq_api_keys_hash"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_api_keys_user_by_id", "api_keys", ["user_id", "id"])
    op.create_index("ix_api_keys_user_by_name", "api_keys", ["user_id", "name", "id"])
    op.create_index("ix_api_keys_source_id", "api_keys", ["source_id"])
    op.create_table(
        "api_key_scopes",
        sa.Column("api_key_id", Id, nullable=False),
        sa.Column("scope", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("api_key_id", "scope", name="pk_api_key_scopes"),
        sa.ForeignKeyConstraint(["api_key_id"], ["api_keys.id"], name="fk_api_key_scopes_api_key_id"),
    )
    op.create_table(
        "contact_keys",
        sa.Column("owner_id", Id, nullable=False),
        sa.Column("value", Text, nullable=False),
        sa.Column("contact_id", Id, nullable=False),
        sa.Column("is_found", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("owner_id", "value", "contact_id", name="pk_contact_keys"),
        sa.ForeignKeyConstraint(["owner_id"], ["users.id"], name="fk_contact_keys_owner_id"),
        sa.ForeignKeyConstraint(["contact_id"], ["contacts.id"], name="fk_contact_keys_contact_id"),
    )
    op.create_index("ix_contact_keys_contact_id", "contact_keys", ["contact_id"])
    fill_contact_keys()
    is_found = sa.text("is_found")
    op.create_index(
        "uq_contact_keys_found",
        "contact_keys",
        ["owner_id", "value"],
        unique=True,
        postgresql_where=is_found,
        sqlite_where=is_found,
    )


def index_leads() -> None:
    """Serve the filters by source, city, price and external id, and keep an external id unique."""
    is_postgresql = op.get_bind().dialect.name == "postgresql"
    highest_first = sa.text("listing_price DESC NULLS LAST" if is_postgresql else "listing_price DESC")
    has_city, has_external_id = sa.text("city IS NOT NULL"), sa.text("external_id IS NOT NULL")
    op.create_index("ix_leads_created_by_by_source", "leads", ["creator_id", "source_id", "id"])
    op.create_index("ix_leads_created_by_by_price", "leads", ["creator_id", highest_first, "id"])
    op.create_index(
        "ix_leads_created_by_by_city",
        "leads",
        ["creator_id", "city", "id"],
        postgresql_where=has_city,
        sqlite_where=has_city,
    )
    op.create_index(
        "uq_leads_external_id",
        "leads",
        ["creator_id", "external_id", sa.text("coalesce(source_id, 0)")],
        unique=True,
        postgresql_where=has_external_id,
        sqlite_where=has_external_id,
    )


def fill_contact_keys() -> None:
    """Write the keys of all contacts. If an owner has several contacts with one key, the oldest is found."""
    connection = op.get_bind()
    keys = sa.table("contact_keys", *map(sa.column, ("owner_id", "value", "contact_id", "is_found")))
    last = 0
    while contacts := connection.execute(CONTACTS, {"last": last, "chunk": CHUNK}).all():
        if rows := [key for contact in contacts for key in keys_of(*contact)]:
            connection.execute(keys.insert(), rows)
        last = contacts[-1][0]
    connection.execute(FIND_THE_OLDEST)


CONTACTS = sa.text("SELECT id, owner_id, email, mobile_phone FROM contacts WHERE id > :last ORDER BY id LIMIT :chunk")
FIND_THE_OLDEST = sa.text(
    """UPDATE contact_keys SET is_found = true WHERE contact_id = (SELECT min(other.contact_id) FROM contact_keys other
    WHERE other.owner_id = contact_keys.owner_id AND other.value = contact_keys.value)"""
)


def keys_of(contact_id: int, owner_id: int, email: str | None, mobile_phone: str | None) -> Iterator[dict[str, Any]]:
    folded = email and f"mailto:{unicodedata.normalize('NFC', email.lower())}"
    for value in filter(None, (folded, mobile_phone and f"tel:{mobile_phone}")):
        yield {"owner_id": owner_id, "value": value, "contact_id": contact_id, "is_found": False}
