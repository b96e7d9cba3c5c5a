"""Many users claim a lead at the same time, through two server processes. Exactly one of them succeeds."""

import asyncio
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest
from sqlmodel import col, select

from app.access.tokens import issue_token
from app.db.engine import Database
from app.db.models import Lead, LeadOffer
from app.domain.enums import LeadOfferStatus
from tests.graphql.test_claim_mutations import CLAIM
from tests.support.api import settings_for
from tests.support.processes import FULL, server
from tests.support.world import Cast, World

MEMBERS = 32
LEADS = 100 if FULL else 12


@pytest.mark.slow
async def test_one_of_32_wins_and_the_others_learn_who(
    database: Database, database_url: str, world: World, cast: Cast
) -> None:
    members = [await world.member_user(cast.team) for _ in range(MEMBERS)]
    settings = settings_for(database_url)
    tokens = [issue_token(settings, member.id, "read write", 1, datetime.now(UTC)) for member in members]
    leads = [await world.lead(cast.alice, cast.team) for _ in range(LEADS)]
    with server(database_url) as one, server(database_url) as other:
        async with httpx2.AsyncClient(timeout=60) as http:
            for lead in leads:
                offers = [await world.offer(lead, member) for member in members]
                answers = await asyncio.gather(
                    *(claim(http, (one, other)[i % 2], tokens[i], offer.id) for i, offer in enumerate(offers))
                )
                assert Counter(answers) == {"CLAIMED": 1, "ALREADY_CLAIMED": MEMBERS - 1}
                await check_states(database, lead.id, members[answers.index("CLAIMED")].id)


async def claim(http: httpx2.AsyncClient, server_url: str, token: str, offer_id: int) -> str:
    """Claim the offer. Returns its status after the claim, or the error code."""
    response = await http.post(
        f"{server_url}/graphql",
        json={"query": CLAIM, "variables": {"id": offer_id}},
        headers={"Authorization": f"Bearer {token}"},
    )
    answer: dict[str, Any] = response.json()
    if "errors" in answer:
        return str(answer["errors"][0]["extensions"]["code"])
    return str(answer["data"]["claimLeadOffer"]["leadOffer"]["status"])


async def check_states(database: Database, lead_id: int, winner_id: int) -> None:
    async with database.read() as session:
        lead = await session.get_one(Lead, lead_id)
        offers = (await session.exec(select(LeadOffer).where(col(LeadOffer.lead_id) == lead_id))).all()
    assert lead.claimed_by_id == winner_id
    assert [o.user_id for o in offers if o.status is LeadOfferStatus.CLAIMED] == [winner_id]
    assert {o.status for o in offers} == {LeadOfferStatus.CLAIMED, LeadOfferStatus.EXPIRED}
