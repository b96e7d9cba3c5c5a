"""Mutations of teams, their members and their distribution options."""

from typing import Annotated, Any

import strawberry
from strawberry import argument

from app.commands import distribution_options, members, teams, waiting_invitations
from app.db import models
from app.domain.bounds import MOST_INVITATIONS, MOST_INVITATIONS_PER_DAY, MOST_OPTIONS
from app.graphql.context import Info
from app.graphql.enums import InvitationAnswer, RequestStatus
from app.graphql.fields import column, payload, resolved
from app.graphql.inputs.fields import DistributionOptionId, Input, TeamId, TeamMemberId, WaitingInvitationId
from app.graphql.inputs.teams import (
    CreateTeamInput,
    DistributionOptionInput,
    UpdateDistributionOptionInput,
    UpdateTeamInput,
)
from app.graphql.inputs.writing import filled, given
from app.graphql.mutations.transaction import known_id, write
from app.graphql.types.teams import DistributionOption, Team, TeamMember

Email = Annotated[
    str,
    argument(description="E-mail address of the person. Your own is BAD_USER_INPUT."),
]
Answer = Annotated[InvitationAnswer, argument(description="Your answer to the invitation.")]


@strawberry.type(description="Result of createTeam.")
class CreateTeamPayload:
    team: Team = column("The team, as it is now.")


@strawberry.type(description="Result of updateTeam.")
class UpdateTeamPayload:
    team: Team = column("The team, as it is now.")


@strawberry.type(description="Result of deleteTeam.")
class DeleteTeamPayload:
    deleted_team_id: strawberry.ID = column("Id of the deleted team.")


@strawberry.type(description="Result of inviteTeamMember.")
class InviteTeamMemberPayload:
    team_member: TeamMember = column("The membership, as it is now.")


@strawberry.type(description="Result of removeWaitingInvitation.")
class RemoveWaitingInvitationPayload:
    removed_waiting_invitation_id: strawberry.ID = column("Id of the removed invitation.")
    team: Team = column("The team, as it is now.")


@strawberry.type(description="Result of respondToInvitation.")
class RespondToInvitationPayload:
    team_member: TeamMember = column("The membership, as it is now.")


@strawberry.type(description="Result of removeTeamMember.")
class RemoveTeamMemberPayload:
    removed_team_member_id: strawberry.ID = column("Id of the removed membership.")
    team: Team = column("The team, as it is now.")


@strawberry.type(description="Result of setDistributionOption.")
class SetDistributionOptionPayload:
    distribution_option: DistributionOption = column("The option, as it is now.")


@strawberry.type(description="Result of updateDistributionOption.")
class UpdateDistributionOptionPayload:
    distribution_option: DistributionOption = column("The option, as it is now.")


@strawberry.type(description="Result of removeDistributionOption.")
class RemoveDistributionOptionPayload:
    removed_distribution_option_id: strawberry.ID = column("Id of the removed option.")
    team: Team = column("The team, as it is now.")


async def _create_team(info: Info, input: Input[CreateTeamInput]) -> Any:  # noqa: A002
    team = await write(
        info,
        lambda session: teams.create_team(session, info.context.viewer.id, filled(input), info.context.now),
        "input",
    )
    return payload(CreateTeamPayload, team=team)


async def _update_team(info: Info, id: TeamId, input: Input[UpdateTeamInput]) -> Any:  # noqa: A002
    team = await write(
        info,
        lambda session: teams.update_team(session, info.context.viewer.id, known_id(id, "team"), given(input)),
        "input",
    )
    return payload(UpdateTeamPayload, team=team)


async def _delete_team(info: Info, id: TeamId) -> Any:  # noqa: A002
    await write(
        info, lambda session: teams.delete_team(session, info.context.viewer.id, known_id(id, "team"), info.context.now)
    )
    return payload(DeleteTeamPayload, deleted_team_id=known_id(id, "team"))


async def _invite_team_member(info: Info, team_id: TeamId, email: Email) -> Any:
    invited = await write(
        info,
        lambda session: members.invite_team_member(
            session,
            info.context.viewer.id,
            known_id(team_id, "team"),
            email,
            info.context.now,
            can_sign_up=info.context.settings.sign_up,
        ),
    )
    if isinstance(invited, models.WaitingInvitation):
        return None
    return payload(InviteTeamMemberPayload, team_member=invited)


async def _remove_waiting_invitation(info: Info, id: WaitingInvitationId) -> Any:  # noqa: A002
    invitation_id = known_id(id, "waiting invitation")
    team = await write(
        info,
        lambda session: waiting_invitations.remove_waiting_invitation(
            session, info.context.viewer.id, invitation_id, info.context.now
        ),
    )
    return payload(RemoveWaitingInvitationPayload, removed_waiting_invitation_id=invitation_id, team=team)


async def _respond_to_invitation(info: Info, team_member_id: TeamMemberId, answer: Answer) -> Any:
    member = await write(
        info,
        lambda session: members.respond_to_invitation(
            session,
            info.context.viewer.id,
            known_id(team_member_id, "membership"),
            RequestStatus[answer.name],
            info.context.now,
        ),
    )
    return payload(RespondToInvitationPayload, team_member=member)


async def _remove_team_member(info: Info, id: TeamMemberId) -> Any:  # noqa: A002
    team = await write(
        info,
        lambda session: members.remove_team_member(
            session, info.context.viewer.id, known_id(id, "membership"), info.context.now
        ),
    )
    return payload(RemoveTeamMemberPayload, removed_team_member_id=known_id(id, "membership"), team=team)


async def _set_distribution_option(info: Info, input: Input[DistributionOptionInput]) -> Any:  # noqa: A002
    values = filled(input)
    team_id, user_id = values.pop("team_id"), values.pop("user_id")
    option = await write(
        info,
        lambda session: distribution_options.set_distribution_option(
            session, info.context.viewer.id, team_id, user_id, values
        ),
        "input",
    )
    return payload(SetDistributionOptionPayload, distribution_option=option)


async def _update_distribution_option(
    info: Info,
    id: DistributionOptionId,  # noqa: A002
    input: Input[UpdateDistributionOptionInput],  # noqa: A002
) -> Any:
    option = await write(
        info,
        lambda session: distribution_options.update_distribution_option(
            session, info.context.viewer.id, known_id(id, "distribution option"), given(input)
        ),
        "input",
    )
    return payload(UpdateDistributionOptionPayload, distribution_option=option)


async def _remove_distribution_option(info: Info, id: DistributionOptionId) -> Any:  # noqa: A002
    team = await write(
        info,
        lambda session: distribution_options.remove_distribution_option(
            session, info.context.viewer.id, known_id(id, "distribution option")
        ),
    )
    return payload(
        RemoveDistributionOptionPayload, removed_distribution_option_id=known_id(id, "distribution option"), team=team
    )


@strawberry.type
class TeamMutations:
    create_team: CreateTeamPayload | None = resolved(
        _create_team,
        "Creates a team, of which you are the creator. Not idempotent: each call creates another team. Errors: "
        "BAD_USER_INPUT.",
    )
    update_team: UpdateTeamPayload | None = resolved(
        _update_team,
        "Changes a team that you created. Offers that exist stay as they are. Idempotent. Errors: NOT_FOUND, FORBIDDEN "
        "(you did not create it), BAD_USER_INPUT.",
    )
    delete_team: DeleteTeamPayload | None = resolved(
        _delete_team,
        "Deletes a team that you created. Its SCHEDULED and SENT offers become CANCELLED; offers and leads still show "
        "the team. Errors: FORBIDDEN (you did not create it), NOT_FOUND, also when repeated, and CONFLICT while a lead "
        "route names the team, or another team has it as its next team.",
    )
    invite_team_member: InviteTeamMemberPayload | None = resolved(
        _invite_team_member,
        "Invites a user to a team that you created. The user finds the invitation in teamMemberships. A declined "
        "invitation becomes PENDING again; any other stays as it is. If the server creates accounts on sign-up, an "
        "address without an account gets an e-mail, and the invitation waits for it in the team's waitingInvitations: "
        "the result is then null, without an error. Idempotent: no second e-mail is "
        "sent, unless the first one FAILED. Errors: NOT_FOUND (no such team, or no user with this address), FORBIDDEN "
        "(you did not create the team), BAD_USER_INPUT, CONFLICT if the team already has "
        f"{MOST_INVITATIONS} waiting invitations, and RATE_LIMITED after {MOST_INVITATIONS_PER_DAY} of them by you "
        "within 24 hours.",
    )
    remove_waiting_invitation: RemoveWaitingInvitationPayload | None = resolved(
        _remove_waiting_invitation,
        "Removes an invitation that waits for an account, from a team that you created. Its e-mail is not sent if it "
        "is still PENDING. Errors: NOT_FOUND, also when repeated and once the person has an account.",
    )
    respond_to_invitation: RespondToInvitationPayload | None = resolved(
        _respond_to_invitation,
        "Answers an invitation to you. DECLINED after ACCEPTED leaves the team, and your SCHEDULED and SENT offers "
        "there become CANCELLED; a lead that you hold stays yours. Idempotent. Errors: NOT_FOUND, FORBIDDEN (another "
        "user is invited).",
    )
    remove_team_member: RemoveTeamMemberPayload | None = resolved(
        _remove_team_member,
        "Removes a member from a team that you created. Their SCHEDULED and SENT offers there become CANCELLED; a lead "
        "that they hold stays theirs. Their distribution option is kept. Errors: FORBIDDEN (you did not create the "
        "team), NOT_FOUND, also when repeated.",
    )
    set_distribution_option: SetDistributionOptionPayload | None = resolved(
        _set_distribution_option,
        "Sets how a team that you created offers leads to a member, or to you. Creates the option, or replaces all of "
        "its values: a field that is left out takes its default. Offers that exist stay as they are. Idempotent. "
        "Errors: FORBIDDEN (you did not create the team), BAD_USER_INPUT, and CONFLICT if the team already has "
        f"{MOST_OPTIONS} options.",
    )
    update_distribution_option: UpdateDistributionOptionPayload | None = resolved(
        _update_distribution_option,
        "Changes fields of an option and leaves the others as they are. The team must be one that you created; the "
        "option may be of a user who is no member any more. Offers that exist stay as they are. Idempotent. Errors: "
        "NOT_FOUND, FORBIDDEN (you did not create the team), BAD_USER_INPUT.",
    )
    remove_distribution_option: RemoveDistributionOptionPayload | None = resolved(
        _remove_distribution_option,
        "Removes a distribution option from a team that you created, so that further submits skip the member. Offers "
        "that exist stay as they are. Errors: FORBIDDEN (you did not create the team), NOT_FOUND, also when repeated.",
    )
