"""The users of the demo, with an access token each."""

from collections import Counter
from collections.abc import Sequence
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
    people = [
        DemoPerson(
            id=str(user.id),
            name=f"{user.first_name} {user.last_name}",
            email=user.email,
            group=_group(user, teams, members, to_claim[user.id]),
            description=_describe(user, teams, members, to_claim[user.id]),
            token=issue_token(settings, user.id, " ".join(TOKEN_SCOPES), hours, now),
        )
        for user in users
    ]
    return sorted(people, key=lambda person: (GROUPS.index(person.group), person.name.casefold()))


def _group(user: User, teams: Sequence[Team], members: Sequence[TeamMember], to_claim: int) -> Group:
    if any(team.creator_id == user.id for team in teams):
        return "leaders"
    is_member = any(member.user_id == user.id and member.request_status is RequestStatus.ACCEPTED for member in members)
    return "agents" if is_member or to_claim else "others"


def _describe(user: User, teams: Sequence[Team], members: Sequence[TeamMember], to_claim: int) -> str:
    names = {team.id: team.name for team in teams}
    own = [member for member in members if member.user_id == user.id]
    roles = {
        "Leader of": [team.name for team in teams if team.creator_id == user.id],
        "Member of": [names[member.team_id] for member in own if member.request_status is RequestStatus.ACCEPTED],
        "Invited to": [names[member.team_id] for member in own if member.request_status is RequestStatus.PENDING],
    }
    described = [f"{role} {', '.join(teams)}" for role, teams in roles.items() if teams] or ["In no team"]
    if to_claim:
        described.insert(0, f"Can claim {to_claim} {'lead' if to_claim == 1 else 'leads'} now")
    return ". ".join(described)
