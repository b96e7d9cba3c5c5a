"""Dataloaders: the reads of one request, batched.

Keys that are requested in the same turn of the event loop are read by one statement, however many there are. A loader
is created on first use and lives as long as its request.
"""

from collections import defaultdict
from collections.abc import Hashable, Sequence
from functools import cached_property
from typing import Any, TypeVar

from aiodataloader import DataLoader
from sqlalchemy import ColumnElement
from sqlmodel import SQLModel, col, select

from app.access.field_access import AccessContext, Condition
from app.commands.team_warnings import fetch_warnings
from app.config import Settings
from app.db.engine import Database
from app.db.functions import member_of
from app.db.models import Delivery, LeadOffer, LeadRollout, RolloutOffer, RolloutSkip, Team, TeamZipcode
from app.domain.alert_channels import unserved
from app.domain.team_warnings import TeamWarning
from app.lists import filters
from app.lists.pagination import Page, columns_of, fetch_pages

T = TypeVar("T", bound=SQLModel)


class Loaders:
    """The loaders of one request."""

    def __init__(self, db: Database, access: AccessContext, settings: Settings) -> None:
        self._db = db
        self._access = access
        self._settings = settings
        self._rows: dict[type[SQLModel], DataLoader[int, Any]] = {}
        self._conditions: dict[Hashable, DataLoader[int, bool]] = {}
        self._pages: dict[Hashable, DataLoader[int, Any]] = {}

    def row(self, model: type[T]) -> DataLoader[int, T]:
        """Rows of a table, by their id."""
        if model not in self._rows:

            async def load(ids: list[int]) -> list[Any]:
                key = columns_of(model)["id"]
                async with self._db.read() as session:
                    rows: Sequence[Any] = (await session.exec(select(model).where(member_of(key, ids)))).all()
                by_id = {row.id: row for row in rows}
                return [by_id.get(i) for i in ids]

            self._rows[model] = DataLoader(load)
        return self._rows[model]

    def condition(self, model: type[SQLModel], condition: Condition) -> DataLoader[int, bool]:
        """Whether a condition holds for a row of `model` and the viewer, by the row's id."""
        key = (model, condition)
        if key not in self._conditions:

            async def load(ids: list[int]) -> list[bool]:
                row = model.__table__.alias().c  # type: ignore[attr-defined]
                holding = select(row.id).where(member_of(row.id, ids), condition(row, self._access))
                async with self._db.read() as session:
                    found = set((await session.exec(holding)).all())
                return [i in found for i in ids]

            self._conditions[key] = DataLoader(load)
        return self._conditions[key]

    def pages(
        self, model: type[T], parent: str, found: ColumnElement[bool], page: filters.PageRequest
    ) -> DataLoader[int, Page[T]]:
        """Pages of `model` nested in a list, by the id of the parent, which is in the column `parent`."""
        key = (model, page)
        if key not in self._pages:

            async def load(ids: list[int]) -> list[Page[T]]:
                async with self._db.read() as session:
                    pages = await fetch_pages(session, model, parent, ids, found, page)
                return [pages[i] for i in ids]

            self._pages[key] = DataLoader(load)
        return self._pages[key]

    @cached_property
    def deliveries(self) -> DataLoader[int, list[Delivery]]:
        """An offer's deliveries, oldest first, by the offer's id."""
        return self._children(Delivery, "offer_id", order="id")

    @cached_property
    def zipcodes(self) -> DataLoader[int, list[TeamZipcode]]:
        """A team's zipcodes in ascending order, by the team's id."""
        return self._children(TeamZipcode, "team_id", order="zipcode")

    @cached_property
    def rollouts(self) -> DataLoader[int, list[LeadRollout]]:
        """The submits of a lead that created offers, oldest first, by the lead's id."""
        return self._children(LeadRollout, "lead_id", order="id")

    @cached_property
    def skipped(self) -> DataLoader[int, list[RolloutSkip]]:
        """The members that a submit skipped, by the rollout's id."""
        return self._children(RolloutSkip, "rollout_id", order="user_id")

    @cached_property
    def created_offers(self) -> DataLoader[int, list[LeadOffer]]:
        """The offers that a submit created, in the order of `notify_at`, by the rollout's id."""

        async def load(ids: list[int]) -> list[list[LeadOffer]]:
            created = (
                select(RolloutOffer.rollout_id, LeadOffer)
                .join(LeadOffer, col(LeadOffer.id) == col(RolloutOffer.offer_id))
                .where(member_of(col(RolloutOffer.rollout_id), ids))
                .order_by(col(LeadOffer.notify_at).nulls_last(), col(LeadOffer.id))
            )
            offers: dict[int, list[LeadOffer]] = defaultdict(list)
            async with self._db.read() as session:
                for rollout_id, offer in await session.exec(created):
                    offers[rollout_id].append(offer)
            return [offers[i] for i in ids]

        return DataLoader(load)

    @cached_property
    def warnings(self) -> DataLoader[int, list[TeamWarning]]:
        """The warnings about a team's settings, by the team's id."""

        async def load(ids: list[int]) -> list[list[TeamWarning]]:
            teams = await self.row(Team).load_many(ids)
            async with self._db.read() as session:
                warnings = await fetch_warnings(session, teams, unserved(self._settings))
            return [warnings[i] for i in ids]

        return DataLoader(load)

    def _children(self, model: type[T], parent: str, *, order: str) -> DataLoader[int, list[T]]:
        async def load(ids: list[int]) -> list[list[T]]:
            columns = columns_of(model)
            statement = select(model).where(member_of(columns[parent], ids)).order_by(columns[order])
            children: dict[int, list[T]] = defaultdict(list)
            async with self._db.read() as session:
                for row in await session.exec(statement):
                    children[getattr(row, parent)].append(row)
            return [children[i] for i in ids]

        return DataLoader(load)
