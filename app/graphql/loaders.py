"""Dataloaders: look-ups of one request, batched into a statement for all that ask at the same time.

A batch takes one statement whatever its size. A loader is made on first use and lives as long as its request.
"""

from collections import defaultdict
from collections.abc import Callable, Coroutine, Hashable, Sequence
from datetime import datetime
from functools import cached_property
from typing import Any, TypeVar

from aiodataloader import DataLoader
from sqlalchemy import ColumnElement
from sqlmodel import SQLModel, col, select

from app.access import visibility
from app.commands.eligibility import claim_succeeds
from app.commands.team_warnings import fetch_warnings
from app.config import Settings
from app.db.engine import Database
from app.db.functions import member_of
from app.db.models import (
    Contact,
    Delivery,
    Lead,
    LeadOffer,
    LeadRollout,
    LeadSource,
    RolloutOffer,
    RolloutSkip,
    Team,
    TeamZipcode,
    User,
)
from app.domain.alert_channels import unserved
from app.domain.team_warnings import TeamWarning
from app.lists import filters
from app.lists.pagination import PageOf, fetch_pages

T = TypeVar("T", bound=SQLModel)
Batch = Callable[[list[int]], Coroutine[Any, Any, list[Any]]]


class Loaders:
    """The loaders of one request, for one viewer at one moment."""

    def __init__(self, db: Database, viewer_id: int, now: datetime, settings: Settings) -> None:
        self._db = db
        self._viewer_id = viewer_id
        self._now = now
        self._settings = settings
        self._pages: dict[Hashable, DataLoader[int, Any]] = {}
        self._rows: dict[type[SQLModel], DataLoader[int, Any]] = {}

    @property
    def user(self) -> DataLoader[int, User]:
        return self.row(User)

    @property
    def team(self) -> DataLoader[int, Team]:
        return self.row(Team)

    @property
    def contact(self) -> DataLoader[int, Contact]:
        return self.row(Contact)

    @property
    def lead(self) -> DataLoader[int, Lead]:
        return self.row(Lead)

    @property
    def lead_source(self) -> DataLoader[int, LeadSource]:
        return self.row(LeadSource)

    @cached_property
    def deliveries(self) -> DataLoader[int, list[Delivery]]:
        """An offer's deliveries, oldest first, by the offer's id."""
        return DataLoader(self._children(Delivery, "offer_id", col(Delivery.id)))

    @cached_property
    def zipcodes(self) -> DataLoader[int, list[TeamZipcode]]:
        """A team's zipcodes in ascending order, by the team's id."""
        return DataLoader(self._children(TeamZipcode, "team_id", col(TeamZipcode.zipcode)))

    @cached_property
    def warnings(self) -> DataLoader[int, list[TeamWarning]]:
        """What is wrong with a team's settings, by the team's id."""

        async def load(ids: list[int]) -> list[list[TeamWarning]]:
            teams = await self.team.load_many(ids)
            async with self._db.read() as session:
                found = await fetch_warnings(session, teams, unserved(self._settings))
            return [found[i] for i in ids]

        return DataLoader(load)

    @cached_property
    def rollouts(self) -> DataLoader[int, list[LeadRollout]]:
        """The submits of a lead that made offers, oldest first, by the lead's id."""
        return DataLoader(self._children(LeadRollout, "lead_id", col(LeadRollout.id)))

    @cached_property
    def skipped(self) -> DataLoader[int, list[RolloutSkip]]:
        """Whom a submit left out, by the rollout's id."""
        return DataLoader(self._children(RolloutSkip, "rollout_id", col(RolloutSkip.user_id)))

    @cached_property
    def created_offers(self) -> DataLoader[int, list[LeadOffer]]:
        """The offers that a submit made, by the rollout's id, in the order of their moments."""

        async def load(ids: list[int]) -> list[list[LeadOffer]]:
            made_by = (
                select(RolloutOffer.rollout_id, LeadOffer)
                .join(LeadOffer, col(LeadOffer.id) == col(RolloutOffer.offer_id))
                .where(member_of(col(RolloutOffer.rollout_id), ids))
                .order_by(col(LeadOffer.notify_at).nulls_last(), col(LeadOffer.id))
            )
            offers: dict[int, list[LeadOffer]] = defaultdict(list)
            async with self._db.read() as session:
                for rollout_id, offer in await session.exec(made_by):
                    offers[rollout_id].append(offer)
            return [offers[i] for i in ids]

        return DataLoader(load)

    @cached_property
    def held_contact(self) -> DataLoader[int, bool]:
        """Whether the viewer holds a lead of a contact, by the contact's id."""
        holds = col(Lead.claimed_by_id) == self._viewer_id
        return DataLoader(self._among(col(Lead.contact_id), holds))

    @cached_property
    def accepted_team(self) -> DataLoader[int, bool]:
        """Whether the viewer has accepted the invitation to a team, by the team's id."""
        return DataLoader(self._among(col(Team.id), visibility.has_accepted(col(Team.id), self._viewer_id)))

    @cached_property
    def offered_lead(self) -> DataLoader[int, bool]:
        """Whether the viewer may find a lead, by its id."""
        return DataLoader(self._among(col(Lead.id), visibility.leads(self._viewer_id, self._now)))

    @cached_property
    def claim_succeeds(self) -> DataLoader[int, bool]:
        """Whether the viewer would succeed in claiming an offer, or has its lead, by the offer's id."""
        return DataLoader(self._among(col(LeadOffer.id), claim_succeeds(self._viewer_id, self._now)))

    def row(self, model: type[SQLModel]) -> DataLoader[int, Any]:
        """Rows of a table, by their id."""
        if model not in self._rows:
            self._rows[model] = self._by_id(model)
        return self._rows[model]

    def pages(
        self, model: type[T], parent: str, found: ColumnElement[bool], page: filters.Page
    ) -> DataLoader[int, PageOf[T]]:
        """Pages of `model` nested in a list, by the id of the parent that the column `parent` names."""
        key = (model, page)
        if key not in self._pages:

            async def load(ids: list[int]) -> list[PageOf[T]]:
                async with self._db.read() as session:
                    pages = await fetch_pages(session, model, parent, ids, found, page)
                return [pages[i] for i in ids]

            self._pages[key] = DataLoader(load)
        return self._pages[key]

    def _by_id(self, model: Any) -> DataLoader[int, Any]:
        async def load(ids: list[int]) -> list[Any]:
            async with self._db.read() as session:
                rows = (await session.exec(select(model).where(member_of(model.id, ids)))).all()
            by_id = {row.id: row for row in rows}
            return [by_id.get(i) for i in ids]

        return DataLoader(load)

    def _children(self, model: Any, parent: str, order: Any) -> Batch:
        async def load(ids: list[int]) -> list[list[Any]]:
            column = getattr(model, parent)
            async with self._db.read() as session:
                rows = (await session.exec(select(model).where(member_of(column, ids)).order_by(order))).all()
            return _grouped(rows, parent, ids)

        return load

    def _among(self, column: Any, condition: ColumnElement[bool]) -> Batch:
        async def load(ids: list[int]) -> list[bool]:
            async with self._db.read() as session:
                found = set((await session.exec(select(column).where(member_of(column, ids), condition))).all())
            return [i in found for i in ids]

        return load


def _grouped(rows: Sequence[Any], parent: str, ids: Sequence[int]) -> list[list[Any]]:
    groups: dict[int, list[Any]] = defaultdict(list)
    for row in rows:
        groups[getattr(row, parent)].append(row)
    return [groups[i] for i in ids]
