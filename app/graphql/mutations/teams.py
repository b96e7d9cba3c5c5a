"""Mutations of teams, their members and their distribution options."""

from typing import Any

import strawberry

from app.commands import distribution_options, members, teams
from app.graphql.context import Info
from app.graphql.enums import InvitationAnswer
from app.graphql.fields import payload, resolved
from app.graphql.inputs.teams import CreateTeamInput, DistributionOptionInput, UpdateTeamInput
from app.graphql.inputs.writing import filled, given
from app.graphql.mutations.transaction import known_id, writing
from app.graphql.types.teams import DistributionOption, Team, TeamMember


@strawberry.type(description="The new team.")
class CreateTeamPayload:
    team: Team


@strawberry.type(description="The team as it is now.")
class UpdateTeamPayload:
    team: Team


@strawberry.type(description="What was deleted.")
class DeleteTeamPayload:
    deleted_team_id: strawberry.ID


@strawberry.type(description="The membership, which the invited user finds in teamMemberships.")
class InviteTeamMemberPayload:
    team_member: TeamMember


@strawberry.type(description="The membership as it is now.")
class RespondToInvitationPayload:
    team_member: TeamMember


@strawberry.type(description="Who was removed, and the team as it is now.")
class RemoveTeamMemberPayload:
    removed_team_member_id: strawberry.ID
    team: Team


@strawberry.type(description="The option as it is now.")
class SetDistributionOptionPayload:
    distribution_option: DistributionOption


@strawberry.type(description="What was removed, and the team as it is now.")
class RemoveDistributionOptionPayload:
    removed_distribution_option_id: strawberry.ID
    team: Team


async def _create_team(info: Info, input: CreateTeamInput) -> Any:  # noqa: A002
    async with writing(info, "input") as session:
        team = await teams.create_team(session, info.context.viewer.id, filled(input), info.context.now)
    return payload(CreateTeamPayload, team=team)


async def _update_team(info: Info, id: strawberry.ID, input: UpdateTeamInput) -> Any:  # noqa: A002
    async with writing(info, "input") as session:
        team = await teams.update_team(session, info.context.viewer.id, known_id(id, "team"), given(input))
    return payload(UpdateTeamPayload, team=team)


async def _delete_team(info: Info, id: strawberry.ID) -> Any:  # noqa: A002
    async with writing(info) as session:
        team_id = known_id(id, "team")
        await teams.delete_team(session, info.context.viewer.id, team_id, info.context.now)
    return payload(DeleteTeamPayload, deleted_team_id=team_id)


async def _invite_team_member(info: Info, team_id: strawberry.ID, email: str) -> Any:
    async with writing(info) as session:
        viewer_id = info.context.viewer.id
        member = await members.invite_team_member(session, viewer_id, known_id(team_id, "team"), email)
    return payload(InviteTeamMemberPayload, team_member=member)


async def _respond_to_invitation(info: Info, team_member_id: strawberry.ID, answer: InvitationAnswer) -> Any:
    async with writing(info) as session:
        member_id = known_id(team_member_id, "membership")
        member = await members.respond_to_invitation(
            session, info.context.viewer.id, member_id, answer.value, info.context.now
        )
    return payload(RespondToInvitationPayload, team_member=member)


async def _remove_team_member(info: Info, id: strawberry.ID) -> Any:  # noqa: A002
    async with writing(info) as session:
        member_id = known_id(id, "membership")
        team = await members.remove_team_member(session, info.context.viewer.id, member_id, info.context.now)
    return payload(RemoveTeamMemberPayload, removed_team_member_id=member_id, team=team)


async def _set_distribution_option(info: Info, input: DistributionOptionInput) -> Any:  # noqa: A002
    values = filled(input)
    team_id, user_id = values.pop("team_id"), values.pop("user_id")
    async with writing(info, "input") as session:
        viewer_id = info.context.viewer.id
        option = await distribution_options.set_distribution_option(session, viewer_id, team_id, user_id, values)
    return payload(SetDistributionOptionPayload, distribution_option=option)


async def _remove_distribution_option(info: Info, id: strawberry.ID) -> Any:  # noqa: A002
    async with writing(info) as session:
        option_id = known_id(id, "distribution option")
        team = await distribution_options.remove_distribution_option(session, info.context.viewer.id, option_id)
    return payload(RemoveDistributionOptionPayload, removed_distribution_option_id=option_id, team=team)


@strawberry.type
class TeamMutations:
    create_team: CreateTeamPayload | None = resolved(_create_team, "Makes a team of yours.")
    update_team: UpdateTeamPayload | None = resolved(_update_team, "Only the team's creator changes it.")
    delete_team: DeleteTeamPayload | None = resolved(
        _delete_team,
        "Deletes a team that you created and withdraws its open offers; offers and leads still show it. CONFLICT while "
        "a lead route names it.",
    )
    invite_team_member: InviteTeamMemberPayload | None = resolved(
        _invite_team_member,
        "Invites the user with this address to a team that you created. Inviting again answers the same; who had "
        "declined is asked anew.",
    )
    respond_to_invitation: RespondToInvitationPayload | None = resolved(
        _respond_to_invitation, "Only the invited user answers. DECLINED after ACCEPTED withdraws your open offers."
    )
    remove_team_member: RemoveTeamMemberPayload | None = resolved(
        _remove_team_member, "Takes a user out of a team that you created and withdraws their open offers there."
    )
    set_distribution_option: SetDistributionOptionPayload | None = resolved(
        _set_distribution_option,
        "Creates the option of a member, or of the creator, or replaces it: what is left out takes its default, not "
        "its old value. Offers that exist stay as they are.",
    )
    remove_distribution_option: RemoveDistributionOptionPayload | None = resolved(
        _remove_distribution_option, "The member is offered no more leads of this team. Offers that exist stay."
    )
