"""Lead sources: the websites, portals and programs that leads come from."""

from sqlalchemy import bindparam
from sqlalchemy.dialects import postgresql
from sqlmodel import SQLModel, col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.access import visibility
from app.db.compiled import Statement
from app.db.models import LeadSource
from app.domain.identifiers import parse_id
from app.domain.validation import Check, checking, fold
from app.errors import ApiError, Code

# Two simultaneous requests for one name get the same source. SQLite accepts PostgreSQL's ON CONFLICT.
_NEW_SOURCE = Statement[None](
    postgresql.insert(SQLModel.metadata.tables["lead_sources"])
    .values({name: bindparam(name) for name in ("creator_id", "name", "name_key")})
    .on_conflict_do_nothing(index_elements=["creator_id", "name_key"])
    .inline()  # returns no id
)


async def create_lead_source(session: AsyncSession, viewer_id: int, name: str) -> LeadSource:
    """Return the viewer's lead source of this name, and create it if there is none.

    Names are compared trimmed and case folded. Raises BAD_USER_INPUT.
    """
    with checking() as check:
        name = check.name("name", name)
    key = fold(name)

    await _NEW_SOURCE.run(session, creator_id=viewer_id, name=name, name_key=key)
    found = select(LeadSource).where(col(LeadSource.creator_id) == viewer_id, col(LeadSource.name_key) == key)
    return (await session.exec(found)).one()


async def check_source(
    session: AsyncSession, viewer_id: int, check: Check, field: str, source_id: int | None
) -> int | None:
    """Return the id, and note a problem unless it is null or belongs to one of the viewer's lead sources."""
    own = select(LeadSource.id).where(col(LeadSource.id) == source_id, visibility.lead_sources(viewer_id))
    if source_id is not None and (await session.exec(own)).one_or_none() is None:
        check.refuse(field, "is not the id of a lead source that you entered")
    return source_id


async def find_source(session: AsyncSession, user_id: int, wanted: str) -> int:
    """Return the id of the user's lead source with this name, else of the one with this id. Raises NOT_FOUND."""
    sources = (await session.exec(select(LeadSource).where(visibility.lead_sources(user_id)))).all()
    named = [source.id for source in sources if source.name_key == fold(wanted)]
    if not (found := named or [source.id for source in sources if source.id == parse_id(wanted)]):
        raise ApiError(Code.NOT_FOUND, f"The user has no lead source with the name or id {wanted!r}.")
    return found[0]
