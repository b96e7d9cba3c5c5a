"""Request log and metrics, and what must never appear in them."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx2
import orjson
import pytest
from sqlalchemy.exc import IntegrityError

from app.config import LogFormat
from app.db.compiled import CompiledQuery
from app.db.engine import Database
from app.observability import metrics
from app.observability.logs import configure_logging, request_logger
from app.observability.requests import RequestRecord
from app.worker.channels.base import DeliveryError, Message
from app.worker.channels.console import ConsoleChannel
from tests.support.api import Api, serving, settings_for
from tests.support.processes import free_port, start, stop
from tests.support.world import NOW, Cast, World
from tests.worker.test_worker import Office, Recorder

INBOX = "query Inbox($limit: Int) { leadOffers(limit: $limit) { total data { id lead { id } } } }"

Lines = Callable[[], list[dict[str, object]]]


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Lines:
    """Return the log lines since the last call."""
    return lambda: [orjson.loads(line) for line in capsys.readouterr().err.splitlines()]


def value(name: str, **labels: str) -> float:
    return metrics.registry.get_sample_value(name, labels) or 0


async def test_a_request_is_one_log_line(lines: Lines, api: Api, cast: Cast) -> None:
    bob = api.user(cast.bob)
    await bob.post({"query": INBOX, "variables": {"limit": 7}}, **{"X-Request-ID": "req-7"})
    (line,) = lines()
    timestamp = str(line.pop("timestamp"))
    written = datetime.fromisoformat(timestamp)
    assert written.isoformat(timespec="milliseconds") == timestamp
    assert abs(written - datetime.now(UTC)) < timedelta(minutes=5)
    assert 0 < float(str(line.pop("duration_ms"))) < 60_000
    assert line == {
        "level": "info",
        "event": "request",
        "request_id": "req-7",
        "method": "POST",
        "status": 200,
        "operation": "Inbox",
        "user_id": cast.bob.id,
        "statements": 1,
        "outcome": "OK",
    }


async def test_the_statements_of_a_request_are_counted(lines: Lines, api: Api, world: World, cast: Cast) -> None:
    for _ in range(3):
        await world.offer(await world.lead(cast.alice, cast.team), cast.bob)
    bob = api.user(cast.bob)
    seen = api.statements()
    lines()
    await bob.ask(INBOX)
    (line,) = lines()
    assert line["statements"] == len(seen) == 1


async def test_the_statements_of_a_claim_are_counted(lines: Lines, api: Api, world: World, cast: Cast) -> None:
    bob, claim = api.user(cast.bob), "mutation ($id: ID!) { claimLeadOffer(id: $id) { leadOffer { id } } }"
    seen = api.statements()
    for _ in range(2):  # the first claim over a connection of asyncpg asks for types, too
        offer = await world.offer(await world.lead(cast.alice, cast.team), cast.bob)
        lines()
        seen.clear()
        await bob.ask(claim, id=offer.id)
    (line,) = lines()
    begun, expected = (0, 6) if api.database.is_postgresql else (1, 7)  # BEGIN IMMEDIATE, and the claim in two
    assert len(seen) == expected
    assert line["statements"] == begun + len(seen)


async def test_an_error_is_logged_by_its_code(lines: Lines, api: Api, cast: Cast) -> None:
    bob = api.user(cast.bob)
    await bob.refusal("mutation { submitLeadOffers(leadId: 999) { createdCount } }")
    await bob.send("{ nonsense }")
    await api.send("{ me { id } }")
    await bob.rest("GET", "/leads/999/offers?rank=secret")
    await bob.rest("GET", "/nowhere/secret")
    found = lines()
    assert [line["outcome"] for line in found] == [
        "NOT_FOUND",
        "GRAPHQL_VALIDATION_FAILED",
        "UNAUTHENTICATED",
        "BAD_USER_INPUT",
        "NOT_FOUND",
    ]
    assert [line.get("operation") for line in found] == [
        "anonymous",
        "anonymous",
        None,
        "GET /leads/{lead_id}/offers",
        None,
    ]
    assert [line.get("path") for line in found] == [None, None, None, "/leads/999/offers", None]
    assert "secret" not in str(found)


async def test_the_claim_page_is_logged_without_the_link(lines: Lines, database_url: str) -> None:
    async with serving(settings_for(database_url, public_url="https://leads.example.com")) as api:
        for method in ("GET", "POST"):
            assert (await api.http.request(method, "/claim?link=secret")).status_code == 404
    found = lines()
    assert [line["operation"] for line in found] == ["GET /claim", "POST /claim"]
    assert "secret" not in str(found)


async def test_an_unexpected_exception_is_logged_with_the_request_id(
    lines: Lines, api: Api, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_args: object, **_options: object) -> None:
        raise RuntimeError("a failure of ours")

    monkeypatch.setattr(CompiledQuery, "fetch", fail)
    answer = await api.user(cast.bob).post({"query": INBOX})
    (line,) = [line for line in lines() if line["event"] == "request"]
    assert line["outcome"] == "INTERNAL_SERVER_ERROR"
    assert line["request_id"] == answer.headers["x-request-id"]


async def test_documents_are_logged_if_configured_and_variables_never(
    lines: Lines, database_url: str, cast: Cast
) -> None:
    for asked in (False, True):
        async with serving(settings_for(database_url, log_queries=asked)) as api:
            bob = api.user(cast.bob)
            await bob.send(INBOX, limit=7531)
        (line,) = lines()
        assert line.get("query") == (INBOX if asked else None)
        assert "7531" not in str(line)
        assert str(bob.token) not in str(line)


async def test_the_console_format(capsys: pytest.CaptureFixture[str], database_url: str, cast: Cast) -> None:
    async with serving(settings_for(database_url, log_format=LogFormat.CONSOLE)) as api:
        await api.user(cast.bob).ask(INBOX)
    line = capsys.readouterr().err
    assert "request" in line
    assert "operation=Inbox" in line


@pytest.mark.parametrize("log_format", LogFormat)
async def test_values_stay_out_of_tracebacks(
    capsys: pytest.CaptureFixture[str], database_url: str, world: World, log_format: LogFormat
) -> None:
    configure_logging(settings_for(database_url, log_format=log_format))
    dorothy = await world.user("Dorothy")
    try:
        await world.user("Dorothy", email=dorothy.email)
    except IntegrityError:
        logging.getLogger("test").exception("It failed")
    told = capsys.readouterr().err
    assert "It failed" in told
    assert "IntegrityError" in told
    assert str(dorothy.email) not in told


async def test_requests_are_counted_by_name_and_outcome(api: Api, cast: Cast) -> None:
    inbox = {"operation": "Counted"}
    before = value("lead_offers_requests_total", **inbox, outcome="OK")
    statements, seconds = (
        value(name, **inbox) for name in ("lead_offers_statements_total", "lead_offers_request_seconds_count")
    )
    bob = api.user(cast.bob)
    for _ in range(3):
        await bob.ask(INBOX.replace("Inbox", "Counted"))
    await bob.refusal("query Counted { leadOffers(limit: -1) { total } }")
    assert value("lead_offers_requests_total", **inbox, outcome="OK") == before + 3
    assert value("lead_offers_requests_total", **inbox, outcome="BAD_USER_INPUT") == 1
    assert value("lead_offers_statements_total", **inbox) > statements
    assert value("lead_offers_request_seconds_count", **inbox) == seconds + 4


def test_operation_names_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "_known", set())
    for number in range(metrics.MAX_OPERATIONS + 50):
        metrics.observe(RequestRecord("-", "POST", operation=f"Made{number}"), 0.001)
    metrics.observe(RequestRecord("-", "POST", operation="Refused", outcome="UNAUTHENTICATED"), 0.001)
    assert value("lead_offers_requests_total", operation="Made0", outcome="OK") == 1
    assert value("lead_offers_requests_total", operation=f"Made{metrics.MAX_OPERATIONS}", outcome="OK") == 0
    assert value("lead_offers_requests_total", operation="Refused", outcome="UNAUTHENTICATED") == 0
    assert value("lead_offers_requests_total", operation="other", outcome="OK") >= 50


async def test_offers_are_counted_after_the_commit(api: Api, world: World, cast: Cast) -> None:
    lead = await world.lead(cast.alice, cast.team)
    alice = api.user(cast.alice)
    before = value("lead_offers_offers_scheduled_total")
    await alice.ask(f"mutation {{ submitLeadOffers(leadId: {lead.id}) {{ createdCount }} }}")
    await alice.ask(f"mutation {{ submitLeadOffers(leadId: {lead.id}) {{ createdCount }} }}")
    assert value("lead_offers_offers_scheduled_total") == before + 1


async def test_claims_are_counted_with_speed_to_lead(api: Api, world: World, cast: Cast) -> None:
    lead = await world.lead(cast.alice, cast.team, created_at=NOW - timedelta(seconds=40))
    offer = await world.offer(lead, cast.bob)
    ways = ("APP", "ASSIGNED")
    before = [value("lead_offers_claims_total", via=via) for via in ways]
    speed = [value("lead_offers_speed_to_lead_seconds_bucket", le=le) for le in ("30.0", "60.0")]
    claim = f"mutation {{ claimLeadOffer(id: {offer.id}) {{ leadOffer {{ id }} }} }}"
    for _ in range(2):
        await api.user(cast.bob).ask(claim)
    give = f"mutation {{ assignLead(id: {lead.id}, userId: {cast.alice.id}) {{ lead {{ id }} }} }}"
    await api.user(cast.alice).ask(give)
    assert [value("lead_offers_claims_total", via=via) for via in ways] == [count + 1 for count in before]
    assert value("lead_offers_speed_to_lead_seconds_bucket", le="30.0") == speed[0]
    assert value("lead_offers_speed_to_lead_seconds_bucket", le="60.0") == speed[1] + 2


async def test_a_rolled_back_transaction_is_not_counted(database: Database) -> None:
    before = value("lead_offers_offers_scheduled_total")
    with suppress(RuntimeError):
        async with database.write() as session:
            metrics.after_commit(session, metrics.OFFERS_SCHEDULED.inc)
            raise RuntimeError
    assert value("lead_offers_offers_scheduled_total") == before


async def test_connections_in_use_are_counted(database: Database) -> None:
    async with database.write() as session:
        await session.connection()
        assert value("lead_offers_pool_connections_in_use", pool="write") == 1
    assert value("lead_offers_pool_connections_in_use", pool="write") == 0


async def test_an_invalid_request_id_is_replaced(api: Api, cast: Cast) -> None:
    bob = api.user(cast.bob)
    for sent in ("a b", "x" * 129, "a;b", "a\tb"):
        answer = await replace(bob).post({"query": INBOX}, **{"X-Request-ID": sent})
        assert answer.headers["x-request-id"] != sent
        assert len(answer.headers["x-request-id"]) == 32


async def test_deliveries_are_counted_with_their_delay(
    database: Database, database_url: str, world: World, cast: Cast
) -> None:
    office = Office(database, database_url, Recorder())
    sent, failed, soon = "lead_offers_delivery_lag_seconds_count", "lead_offers_delivery_failures_total", "60.0"
    before = [value(sent), value(failed), value("lead_offers_delivery_lag_seconds_bucket", le=soon)]
    await office.submit(await world.lead(cast.alice, cast.team))
    office.channel.failure = DeliveryError("busy")
    await office.dispatch()
    assert [value(sent), value(failed)] == [before[0], before[1] + 1]
    office.channel.failure = None
    assert await office.dispatch(timedelta(minutes=30)) == [cast.bob.email]
    assert [value(sent), value(failed)] == [before[0] + 1, before[1] + 1]
    assert value("lead_offers_delivery_lag_seconds_bucket", le=soon) == before[2]


@pytest.mark.process
async def test_a_worker_serves_its_own_metrics(database_url: str) -> None:
    port = free_port()
    worker = start(database_url, "dispatch", "--metrics-port", str(port), fallback="console")
    try:
        async with httpx2.AsyncClient() as http, asyncio.timeout(30):
            while True:
                with suppress(httpx2.TransportError):
                    told = (await http.get(f"http://127.0.0.1:{port}/metrics")).text
                    break
                await asyncio.sleep(0.1)
    finally:
        stop(worker)
    assert "lead_offers_delivery_lag_seconds_count 0.0\n" in told
    assert worker.returncode == 0


@pytest.mark.parametrize("log_format", list(LogFormat))
async def test_the_log_and_the_console_channel_escape_control_characters(
    capsys: pytest.CaptureFixture[str], database_url: str, log_format: LogFormat
) -> None:
    configure_logging(settings_for(database_url, log_format=log_format))
    evil = "\x1b[2J\u202e\x9b\u2028\r"
    await ConsoleChannel().send(Message("delivery-7", f"+1\n{evil}", f"Lead\nforged {evil}", f"Hello{evil}\n\nBye"))
    logging.getLogger("app").warning("Something about %s", evil)
    request_logger(settings_for(database_url, log_format=log_format))("request", {"path": f"/{evil}\nforged"})
    written = capsys.readouterr().err
    assert all(line.isprintable() for line in written.split("\n"))
    assert "\nforged" not in written
    assert written.count(r"\u202e") == written.count(r"\u2028") == 5
