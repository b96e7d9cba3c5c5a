"""Writes the rows that a test needs, with defaults for everything it does not state."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from sqlmodel import SQLModel

from app.access.api_keys import new_key
from app.commands.claim_ledger import end_claim, open_claim
from app.commands.contact_keys import add_keys, keys_of
from app.commands.step_end import set_gives_up_at
from app.db.engine import Database
from app.db.models import (
    ApiKey,
    ApiKeyScope,
    Contact,
    DistributionOption,
    Lead,
    LeadOffer,
    LeadRoute,
    LeadSource,
    Team,
    TeamMember,
    TeamZipcode,
    User,
)
from app.domain.api_key_form import SHOWN_LENGTH, hash_key
from app.domain.enums import (
    ApiScope,
    ClaimedVia,
    ClaimEnd,
    DistributionTarget,
    LeadOfferStatus,
    OrderMethod,
    RequestStatus,
    TeamSelectionMethod,
)

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
"""The time of the tests: a Monday morning."""


def at(minutes: float) -> datetime:
    """Return the time so many minutes after NOW."""
    return NOW + timedelta(minutes=minutes)


@dataclass(frozen=True)
class Cast:
    """Alice owns the team, Bob is a member, and Charlie is a stranger who has access to nothing."""

    alice: User
    bob: User
    charlie: User
    team: Team


def unsaved_lead(**fields: Any) -> Lead:
    """Return a lead that is in no database, as the texts of messages are about it."""
    known = {"id": 9, "contact_id": 1, "creator_id": 1, "distribution_target": DistributionTarget.MYSELF}
    return Lead(**{**known, "created_at": NOW, **fields})


class World:
    """Writes rows to a database. Each method commits before it returns."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._numbers = count(1)

    async def add(self, *rows: SQLModel) -> None:
        """Write the rows in this order."""
        async with self.database.write() as session:
            for row in rows:
                session.add(row)
                await session.flush()

    async def cast(self) -> Cast:
        alice, bob, charlie = [await self.user(name) for name in ("Alice", "Bob", "Charlie")]
        team = await self.team(alice)
        await self.member(team, bob, rank=1)
        return Cast(alice, bob, charlie, team)

    async def user(self, first_name: str = "Ursula", **fields: Any) -> User:
        """Add a user. The default e-mail address is `ursula.1@example.com` and so on."""
        email = f"{first_name}.{next(self._numbers)}@example.com".lower()
        defaults: dict[str, Any] = {"last_name": "Example", "email": email, "timezone": "America/Los_Angeles"}
        user = User(first_name=first_name, **(defaults | fields))
        await self.add(user)
        return user

    async def team(
        self, creator: User, order_method: OrderMethod = OrderMethod.RANK, zipcodes: Sequence[str] = (), **fields: Any
    ) -> Team:
        """Add a team. A team by rank has 15 minutes between two tiers unless given."""
        gap = 15 if order_method is OrderMethod.RANK else 0
        defaults: dict[str, Any] = {
            "name": f"Team {next(self._numbers)}",
            "mins_until_next_alert": gap,
            "created_at": NOW,
        }
        team = Team(creator_id=creator.id, order_method=order_method, **(defaults | fields))
        await self.add(team)
        await self.add(*(TeamZipcode(team_id=team.id, zipcode=zipcode) for zipcode in zipcodes))
        return team

    async def membership(self, team: Team, user: User, status: RequestStatus = RequestStatus.ACCEPTED) -> TeamMember:
        """Add a membership without a distribution option."""
        member = TeamMember(team_id=team.id, user_id=user.id, request_status=status)
        await self.add(member)
        return member

    async def option(self, team: Team, user: User, **fields: Any) -> DistributionOption:
        option = DistributionOption(team_id=team.id, user_id=user.id, **fields)
        await self.add(option)
        return option

    async def member(
        self, team: Team, user: User, status: RequestStatus = RequestStatus.ACCEPTED, **option: Any
    ) -> DistributionOption:
        """Add a membership and its distribution option: `rank`, `mins_until_lead_offer`, the channels and so on."""
        await self.membership(team, user, status)
        return await self.option(team, user, **option)

    async def member_user(self, team: Team, first_name: str = "Uma", **fields: Any) -> User:
        """Add a user who is a member. The fields are those of the user and of the distribution option."""
        of_option = {name: fields.pop(name) for name in [*fields] if name in DistributionOption.model_fields}
        user = await self.user(first_name, **fields)
        await self.member(team, user, **of_option)
        return user

    async def contact(self, owner: User, **fields: Any) -> Contact:
        defaults: dict[str, Any] = {
            "first_name": "Mary",
            "last_name": "Jackson",
            "email": "mary@example.com",
            "mobile_phone": "+12025550123",
        }
        contact = Contact(owner_id=owner.id, **(defaults | fields))
        await self.add(contact)
        async with self.database.write() as session:
            await add_keys(session, owner.id, contact.id, keys_of(contact.email, contact.mobile_phone))
        return contact

    async def source(self, creator: User, name: str = "Website") -> LeadSource:
        source = LeadSource(creator_id=creator.id, name=name, name_key=name.strip().casefold())
        await self.add(source)
        return source

    async def api_key(self, user: User, *scopes: ApiScope, **fields: Any) -> tuple[ApiKey, str]:
        """Add an API key. Return its row and the key itself."""
        key = new_key()
        defaults: dict[str, Any] = {"name": f"Key {next(self._numbers)}", "created_at": NOW}
        row = ApiKey(user_id=user.id, prefix=key[:SHOWN_LENGTH], hash=hash_key(key), **(defaults | fields))
        await self.add(row)
        await self.add(*(ApiKeyScope(api_key_id=row.id, scope=scope) for scope in scopes))
        return row, key

    async def route(
        self, source: LeadSource, team: Team | None = None, lead_type: str | None = None, **fields: Any
    ) -> LeadRoute:
        """Add a route to the team, or to the creator of the source if there is no team."""
        route = LeadRoute(
            creator_id=source.creator_id,
            lead_source_id=source.id,
            lead_type=lead_type,
            lead_type_key=(lead_type or "").strip().casefold(),
            **(_target(team) | fields),
        )
        await self.add(route)
        return route

    async def lead(
        self, creator: User, team: Team | None = None, contact: Contact | None = None, **fields: Any
    ) -> Lead:
        """Add an unclaimed lead for a rollout to the team, or for its creator alone if there is no team."""
        contact = contact or await self.contact(creator)
        defaults: dict[str, Any] = {"created_at": NOW} | _target(team)
        lead = Lead(creator_id=creator.id, contact_id=contact.id, **(defaults | fields))
        await self.add(lead)
        async with self.database.write() as session:
            await set_gives_up_at(session, [lead.id], NOW)
        return lead

    async def zipcode_lead(self, creator: User, zipcode: str | None, **fields: Any) -> Lead:
        """Add a lead whose team is chosen by ZIP code."""
        method: dict[str, Any] = {"distribution_target": DistributionTarget.TEAM_ROLLOUT}
        return await self.lead(
            creator, team_selection_method=TeamSelectionMethod.ZIPCODE, zipcode=zipcode, **(method | fields)
        )

    async def offer(
        self,
        lead: Lead,
        user: User | None,
        team: Team | None = None,
        status: LeadOfferStatus = LeadOfferStatus.SENT,
        **fields: Any,
    ) -> LeadOffer:
        """Add an offer by the lead's creator. By default it is due at `NOW` and announced by e-mail."""
        defaults: dict[str, Any] = {"notify_at": NOW, "offered_by_id": lead.creator_id, "has_email_alert": True}
        offer = LeadOffer(
            lead_id=lead.id,
            user_id=user.id if user else None,
            team_id=team.id if team else lead.team_id,
            status=status,
            **(defaults | fields),
        )
        await self.add(offer)
        return offer

    async def claimed(self, lead: Lead, holder: User, via: ClaimedVia = ClaimedVia.APP) -> None:
        """Set who has claimed the lead, without changing its offers. Somebody else may have had it."""
        async with self.database.write() as session:
            await end_claim(session, lead.id, ClaimEnd.REASSIGNED, NOW)
            lead.claimed_by_id, lead.claimed_at, lead.claimed_via = holder.id, NOW, via
            if lead.first_claimed_via is None:
                lead.first_claimed_at, lead.first_claimed_via = NOW, via
            session.add(lead)
            await session.flush()
            await open_claim(session, lead.id)


def _target(team: Team | None) -> dict[str, Any]:
    if team is None:
        return {"distribution_target": DistributionTarget.MYSELF}
    return {
        "distribution_target": DistributionTarget.TEAM_ROLLOUT,
        "team_selection_method": TeamSelectionMethod.SPECIFIC_TEAM,
        "team_id": team.id,
    }


async def change(world: World, row: SQLModel, **fields: Any) -> None:
    """Give a row that was written other values."""
    for name, value in fields.items():
        setattr(row, name, value)
    await world.add(row)
