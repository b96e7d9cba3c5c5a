"""Figures of leads and of members. docs/figures.md defines each of them, with an example."""

import strawberry

from app.graphql.fields import column
from app.graphql.types.routes import LeadSource
from app.graphql.types.teams import Team
from app.graphql.types.users import User


@strawberry.type(description="Durations in whole seconds, by nearest rank: each figure is one of the durations.")
class Durations:
    count: int = column("Number of durations.")
    median: int | None = column("The smallest duration that at least half of all do not exceed. Null if count is 0.")
    p90: int | None = column("The smallest duration that at least nine tenths do not exceed. Null if count is 0.")
    within_5_minutes: int = column("Number of durations of at most 300 seconds.")


@strawberry.type(
    description="The outcome, until now, of the leads of one group. Each lead is in one group, and counts at most once "
    "for each number."
)
class LeadFigures:
    day: str | None = column("The day, or the Monday of the week, as YYYY-MM-DD. Null unless grouped by DAY or WEEK.")
    source: LeadSource | None = column(
        "The source that the leads came from. Null for leads without a source, and unless grouped by SOURCE."
    )
    team: Team | None = column(
        "The team of the first step. Null for leads that were not offered, and unless grouped by TEAM."
    )
    type: str | None = column(
        "The type of the leads, in one of the spellings that they have. Null for leads without a type, and unless "
        "grouped by TYPE."
    )
    received: int = column("Number of leads.")
    offered: int = column("Number of leads for which a submit made an offer.")
    claimed: int = column("Number of leads that somebody got, by a claim or an assignment, even if released since.")
    released: int = column("Number of leads that were released.")
    exhausted: int = column("Number of leads whose creator was ever notified that nobody claimed them.")
    time_to_claim: Durations = column(
        "The time from the creation of a lead to its first claim. Leads that were first assigned have none."
    )


@strawberry.type(description="The work of a user, in a span, on the leads that a team offered them.")
class MemberFigures:
    user: User = column("The user.")
    turns: int = column("Number of the user's turns that were used in the span.")
    offers: int = column("Number of offers whose notifyAt is in the span.")
    claims: int = column("Number of times that the user got a lead of the team in the span. AUTO and ASSIGNED count.")
    declines: int = column("Number of these offers that the user declined.")
    missed: int = column(
        "Number of these offers of which the user was told, and that ended before the user claimed or declined them."
    )
    released: int = column("Number of these claims that ended with a release.")
    time_to_claim: Durations = column(
        "The time from notifyAt of the offer to each of these claims. Claims by AUTO and ASSIGNED have none."
    )
