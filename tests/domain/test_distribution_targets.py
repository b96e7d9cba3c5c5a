"""Distribution targets: the fields that each uses, and the routes that choose one."""

import pytest

from app.domain.distribution_targets import MYSELF, Target, routed_target
from app.domain.enums import DistributionTarget, TeamSelectionMethod

ROLLOUT = DistributionTarget.TEAM_ROLLOUT
SPECIFIC, ZIPCODE = TeamSelectionMethod.SPECIFIC_TEAM, TeamSelectionMethod.ZIPCODE


@pytest.mark.parametrize(
    ("target", "normalized"),
    [
        (Target(DistributionTarget.MYSELF, SPECIFIC, 6), MYSELF),
        (Target(ROLLOUT, ZIPCODE, 6), Target(ROLLOUT, ZIPCODE)),
        (Target(ROLLOUT, SPECIFIC, 6), Target(ROLLOUT, SPECIFIC, 6)),
        (Target(ROLLOUT, None, 6), Target(ROLLOUT, None, 6)),
    ],
)
def test_a_target_keeps_only_the_fields_that_it_uses(target: Target, normalized: Target) -> None:
    assert target.normalized() == normalized == normalized.normalized()


@pytest.mark.parametrize(
    ("target", "problems"),
    [
        (MYSELF, []),
        (Target(ROLLOUT), ["team_selection_method is required if the target is TEAM_ROLLOUT"]),
        (Target(ROLLOUT, SPECIFIC), ["team_id is required if the method is SPECIFIC_TEAM"]),
        (Target(ROLLOUT, SPECIFIC, 6), []),
        (Target(ROLLOUT, ZIPCODE), []),
    ],
)
def test_a_rollout_needs_a_method_and_perhaps_a_team(target: Target, problems: list[str]) -> None:
    assert [f"{problem.field} {problem.message}" for problem in target.problems()] == problems


def test_the_route_of_the_type_comes_before_the_route_of_all_types() -> None:
    buyers, everybody = Target(ROLLOUT, ZIPCODE), Target(ROLLOUT, SPECIFIC, 6)
    routes = {"buyer": buyers, "": everybody}
    assert routed_target(routes, " Buyer ") == buyers
    assert routed_target(routes, "Seller") == routed_target(routes, None) == everybody
    assert routed_target({"buyer": buyers}, None) == routed_target({}, "Buyer") == MYSELF
