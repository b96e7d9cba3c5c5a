"""Field access: which fields of an object are shown to a viewer who has reached the object.

`visibility` decides which rows a viewer can find. A nested object is never filtered away, but some of its fields are
null unless a rule below grants them. The answer depends on the viewer and the object, never on the path between them:

| object  | fields                                    | shown to                                            |
|---------|-------------------------------------------|-----------------------------------------------------|
| Contact | email, mobilePhone                        | its owner, and the user who holds a lead of it      |
| User    | phone, quietHours                         | the user                                            |
| User    | awayUntil                                 | the user, while it lies in the future               |
| Team    | distributionZipcodes, members             | its creator and its accepted members                |
| Team    | distributionOptions                       | its creator: all; accepted members: their own       |
| Team    | warnings, nextTeam, minsUntilNextTeam     | its creator                                         |
| Team    | waitingInvitations                        | its creator                                         |
| Team    | turns                                     | its creator, if it is a Round Robin team            |
| Member  | isActive, awayUntil                       | the creator of the team                             |
| Member  | distributionOption                        | the creator of the team, and the member             |
| Lead    | message                                   | its creator, and the user who holds it              |
| Lead    | rollouts, rolloutTeam, nextStep, claims   | its creator                                         |
| Lead    | assignableUsers                           | its creator                                         |
| Lead    | offers                                    | everyone, as far as `visibility.offers` goes        |

Every other field is shown to whoever reaches the object.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, and_, exists, or_, select
from sqlmodel import SQLModel, col

from app.access.visibility import IdValue, has_accepted, is_in_team
from app.db.models import Contact, DistributionOption, Lead, Team, User
from app.db.types import stored
from app.domain.enums import OrderMethod, RequestStatus


@dataclass(frozen=True, slots=True)
class AccessContext:
    """The viewer, the current time, and whether the token has the scope `write`.

    They are values, or placeholders in a statement that is compiled once for all viewers.
    """

    viewer_id: int | BindParameter[int]
    now: datetime | BindParameter[datetime]
    may_write: ColumnElement[bool]


Condition = Callable[[Any, AccessContext], ColumnElement[bool]]
"""A condition on the columns of a row, which may belong to an alias of its table, and on the viewer."""


@dataclass(frozen=True, slots=True)
class AccessRule:
    """Grants some fields of `model` to the user whose id is in the column `owner`, and to others by `or_else`.

    `until` names a column with a time: from that time on, and while it is null, the fields are shown to nobody.
    `only` names a column and a value: while the column has another value, the fields are shown to nobody.

    `sql` is the whole rule. `grants_owner` answers from a loaded row, so that users' own objects take no statement.
    """

    model: type[SQLModel]
    owner: str
    or_else: Condition | None = None
    until: str | None = None
    only: tuple[str, Any] | None = None

    def sql(self, row: Any, context: AccessContext) -> ColumnElement[bool]:
        """The rule as a condition on the columns `row`."""
        granted = row[self.owner] == context.viewer_id
        if self.or_else is not None:
            granted = or_(granted, self.or_else(row, context))
        if self.only is not None:
            column, value = self.only
            granted = and_(granted, row[column] == value)
        return granted if self.until is None else and_(granted, row[self.until] > context.now)

    def grants_owner(self, row: SQLModel, viewer_id: int, now: datetime) -> bool:
        """Whether the rule grants access by the loaded row alone, without `or_else`."""
        end = None if self.until is None else getattr(row, self.until)
        is_over = self.until is not None and (end is None or end <= now)
        is_other = self.only is not None and getattr(row, self.only[0]) != self.only[1]
        return getattr(row, self.owner) == viewer_id and not is_over and not is_other


def _holds_a_lead(contact: Any, context: AccessContext) -> ColumnElement[bool]:
    return exists(
        select(1)
        .where(col(Lead.contact_id) == contact.id, col(Lead.claimed_by_id) == context.viewer_id)
        .correlate_except(Lead)
    )


def _holds(lead: Any, context: AccessContext) -> ColumnElement[bool]:
    claimed_by_id: ColumnElement[int | None] = lead.claimed_by_id
    return claimed_by_id == context.viewer_id


def _has_accepted(team: Any, context: AccessContext) -> ColumnElement[bool]:
    return has_accepted(team.id, context.viewer_id)


CONTACT_DETAILS = AccessRule(Contact, owner="owner_id", or_else=_holds_a_lead)
PRIVATE_SETTINGS = AccessRule(User, owner="id")
ABSENCE = AccessRule(User, owner="id", until="away_until")
TEAM_DETAILS = AccessRule(Team, owner="creator_id", or_else=_has_accepted)
TEAM_WARNINGS = AccessRule(Team, owner="creator_id")
NEXT_TEAM = AccessRule(Team, owner="creator_id")
WAITING_INVITATIONS = AccessRule(Team, owner="creator_id")
TURNS = AccessRule(Team, owner="creator_id", only=("order_method", OrderMethod.ROUND_ROBIN))
MESSAGE = AccessRule(Lead, owner="creator_id", or_else=_holds)
ROLLOUTS = AccessRule(Lead, owner="creator_id")
CLAIMS = AccessRule(Lead, owner="creator_id")
ASSIGNABLE_USERS = AccessRule(Lead, owner="creator_id")


def distribution_options(viewer_id: IdValue) -> ColumnElement[bool]:
    """The options shown in a team that the viewer has reached: all to its creator, to others their own.

    Unlike `visibility.distribution_options`, this holds for deleted teams too: offers still show them.
    """
    is_creator = exists(
        select(1).where(col(Team.id) == col(DistributionOption.team_id), col(Team.creator_id) == viewer_id)
    )
    return or_(col(DistributionOption.user_id) == viewer_id, is_creator)


def option_of(member: Any, viewer_id: IdValue) -> ColumnElement[int | None]:
    """The id of the member's distribution option in the team, if there is one and the viewer may see it."""
    found = select(DistributionOption.id).where(  # type: ignore[call-overload]
        col(DistributionOption.team_id) == member.team_id,
        col(DistributionOption.user_id) == member.user_id,
        distribution_options(viewer_id),
    )
    return found.correlate_except(DistributionOption).scalar_subquery()  # type: ignore[no-any-return]


def state_of(member: Any, value: Any, viewer_id: IdValue) -> ColumnElement[Any]:
    """The value, which is made of the member's user, if the viewer created the team and the user joined it.

    Otherwise null: anybody can invite somebody whose address they know.
    """
    found = select(value).where(
        member.request_status == stored(RequestStatus.ACCEPTED),
        col(User.id) == member.user_id,
        col(Team.id) == member.team_id,
        col(Team.creator_id) == viewer_id,
    )
    return found.correlate_except(User, Team).scalar_subquery()


def is_in_line(option: Any) -> ColumnElement[bool]:
    """The option is of a member who can be offered leads, unless they are away or have reached a maximum.

    `option` has the columns of a distribution option. The team's creator counts as a member.
    """
    is_active = exists(select(1).where(col(User.id) == option.user_id, col(User.is_active)).correlate_except(User))
    return and_(is_active, is_in_team(option.team_id, option.user_id))
