"""Workers as processes: killed, several at once, notified of new work, misconfigured, and inside the server."""

import asyncio
import json
import os
import subprocess
import sys
from collections import Counter

import pytest
from sqlmodel import col, func, select

from app.db.engine import Database
from app.db.models import Delivery, Lead, LeadOffer
from app.domain.enums import Channel, DeliveryStatus, DistributionTarget, LeadOfferStatus
from app.worker.channels.email import EmailChannel
from app.worker.worker import BATCHES_PER_CHANNEL
from tests.support.api import SECRET
from tests.support.processes import FULL, ROOT, server, start, stop
from tests.support.smtp_server import Mailbox, mailbox
from tests.support.waiting import until
from tests.support.world import NOW, Cast, World

MAILS = 1000 if FULL else 240
KILLS = 3
PATIENCE = 300
"""Seconds that the e-mails may take on a busy machine."""
IN_FLIGHT = BATCHES_PER_CHANNEL * EmailChannel.max_concurrent
"""The number of e-mails that one worker sends at the same time."""


async def due_mails(world: World, cast: Cast, number: int) -> None:
    """Add this number of offers to Bob whose e-mails are due."""
    contact = await world.contact(cast.alice)
    leads = [
        Lead(
            creator_id=cast.alice.id,
            contact_id=contact.id,
            created_at=NOW,
            distribution_target=DistributionTarget.TEAM_ROLLOUT,
            team_id=cast.team.id,
        )
        for _ in range(number)
    ]
    await world.add(*leads)
    offers = [
        LeadOffer(
            lead_id=lead.id,
            user_id=cast.bob.id,
            team_id=cast.team.id,
            offered_by_id=cast.alice.id,
            notify_at=NOW,
            has_email_alert=True,
            status=LeadOfferStatus.SCHEDULED,
        )
        for lead in leads
    ]
    await world.add(*offers)
    await world.add(
        *(
            Delivery(offer_id=offer.id, channel=Channel.EMAIL, status=DeliveryStatus.PENDING, next_attempt_at=NOW)
            for offer in offers
        )
    )


def worker(url: str, box: Mailbox) -> subprocess.Popen[bytes]:
    return start(url, "dispatch", smtp_url=box.url, email_from="leads@example.org", lease_seconds="8")


async def count(database: Database, status: DeliveryStatus) -> int:
    async with database.read() as session:
        return (await session.exec(select(func.count()).where(col(Delivery.status) == status))).one()


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.slow
async def test_killed_workers_lose_nothing(
    database: Database,
    database_url: str,
    world: World,
    cast: Cast,
    workers: int,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Every e-mail arrives. Only those in progress when a worker was killed may arrive twice."""
    await due_mails(world, cast, MAILS)
    with mailbox() as box:
        for n in range(KILLS):
            processes = [worker(database_url, box) for _ in range(workers)]
            enough = (n + 1) * MAILS // (KILLS + 1)

            async def enough_came(enough: int = enough) -> bool:
                return len(box.mails) >= enough

            await until(enough_came, PATIENCE)
            for process in processes:
                process.kill()
                process.wait()
        processes = [worker(database_url, box) for _ in range(workers)]

        async def all_sent() -> bool:
            return await count(database, DeliveryStatus.SENT) == MAILS

        await until(all_sent, PATIENCE)
        for process in processes:
            stop(process)
            assert process.returncode == 0
        arrived = Counter(box.ids())
    assert set(arrived) == {f"<delivery-{n}@example.org>" for n in range(1, MAILS + 1)}
    doubles = sum(arrived.values()) - MAILS
    with capsys.disabled():
        print(f"\n{KILLS} kills of {workers}: of {MAILS} e-mails {doubles} came twice")  # noqa: T201  the figures
    assert doubles <= KILLS * workers * IN_FLIGHT


async def test_a_worker_inside_the_server_notifies_after_a_submit(
    database_url: str, database: Database, world: World, cast: Cast
) -> None:
    lead = await world.lead(cast.alice, cast.team)
    with mailbox() as box, server(database_url, "--dispatch", smtp_url=box.url, email_from="leads@example.org"):
        await world.offer(lead, cast.bob, status=LeadOfferStatus.SCHEDULED)
        await world.add(Delivery(offer_id=1, channel=Channel.EMAIL, status=DeliveryStatus.PENDING, next_attempt_at=NOW))

        async def it_came() -> bool:
            return len(box.mails) == 1

        await until(it_came, 10)
        assert box.mails[0]["To"] == cast.bob.email


async def run(url: str, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {
        "LEAD_OFFERS_DATABASE_URL": url,
        "LEAD_OFFERS_JWT_SECRET": SECRET,
        "PYTHONPATH": str(ROOT),
        **{f"LEAD_OFFERS_{name.upper()}": value for name, value in settings.items()},
    }
    command = [sys.executable, "-c", "from app.cli import app; app()", *arguments]
    return await asyncio.to_thread(
        subprocess.run, command, env=environment, capture_output=True, text=True, check=False
    )


async def test_once_does_what_is_due_and_says_so(database_url: str, world: World, cast: Cast) -> None:
    await due_mails(world, cast, 3)
    done = await run(database_url, "dispatch", "--once", fallback="console")
    assert done.returncode == 0, done.stderr
    assert done.stdout == (
        "0 leads processed, 3 deliveries due: 3 sent, 0 failed, 0 held or cancelled; 0 notices and 0 events due\n"
    )
    assert f"To {cast.bob.email}: Lead offer 1: Mary" in done.stderr


@pytest.mark.parametrize("command", [["dispatch"], ["dispatch", "--once"], ["serve", "--dispatch", "--port", "0"]])
async def test_a_channel_that_is_used_must_be_set_up(database_url: str, cast: Cast, command: list[str]) -> None:
    refused = await run(database_url, *command)
    assert refused.returncode == 1
    assert refused.stdout == ""
    assert "alert by email, and there is no channel for e-mail: set LEAD_OFFERS_SMTP_URL" in refused.stderr
    assert "LEAD_OFFERS_FALLBACK=console" in refused.stderr


async def test_unclaimed_leads_are_listed(database_url: str, world: World, cast: Cast) -> None:
    lead = await world.lead(cast.alice, cast.team, watched_since=NOW)
    await world.lead(cast.alice, cast.team)
    listed = await run(database_url, "leads", "unclaimed")
    assert listed.returncode == 0, listed.stderr
    assert listed.stdout == f"{lead.id}\t2026-03-02T09:00:00.000Z\t{cast.alice.email}\tMary Jackson\n"


async def test_names_add_no_lines_and_no_columns(database_url: str, world: World, cast: Cast) -> None:
    name = "Ann\n888\t2026-01-01T00:00:00.000Z\x1b[2J\u202e\u2028\x9b\r"
    contact = await world.contact(cast.alice, first_name=name, last_name="Zo\u00eb")
    lead = await world.lead(cast.alice, cast.team, contact=contact, watched_since=NOW)
    listed = await run(database_url, "leads", "unclaimed")
    escaped = r"Ann\n888\t2026-01-01T00:00:00.000Z\u001b[2J\u202e\u2028\u009b\r Zo\u00eb".replace(
        r"Zo\u00eb", "Zo\u00eb"
    )
    assert listed.stdout == f"{lead.id}\t2026-03-02T09:00:00.000Z\t{cast.alice.email}\t{escaped}\n"

    as_json = await run(database_url, "leads", "unclaimed", "--json")
    assert json.loads(as_json.stdout) == [
        {
            "id": str(lead.id),
            "created_at": "2026-03-02T09:00:00.000Z",
            "creator": cast.alice.email,
            "contact": f"{name} Zo\u00eb",
        }
    ]
    assert as_json.stdout.isascii()

    await world.claimed(lead, cast.bob)
    held = await run(database_url, "user", "deactivate", str(cast.bob.email))
    assert held.stdout.count("\n") == 1
    assert held.stdout.endswith(f"\t{escaped}\n")
