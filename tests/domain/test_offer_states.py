"""Offer states after a claim, a release and an import."""

import pytest

from app.domain.enums import EndReason, LeadOfferStatus
from app.domain.offer_states import after_claim, after_release, imported

S = LeadOfferStatus


@pytest.mark.parametrize(("before", "after"), [(S.SCHEDULED, S.CANCELLED), (S.SENT, S.EXPIRED), (S.CLAIMED, S.EXPIRED)])
def test_a_claim_ends_the_offers_of_others(before: LeadOfferStatus, after: LeadOfferStatus) -> None:
    assert after_claim(before) == (after, EndReason.CLAIMED)


@pytest.mark.parametrize("before", [S.SCHEDULED, S.SENT])
def test_a_release_undoes_a_claim(before: LeadOfferStatus) -> None:
    assert after_release(*after_claim(before)) is before


@pytest.mark.parametrize("reason", [reason for reason in EndReason if reason is not EndReason.CLAIMED])
def test_a_release_reopens_only_offers_that_a_claim_ended(reason: EndReason) -> None:
    assert after_release(S.CANCELLED, reason) is None


@pytest.mark.parametrize("status", [S.SCHEDULED, S.SENT, S.CLAIMED, S.DECLINED])
def test_a_release_leaves_other_offers_as_they_are(status: LeadOfferStatus) -> None:
    assert after_release(status, None) is None


@pytest.mark.parametrize(
    ("user_id", "holder_id", "is_ahead", "state"),
    [
        (1, None, True, (S.SCHEDULED, None)),
        (1, None, False, (S.SENT, None)),
        (1, 1, False, (S.CLAIMED, None)),
        (1, 1, True, (S.CLAIMED, None)),
        (1, 2, False, (S.EXPIRED, EndReason.CLAIMED)),
        (1, 2, True, (S.CANCELLED, EndReason.CLAIMED)),
        (None, None, True, (S.CANCELLED, EndReason.IMPORTED)),
        (None, 2, True, (S.CANCELLED, EndReason.IMPORTED)),
        (None, None, False, (S.SENT, None)),
        (None, 2, False, (S.EXPIRED, EndReason.CLAIMED)),
    ],
)
def test_an_imported_offer_takes_the_state_that_the_rules_give_it(
    user_id: int | None, holder_id: int | None, is_ahead: bool, state: tuple[LeadOfferStatus, EndReason | None]
) -> None:
    assert imported(user_id, holder_id, is_ahead=is_ahead) == state
