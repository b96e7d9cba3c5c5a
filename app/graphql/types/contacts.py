"""Contacts: the people who enquire."""

from typing import Any

import strawberry
from sqlalchemy import ColumnElement, case, exists, or_, select
from sqlmodel import col

from app.db import models
from app.graphql.context import Info
from app.graphql.fields import Asker, Sql, resolved

Row = strawberry.Parent[models.Contact]


async def _email(contact: Row, info: Info) -> str | None:
    return contact.email if await _is_reachable(contact, info) else None


async def _mobile_phone(contact: Row, info: Info) -> str | None:
    return contact.mobile_phone if await _is_reachable(contact, info) else None


async def _is_reachable(contact: models.Contact, info: Info) -> bool:
    mine = contact.owner_id == info.context.viewer.id
    return mine or await info.context.loaders.held_contact.load(contact.id)


def _where_reachable(name: str) -> Sql:
    """The column of this name, where `_is_reachable`."""

    def sql(contact: Any, asker: Asker) -> ColumnElement[Any]:
        holds = select(1).where(col(models.Lead.contact_id) == contact.id, col(models.Lead.claimed_by_id) == asker.id)
        return case((or_(contact.owner_id == asker.id, exists(holds)), contact[name]))

    return sql


@strawberry.type(description="The person who enquires. A contact may have several leads.")
class Contact:
    id: strawberry.ID
    first_name: str | None
    last_name: str | None
    email: str | None = resolved(
        _email,
        description="Null to everyone but the contact's owner and whoever holds a lead of this contact.",
        sql=_where_reachable("email"),
    )
    mobile_phone: str | None = resolved(
        _mobile_phone,
        description="Null to everyone but the contact's owner and whoever holds a lead of this contact.",
        sql=_where_reachable("mobile_phone"),
    )


@strawberry.type(description="A page of a list: total counts every match, before limit and skip.")
class ContactPage:
    total: int
    limit: int = strawberry.field(description="The limit in force: 100 at most.")
    skip: int
    data: list[Contact]
