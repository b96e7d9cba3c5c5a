"""Where leads come from."""

from sqlalchemy import Insert
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import SQLModel, col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.db.models import LeadSource
from app.domain.validation import checking, fold


async def create_lead_source(session: AsyncSession, viewer_id: int, name: str) -> LeadSource:
    """The viewer's source of this name, trimmed and case folded: the one there is, else a new one."""
    with checking() as check:
        name = check.name("name", name)
    new = {"creator_id": viewer_id, "name": name, "name_key": fold(name)}
    await session.exec(_NEW[session.get_bind().dialect.name], params=new)
    same = (col(LeadSource.creator_id) == viewer_id, col(LeadSource.name_key) == fold(name))
    return (await session.exec(select(LeadSource).where(*same))).one()


_SOURCES = SQLModel.metadata.tables["lead_sources"]
_SAME = ["creator_id", "name_key"]
_NEW: dict[str, Insert] = {
    "postgresql": postgresql.insert(_SOURCES).on_conflict_do_nothing(index_elements=_SAME),
    "sqlite": sqlite.insert(_SOURCES).on_conflict_do_nothing(index_elements=_SAME),
}
"""Two who enter the same name at once get the same source."""
