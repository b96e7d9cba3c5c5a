"""Locks on rows, and the one order in which all commands take them. No other module of the commands locks rows.

A lock holds until the transaction ends. Two transactions that take locks in different orders can wait for each other
for ever: a deadlock, which PostgreSQL ends by failing one of them. All commands therefore lock in this order:

0. the **e-mail address** of somebody without an account, by `lock_address` (app/access/sign_up.py).
1. **contacts**, one at most, and then **contact keys**, by value. A command that changes a contact locks it; one that
   writes a key waits for others that write the same key of the same owner (app/commands/contact_keys.py). No command
   that locks an existing lead does either. The external id of a new lead, which may have to wait too, comes next.
2. **leads**, by id. The lock of a lead guards its offers and their deliveries: a command that creates, changes or ends
   them locks the lead, exclusively.
3. **lead routes**: all those of one user, by id, to change one.
4. **teams**, by id. The lock of a team guards its zipcodes, members, waiting invitations and distribution options: a
   command that changes them locks the team exclusively; a command that decides by them, such as a submit, shares its
   lock.
   Its marks of turns come after it: the lock of the team guards its rows of `turns`, too.
5. **users**, by id. A command that changes when a user may be offered leads (absence, quiet hours, deactivation) locks
   the user exclusively, one user at most; a command that decides by that shares its lock. The lock of a user also
   guards the set of their API keys.
6. other rows, such as API keys.

Foreign keys follow the order by themselves: a new row takes a shared lock on each row that it refers to, the same lock
that `share` takes, so that a submit pays nothing for it. A new contact shares the lock of its owner before those of
teams, which is safe as long as no command locks a team and then a user exclusively.

Commands that withdraw offers (leaving, absence, deactivation, deletion of a team) have to know the leads before they
lock the team or the user. A submit may offer another lead in the meantime, and its lead comes too late in the order.
`lock_late_leads` locks it without waiting, or has the transaction run again.

SQLite has no row locks: there every write transaction locks the whole database, and these statements only read.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, bindparam, exists, or_
from sqlmodel import SQLModel, col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.access import visibility
from app.db.compiled import Statement
from app.db.driver_errors import TransactionConflict
from app.db.functions import member_of, set_parameter
from app.db.models import ApiKey, Contact, Lead, LeadOffer, LeadRoute, Team, TextOptOut, User, WaitingInvitation
from app.db.sqlalchemy_internals import detached
from app.db.types import Id, UTCDateTime
from app.errors import ApiError, Code

_FRESH = {"populate_existing": True}
_VIEWER = bindparam("viewer_id", type_=Id)


def share(statement: Any, *tables: type[SQLModel]) -> Any:
    """Make a select share the locks of its rows in these tables, in the order given.

    Several transactions can share a lock; an exclusive one waits for all of them.
    """
    return statement.with_for_update(read=True, key_share=True, of=tables)


# 1. Contacts


async def lock_contact(session: AsyncSession, viewer_id: int, contact_id: int) -> Contact | None:
    """Lock a contact that the viewer can see, and return its current row. New leads may still refer to it."""
    found = select(Contact).where(col(Contact.id) == contact_id, visibility.contacts(viewer_id))
    locked = found.with_for_update(of=Contact, key_share=True)
    return (await session.exec(locked, execution_options=_FRESH)).one_or_none()


# 2. Leads


async def lock_lead(session: AsyncSession, lead_id: int) -> Lead:
    """Lock a lead and return its current row."""
    one = select(Lead).where(col(Lead.id) == lead_id).with_for_update(of=Lead)
    return (await session.exec(one, execution_options=_FRESH)).one()


async def lock_leads(session: AsyncSession, lead_ids: Collection[int]) -> Sequence[Lead]:
    """Lock leads and return their current rows."""
    among = select(Lead).where(member_of(col(Lead.id), lead_ids)).order_by(col(Lead.id)).with_for_update(of=Lead)
    return (await session.exec(among, execution_options=_FRESH)).all()


async def lock_leads_of_offers(session: AsyncSession, offers: ColumnElement[bool]) -> Sequence[int]:
    """Lock the leads of the offers that the condition matches, and return their ids."""
    leads = select(Lead.id).where(_has_offer(offers)).order_by(col(Lead.id))
    return (await session.exec(leads.with_for_update(of=Lead))).all()


async def lock_late_leads(session: AsyncSession, offers: ColumnElement[bool], lead_ids: Sequence[int]) -> Sequence[int]:
    """Lock the leads that have got such an offer since `lead_ids` were locked, and return the ids of all of them.

    The caller has locked the team or the user in the meantime, so that no more can come. Raises TransactionConflict
    if another transaction has locked one of the leads, as waiting for it would be out of order.
    """
    late = select(Lead.id).where(_has_offer(offers), ~member_of(col(Lead.id), lead_ids))
    late_ids = (await session.exec(late)).all()
    if not late_ids:
        return lead_ids
    free = select(Lead.id).where(member_of(col(Lead.id), late_ids)).with_for_update(of=Lead, skip_locked=True)
    if len((await session.exec(free)).all()) < len(late_ids):
        raise TransactionConflict("a lead that was offered in the meantime is locked")
    return sorted([*lead_ids, *late_ids])


def _has_offer(offers: ColumnElement[bool]) -> ColumnElement[bool]:
    return exists(select(1).where(col(LeadOffer.lead_id) == col(Lead.id), offers))


_IS_VISIBLE = visibility.leads(_VIEWER, bindparam("now", type_=UTCDateTime))
_VISIBLE = Statement(
    select(Lead).where(col(Lead.id) == bindparam("lead_id"), _IS_VISIBLE).with_for_update(of=Lead), detached(Lead)
)


async def lock_visible_lead(session: AsyncSession, viewer_id: int, lead_id: int, now: datetime) -> Lead | None:
    """Lock a lead that the viewer can see, and return its current row, detached from the session."""
    return await _VISIBLE.first(session, lead_id=lead_id, viewer_id=viewer_id, now=now)


async def lock_own_lead(session: AsyncSession, viewer_id: int, lead_id: int, now: datetime, *, to: str) -> Lead:
    """Lock and return a lead that the viewer created; `to` is the verb for the error message.

    Raises NOT_FOUND if the viewer cannot see the lead, FORBIDDEN if somebody else created it.
    """
    found = select(Lead.creator_id).where(col(Lead.id) == lead_id, visibility.leads(viewer_id, now))
    require_creator((await session.exec(found)).one_or_none(), viewer_id, to=to)
    return await lock_lead(session, lead_id)


def require_creator(creator_id: int | None, viewer_id: int, *, to: str) -> None:
    """Raise NOT_FOUND if a lead has no creator, because the viewer cannot see it; FORBIDDEN if it is somebody else."""
    if creator_id is None:
        raise ApiError(Code.NOT_FOUND, "There is no lead with this id.")
    if creator_id != viewer_id:
        raise ApiError(Code.FORBIDDEN, f"Only the creator of a lead may {to} it.")


_IS_OWN_OFFER = (col(LeadOffer.id) == bindparam("offer_id"), col(LeadOffer.user_id) == _VIEWER)
_OFFERED_LEAD = select(LeadOffer.lead_id).where(*_IS_OWN_OFFER).scalar_subquery()
_OF_OWN_OFFER = Statement(select(Lead).where(col(Lead.id) == _OFFERED_LEAD).with_for_update(of=Lead), detached(Lead))


async def lock_lead_of_own_offer(session: AsyncSession, viewer_id: int, offer_id: int) -> Lead | None:
    """Lock the lead of an offer made to the viewer, and return its current row, detached from the session."""
    return await _OF_OWN_OFFER.first(session, offer_id=offer_id, viewer_id=viewer_id)


# 3. Lead routes


async def lock_routes(session: AsyncSession, creator_id: int) -> Sequence[LeadRoute]:
    """Lock all lead routes that the user entered, and return their current rows.

    Two changes that swap the types of two routes would otherwise wait for each other in the unique index.
    """
    routes = select(LeadRoute).where(visibility.lead_routes(creator_id)).order_by(col(LeadRoute.id))
    return (await session.exec(routes.with_for_update(of=LeadRoute), execution_options=_FRESH)).all()


# 4. Teams


async def lock_team(session: AsyncSession, team_id: int, *conditions: ColumnElement[bool]) -> Team | None:
    """Lock a team exclusively and return its current row; None unless it matches the conditions."""
    found = select(Team).where(col(Team.id) == team_id, *conditions).with_for_update(of=Team)
    return (await session.exec(found, execution_options=_FRESH)).one_or_none()


async def share_teams(session: AsyncSession, team_ids: Iterable[int], *conditions: ColumnElement[bool]) -> set[int]:
    """Share the locks of the teams that match the conditions, and return their ids."""
    among = select(Team.id).where(member_of(col(Team.id), [*team_ids]), *conditions).order_by(col(Team.id))
    return {*(await session.exec(share(among, Team))).all()}


async def lock_counted_teams(session: AsyncSession, team_ids: Iterable[int]) -> Sequence[Team]:
    """Lock teams whose turns or caps decide, and return their current rows. Other steps of these teams wait.

    The locks guard the turns, too. Commands that only share the lock of a team do not wait.
    """
    return await _COUNTED.all(session, team_ids=[*team_ids])


_COUNTED = Statement(
    select(Team)
    .where(member_of(col(Team.id), set_parameter("team_ids", Team.__table__.c.id)))  # type: ignore[attr-defined]
    .order_by(col(Team.id))
    .with_for_update(of=Team, key_share=True),
    detached(Team),
)


# 5. Users


async def lock_user(session: AsyncSession, user_id: int) -> User:
    """Lock a user exclusively and return the current row."""
    found = select(User).where(col(User.id) == user_id).with_for_update(of=User)
    return (await session.exec(found, execution_options=_FRESH)).one()


async def share_users(session: AsyncSession, user_ids: Iterable[int]) -> None:
    """Share the locks of users."""
    among = select(User.id).where(member_of(col(User.id), [*user_ids])).order_by(col(User.id))
    await session.exec(share(among, User))


async def lock_users_of_phone(session: AsyncSession, phone: str) -> Sequence[int]:
    """Lock the opt-outs of this number, and return the ids of the users who have it now.

    The locks are on the users, of a kind that excludes itself and no shared lock.
    """
    opted_out = exists(select(1).where(col(TextOptOut.user_id) == col(User.id), col(TextOptOut.phone) == phone))
    found = select(User.id, User.phone).where(or_(col(User.phone) == phone, opted_out)).order_by(col(User.id))
    users = (await session.exec(found.with_for_update(of=User, key_share=True))).all()
    return [user_id for user_id, current in users if current == phone]


async def lock_invitations_by(session: AsyncSession, user_id: int) -> None:
    """Lock the set of a user's waiting invitations, to count them. The lock is that of their API keys."""
    await lock_keys_of_user(session, user_id)


async def lock_keys_of_user(session: AsyncSession, user_id: int) -> None:
    """Lock the set of a user's API keys. Their names are unique while they are active, which no index can express.

    The lock excludes itself and no shared lock, so that no submit waits for it.
    """
    user = select(User.id).where(col(User.id) == user_id)
    await session.exec(user.with_for_update(of=User, key_share=True))


# 6. Other rows


async def lock_waiting_invitation(session: AsyncSession, invitation_id: int) -> WaitingInvitation:
    """Lock a waiting invitation, so that no worker begins to send its e-mail, and return its current row.

    The caller has locked its team, which guards it.
    """
    one = select(WaitingInvitation).where(col(WaitingInvitation.id) == invitation_id).with_for_update()
    return (await session.exec(one, execution_options=_FRESH)).one()


async def lock_api_key(session: AsyncSession, viewer_id: int, key_id: int) -> ApiKey | None:
    """Lock one of the viewer's API keys, and return its current row."""
    found = select(ApiKey).where(col(ApiKey.id) == key_id, visibility.api_keys(viewer_id))
    locked = found.with_for_update(of=ApiKey, key_share=True)
    return (await session.exec(locked, execution_options=_FRESH)).one_or_none()
