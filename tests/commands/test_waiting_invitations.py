"""Invitations of people without an account: who sees and removes them, their e-mails, and what becomes of them."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlmodel import col, select

from app.access.sign_up import Newcomer, lock_address, sign_up
from app.commands import waiting_invitations
from app.commands.users import create_user
from app.config import Settings
from app.db.engine import Database
from app.db.models import TeamMember, User, WaitingInvitation
from app.domain.enums import Channel, DeliveryStatus, RequestStatus
from app.worker.channels.email import EmailChannel
from app.worker.worker import Worker
from tests.support.api import Api, serving, settings_for
from tests.support.smtp_server import mailbox
from tests.support.world import NOW, Cast, World
from tests.worker.test_worker import Recorder

NEW = "dorothy@example.com"
URL = "https://leads.example.com/app"
DAY = timedelta(days=1)
INVITE = """mutation ($team: ID!, $email: String!) { inviteTeamMember(teamId: $team, email: $email) {
  teamMember { user { email } requestStatus }
} }"""
REMOVE = """mutation ($id: ID!) { removeWaitingInvitation(id: $id) {
  removedWaitingInvitationId team { waitingInvitations { id } }
} }"""
WAITING_OF = "query ($team: ID!) { team(id: $team) { waitingInvitations { id email status invitedAt team { id } } } }"
WAITING = "{ teams { data { id waitingInvitations { id email status } } } }"


@dataclass
class Desk:
    """A server that creates accounts, a worker, and their clock."""

    settings: Settings
    database: Database
    channel: Recorder = field(default_factory=Recorder)
    now: datetime = NOW

    async def invite(self, user: User, team_id: int, email: str = NEW) -> Any:
        async with serving(self.settings, self.now) as api:
            return await api.user(user).send(INVITE, team=team_id, email=email)

    async def waiting(self, user: User, team_id: int, email: str = NEW) -> Any:
        """Invite the address, and return the invitation that waits for it."""
        assert await self.invite(user, team_id, email) == {"data": {"inviteTeamMember": None}}
        async with serving(self.settings, self.now) as api:
            team = (await api.user(user).ask(WAITING_OF, team=team_id))["team"]
        (found,) = [each for each in team["waitingInvitations"] if each["email"] == email.strip().lower()]
        return found

    async def remove(self, user: User, invitation_id: str) -> Any:
        async with serving(self.settings, self.now) as api:
            return await api.user(user).send(REMOVE, id=invitation_id)

    async def dispatch(self, after: timedelta = timedelta(), channel: Any = None) -> Sequence[str]:
        self.now += after
        channels = dict.fromkeys(Channel, channel or self.channel)
        await Worker(self.database, self.settings, channels, lambda: self.now).run_once()
        return self.channel.take()

    async def sign_up(self, email: str = NEW) -> User:
        (user,) = await sign_up(self.database, Newcomer(email, "Dorothy", "Gale", "UTC"))
        return user

    async def rows(self) -> Sequence[WaitingInvitation]:
        async with self.database.read() as session:
            return (await session.exec(select(WaitingInvitation).order_by(col(WaitingInvitation.id)))).all()

    async def memberships(self, user: User) -> Sequence[tuple[int, RequestStatus]]:
        async with self.database.read() as session:
            found = select(TeamMember.team_id, TeamMember.request_status).where(col(TeamMember.user_id) == user.id)
            rows = (await session.exec(found.order_by(col(TeamMember.team_id)))).all()
            return [(team_id, RequestStatus(status)) for team_id, status in rows]


@pytest.fixture
def desk(database: Database, database_url: str) -> Desk:
    settings = settings_for(database_url, jwks_url="http://127.0.0.1:1/jwks", sign_up=True, public_url=URL)
    return Desk(settings, database)


def code(response: Any) -> str:
    return str(response["errors"][0]["extensions"]["code"])


async def test_without_the_setting_an_unknown_address_is_not_found(api: Api, desk: Desk, cast: Cast) -> None:
    response = await api.user(cast.alice).send(INVITE, team=cast.team.id, email=NEW)
    assert code(response) == "NOT_FOUND"
    assert await desk.rows() == []


async def test_an_invitation_waits_becomes_a_membership_and_is_answered(desk: Desk, cast: Cast) -> None:
    invited = await desk.waiting(cast.alice, cast.team.id, " Dorothy@Example.COM ")
    waiting = {"id": "1", "email": NEW, "status": "PENDING", "invitedAt": "2026-03-02T09:00:00.000Z"}
    team = {"id": str(cast.team.id)}
    assert invited == waiting | {"team": team}
    assert await desk.waiting(cast.alice, cast.team.id) == invited, "idempotent"
    assert await desk.dispatch() == [NEW]
    assert (await desk.waiting(cast.alice, cast.team.id))["status"] == "SENT"
    assert await desk.dispatch(10 * DAY) == []

    dorothy = await desk.sign_up()
    assert await desk.memberships(dorothy) == [(cast.team.id, RequestStatus.PENDING)]
    assert await desk.rows() == []
    async with serving(desk.settings, desk.now) as api:
        mine = await api.user(dorothy).ask("{ teamMemberships { data { id requestStatus team { name } } } }")
        (membership,) = mine["teamMemberships"]["data"]
        answer = "mutation ($id: ID!) { respondToInvitation(teamMemberId: $id, answer: ACCEPTED) { __typename } }"
        await api.user(dorothy).ask(answer, id=membership["id"])
    assert await desk.memberships(dorothy) == [(cast.team.id, RequestStatus.ACCEPTED)]
    again = (await desk.invite(cast.alice, cast.team.id))["data"]["inviteTeamMember"]
    assert again["teamMember"]["requestStatus"] == "ACCEPTED"


async def test_only_the_creator_sees_and_removes_them(desk: Desk, cast: Cast) -> None:
    invitation = await desk.waiting(cast.alice, cast.team.id)
    async with serving(desk.settings) as api:
        seen = (await api.user(cast.alice).ask(WAITING))["teams"]["data"][0]["waitingInvitations"]
        assert seen == [{"id": invitation["id"], "email": NEW, "status": "PENDING"}]
        assert (await api.user(cast.bob).ask(WAITING))["teams"]["data"][0]["waitingInvitations"] is None
    assert code(await desk.invite(cast.bob, cast.team.id)) == "FORBIDDEN"
    assert code(await desk.invite(cast.charlie, cast.team.id)) == "NOT_FOUND"
    for user in (cast.bob, cast.charlie):
        assert code(await desk.remove(user, invitation["id"])) == "NOT_FOUND"
    removed = (await desk.remove(cast.alice, invitation["id"]))["data"]["removeWaitingInvitation"]
    assert removed == {"removedWaitingInvitationId": invitation["id"], "team": {"waitingInvitations": []}}
    for wrong in (invitation["id"], "0", "x", "-1", str(2**70)):
        assert code(await desk.remove(cast.alice, wrong)) == "NOT_FOUND", wrong
    assert await desk.dispatch() == []
    assert await desk.memberships(await desk.sign_up()) == []


@pytest.mark.parametrize("email", ["", "dorothy", "a@b, c@d", "Bcc: a@example.com", "a@example.com\r\nBcc: b@c.de"])
async def test_what_is_no_address_is_refused(desk: Desk, cast: Cast, email: str) -> None:
    assert code(await desk.invite(cast.alice, cast.team.id, email)) == "BAD_USER_INPUT"
    assert await desk.rows() == []


async def test_an_address_gets_one_e_mail_a_day(desk: Desk, world: World, cast: Cast) -> None:
    charlies = await world.team(cast.charlie)
    first = await desk.waiting(cast.alice, cast.team.id)
    assert await desk.dispatch() == [NEW]
    for _ in range(3):
        await desk.remove(cast.alice, first["id"])
        first = await desk.waiting(cast.alice, cast.team.id)
        assert await desk.dispatch(timedelta(hours=1)) == []
    await desk.waiting(cast.charlie, charlies.id)
    assert await desk.dispatch(timedelta(hours=20)) == []
    assert await desk.dispatch(timedelta(hours=1)) == [NEW]
    assert await desk.dispatch(timedelta(hours=23)) == []
    assert await desk.dispatch(timedelta(hours=1)) == [NEW]
    assert await desk.dispatch(9 * DAY) == []


async def test_a_failed_e_mail_is_retried_and_sent_again_on_request(desk: Desk, cast: Cast) -> None:
    with mailbox() as box:
        email = EmailChannel(box.url, "leads@example.com", 5)
        box.answer = lambda _mail: "451 later"
        await desk.waiting(cast.alice, cast.team.id)
        await desk.dispatch(channel=email)
        assert [row.status for row in await desk.rows()] == [DeliveryStatus.PENDING]
        for _ in range(5):
            await desk.dispatch(timedelta(hours=1), email)
        assert [(row.status, row.attempts) for row in await desk.rows()] == [(DeliveryStatus.FAILED, 5)]
        assert (await desk.waiting(cast.alice, cast.team.id))["status"] == "PENDING"
        box.answer = lambda _mail: None
        await desk.dispatch(channel=email)
        assert box.mails == [], "not within a day of the first"
        await desk.dispatch(DAY, email)
        assert len(box.mails) == 1
        await desk.dispatch(DAY, email)
        assert len(box.mails) == 1


async def test_what_people_typed_is_text(desk: Desk, world: World) -> None:
    leader = await world.user("<b>Eve</b> http://evil.example/x", last_name="=?utf-8?q?a?=")
    team = await world.team(leader, name="Bay <script>\"'& Bcc: x@evil.example call +1 202 555 0142 evil.example")
    with mailbox() as box:
        await desk.waiting(leader, team.id)
        await desk.dispatch(channel=EmailChannel(box.url, "leads@example.com", 5))
    (mail,) = box.mails
    (recipients, _bytes) = box.received[0]
    assert recipients == [NEW]
    assert (mail["To"], mail["Bcc"], mail.get_content_type()) == (NEW, None, "text/plain")
    assert mail["Subject"] == "Invitation to the team Bay <script>\"'& Bcc: call evil. example"
    body = mail.get_content()
    assert "evil.example" not in body
    assert "555" not in body
    assert f"Sign in with this e-mail address here: {URL}" in body


async def test_without_a_public_url_there_is_no_link(desk: Desk, cast: Cast) -> None:
    desk.settings = desk.settings.model_copy(update={"public_url": None})
    await desk.waiting(cast.alice, cast.team.id)
    desk.channel.sent.clear()
    channels = dict.fromkeys(Channel, desk.channel)
    await Worker(desk.database, desk.settings, channels, lambda: NOW).run_once()
    (message,) = desk.channel.sent
    assert "://" not in message.text
    assert message.text.startswith("Hello,\n\nAlice Example has invited you to the team ")


async def test_the_e_mail_is_not_sent_once_the_invitation_is_over(desk: Desk, world: World, cast: Cast) -> None:
    delete = "mutation ($id: ID!) { deleteTeam(id: $id) { deletedTeamId } }"
    doomed, kept = await world.team(cast.alice), await world.team(cast.charlie)
    await desk.waiting(cast.alice, doomed.id, "a@example.com")
    await desk.waiting(cast.charlie, kept.id, "b@example.com")
    await desk.waiting(cast.alice, cast.team.id, "c@example.com")
    async with serving(desk.settings) as api:
        await api.user(cast.alice).ask(delete, id=doomed.id)
    cast.charlie.is_active = False
    await world.add(cast.charlie)
    c = await desk.sign_up("c@example.com")
    assert await desk.dispatch() == []
    assert await desk.memberships(await desk.sign_up("a@example.com")) == []
    assert await desk.memberships(c) == [(cast.team.id, RequestStatus.PENDING)]


async def test_teams_and_days_are_limited(
    desk: Desk, world: World, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = await world.team(cast.alice)
    monkeypatch.setattr(waiting_invitations, "MOST_INVITATIONS", 2)
    monkeypatch.setattr(waiting_invitations, "MOST_INVITATIONS_PER_DAY", 3)
    for name in "ab":
        await desk.waiting(cast.alice, cast.team.id, f"{name}@example.com")
    assert code(await desk.invite(cast.alice, cast.team.id, "c@example.com")) == "CONFLICT"
    await desk.dispatch()
    await desk.waiting(cast.alice, other.id, "c@example.com")
    await desk.remove(cast.alice, "1")
    desk.now += timedelta(hours=1)
    limited = await desk.invite(cast.alice, other.id, "d@example.com")
    assert limited["errors"][0]["extensions"] == {"code": "RATE_LIMITED", "retryAfter": 23 * 3600 + 1}
    desk.now += timedelta(hours=23)
    assert (await desk.waiting(cast.alice, other.id, "d@example.com"))["email"] == "d@example.com"


async def test_an_account_from_the_command_line_gets_the_invitation(desk: Desk, cast: Cast) -> None:
    await desk.waiting(cast.alice, cast.team.id)
    async with desk.database.write() as session:
        user = await create_user(session, email=NEW, first_name="D", last_name="G", timezone="UTC")
    assert await desk.memberships(user) == [(cast.team.id, RequestStatus.PENDING)]


async def test_an_invitation_beside_a_sign_up_does_not_go_on_waiting(desk: Desk, world: World, cast: Cast) -> None:
    teams = [await world.team(cast.alice) for _ in range(4)]
    async with serving(desk.settings) as api:
        async with desk.database.write() as session:
            await session.connection()  # begins the transaction, which is the lock on SQLite
            await lock_address(session, NEW)
            invites = [
                asyncio.create_task(api.user(cast.alice).send(INVITE, team=team.id, email=NEW)) for team in teams
            ]
            signing_up = asyncio.create_task(desk.sign_up())
            await asyncio.sleep(0.3)
            assert not any(task.done() for task in (*invites, signing_up))
        answers, dorothy = await asyncio.gather(*invites), await signing_up
    assert not any("errors" in answer for answer in answers)
    assert await desk.rows() == []
    assert await desk.memberships(dorothy) == [(team.id, RequestStatus.PENDING) for team in teams]


async def test_a_removal_and_a_sign_up_end_in_one_of_the_two(desk: Desk, cast: Cast) -> None:
    invitation = await desk.waiting(cast.alice, cast.team.id)
    removed, dorothy = await asyncio.gather(desk.remove(cast.alice, invitation["id"]), desk.sign_up())
    expected = [] if "errors" not in removed else [(cast.team.id, RequestStatus.PENDING)]
    assert await desk.memberships(dorothy) == expected
    assert [row.removed_at for row in await desk.rows()] == []
