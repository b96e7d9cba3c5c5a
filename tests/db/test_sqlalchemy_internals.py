"""The parts of SQLAlchemy that app/db/sqlalchemy_internals.py relies on: a test fails if a new version changes one."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import Dialect, bindparam, inspect, make_url
from sqlalchemy import select as select_columns
from sqlmodel import col, select

from app.config import DRIVERS
from app.db.models import Team, User
from app.db.sqlalchemy_internals import as_core, column_readers, compile_text, detached
from app.domain.enums import OrderMethod

ASYNCPG, AIOSQLITE = (make_url(f"{driver}://").get_dialect()() for driver in DRIVERS[::-1])
TEAMS = select(Team.order_method, Team.created_at).where(
    col(Team.name) == bindparam("name"), col(Team.id) > 7, col(Team.created_at) == bindparam("at")
)


@pytest.mark.parametrize(("dialect", "placeholders"), [(ASYNCPG, ("$1", "$2", "$3")), (AIOSQLITE, ("?", "?", "?"))])
def test_parameters_come_in_the_order_of_their_placeholders(dialect: Dialect, placeholders: tuple[str, ...]) -> None:
    """`positiontup` and `bind_names` of a compiled statement; a literal has a name and a value of its own."""
    sql, parameters, literals = compile_text(TEAMS, dialect)
    names = [name for name, _convert in parameters]
    assert (names[0], names[2]) == ("name", "at")
    assert literals == {names[1]: 7}
    position = -1
    for placeholder in placeholders:
        position = sql.index(placeholder, position + 1)


def test_values_are_converted_to_the_drivers_types() -> None:
    """Those of parameters on each run, those that stand in the statement once."""
    at = datetime(2026, 3, 2, 9, tzinfo=UTC)
    _sql, parameters, _literals = compile_text(TEAMS, AIOSQLITE)
    convert = dict(parameters)["at"]
    assert convert
    assert convert(at) == "2026-03-02 09:00:00.000000"
    _sql, _parameters, literals = compile_text(select(Team.id).where(col(Team.created_at) == at), AIOSQLITE)
    assert list(literals.values()) == ["2026-03-02 09:00:00.000000"]


def test_a_text_that_depends_on_the_values_is_refused() -> None:
    """`post_compile_params`: SQLAlchemy writes the placeholders of an IN only when it knows the list."""
    with pytest.raises(AssertionError, match="depends on its values"):
        compile_text(select(Team.id).where(col(Team.id).in_(bindparam("ids", expanding=True))), AIOSQLITE)


def test_columns_are_converted_to_python_types() -> None:
    order_method, created_at = column_readers(TEAMS, AIOSQLITE)
    assert order_method
    assert created_at
    assert order_method("RANK") is OrderMethod.RANK
    assert created_at("2026-03-02 09:00:00.000000") == datetime(2026, 3, 2, 9, tzinfo=UTC)


def test_a_detached_row_is_unchanged_and_in_no_session() -> None:
    """`class_manager.new_instance`: the row has SQLAlchemy's state, without a session and without changes."""
    values = dict.fromkeys(inspect(User).local_table.columns.keys())
    user = detached(User)(*(values | {"id": 1, "email": "grace@example.com"}).values())
    assert (user.id, user.email) == (1, "grace@example.com")
    state = inspect(user)
    assert (state.session, state.modified) == (None, False)


@pytest.mark.parametrize("dialect", [ASYNCPG, AIOSQLITE])
def test_a_query_of_columns_has_the_same_text_without_the_orm(dialect: Dialect) -> None:
    """`_propagate_attrs`: a condition on an attribute of a model makes the ORM compile the query."""
    columns = inspect(Team).local_table.c
    by_orm = select_columns(columns.id).where(col(Team.name) == bindparam("name")).order_by(columns.id)
    core = as_core(by_orm)
    assert core.compile(dialect=dialect).string == by_orm.compile(dialect=dialect).string
    assert by_orm._propagate_attrs
    assert not core._propagate_attrs
