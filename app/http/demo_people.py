"""The users of the demo, with an access token each."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlmodel import col, select

from app.access.tokens import TOKEN_SCOPES, issue_token
from app.config import Settings
from app.db.engine import Database
from app.db.models import LeadOffer, Team, TeamMember, User
from app.domain.enums import LeadOfferStatus, RequestStatus

MOST_PEOPLE = 100


Group = Literal["agents", "leaders", "others"]

GROUPS: tuple[Group, ...] = ("agents", "leaders", "others")

LEADER, MEMBER, INVITED = "Leader of", "Member of", "Invited to"


@dataclass(frozen=True, slots=True)
class DemoPerson:
    """A user, what they are in the demo's teams, and how many leads they can claim now."""

    id: str
    name: str
    email: str | None
    group: Group
    description: str
    token: str


async def demo_people(settings: Settings, db: Database, hours: float, now: datetime) -> list[DemoPerson]:
    """Return the first active users by group and name. Their tokens expire `hours` after `now`."""
    active = select(User).where(col(User.is_active)).order_by(col(User.id)).limit(MOST_PEOPLE)
    async with db.read() as session:
        users = (await session.exec(active)).all()
        ids = [user.id for user in users]
        members = (await session.exec(select(TeamMember).where(col(TeamMember.user_id).in_(ids)))).all()
        led = col(Team.creator_id).in_(ids) | col(Team.id).in_([member.team_id for member in members])
        teams = (await session.exec(select(Team).where(led).order_by(col(Team.id)))).all()
        sent = col(LeadOffer.user_id).in_(ids), col(LeadOffer.status) == LeadOfferStatus.SENT
        to_claim = Counter((await session.exec(select(LeadOffer.user_id).where(*sent))).all())
    people = []
    for user in users:
        roles = _roles(user, teams, members)
        person = DemoPerson(
            id=str(user.id),
            name=f"{user.first_name} {user.last_name}",
            email=user.email,
            group=_group(roles, to_claim[user.id]),
            description=_describe(roles, to_claim[user.id]),
            token=issue_token(settings, user.id, " ".join(TOKEN_SCOPES), hours, now),
        )
        people.append(person)
    return sorted(people, key=lambda person: (GROUPS.index(person.group), person.name.casefold()))


def _roles(user: User, teams: Sequence[Team], members: Sequence[TeamMember]) -> dict[str, list[str]]:
    """Return the names of the user's teams by what they are there. Roles without a team are left out."""
    names = {team.id: team.name for team in teams}
    own = [member for member in members if member.user_id == user.id]
    roles = {
        LEADER: [team.name for team in teams if team.creator_id == user.id],
        MEMBER: [names[member.team_id] for member in own if member.request_status is RequestStatus.ACCEPTED],
        INVITED: [names[member.team_id] for member in own if member.request_status is RequestStatus.PENDING],
    }
    return {role: teams for role, teams in roles.items() if teams}


def _group(roles: Mapping[str, Sequence[str]], to_claim: int) -> Group:
    if LEADER in roles:
        return "leaders"
    return "agents" if MEMBER in roles or to_claim else "others"


def _describe(roles: Mapping[str, Sequence[str]], to_claim: int) -> str:
    described = [f"{role} {', '.join(teams)}" for role, teams in roles.items()] or ["In no team"]
    if to_claim:
        described.insert(0, f"Can claim {to_claim} {'lead' if to_claim == 1 else 'leads'} now")
    return ". ".join(described)
