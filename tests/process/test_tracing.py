"""Traces of real servers and workers, as a collector receives them; and that tracing costs nothing while it is off."""

import asyncio
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import httpx2
import pytest

from app.db.engine import Database
from app.db.models import Delivery
from app.domain.enums import Channel, DeliveryStatus
from tests.support.api import SECRET, Api, settings_for
from tests.support.databases import sqlite_url
from tests.support.graphql_ws import SUBMIT, signed_in
from tests.support.otlp_receiver import Receiver, Span, receiving
from tests.support.processes import ROOT, serve, server, start, stop
from tests.support.smtp_server import mailbox
from tests.support.twilio_api import TWILIO, provider
from tests.support.webhook_endpoint import receiving as receiving_events
from tests.support.world import NOW, Cast, World

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
CALLER = {"traceparent": f"00-{TRACE}-{PARENT}-01", "tracestate": "vendor=opaque", "baggage": "secret=canary-baggage"}
CLAIM = "mutation Claim($id: ID!) { claimLeadOffer(id: $id) { leadOffer { id } } }"
SYSTEM = {True: "postgresql", False: "sqlite"}


@pytest.fixture
def traces(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    """The receiver of all spans of the processes that the test starts."""
    with receiving() as receiver:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "200")
        yield receiver


@asynccontextmanager
async def traced(url: str, database: Database, *arguments: str, **settings: str) -> AsyncIterator[Api]:
    with server(url, *arguments, tracing="on", **settings) as address:
        async with httpx2.AsyncClient(base_url=address) as http:
            yield Api(http, settings_for(url), database)


async def arrived(traces: Receiver, name: str) -> Span:
    return await asyncio.to_thread(traces.named, name)


def only(spans: list[Span], name: str) -> Span:
    (span,) = [span for span in spans if span.name == name]
    return span


async def test_a_request_with_its_statements(
    traces: Receiver, database_url: str, database: Database, cast: Cast
) -> None:
    async with traced(database_url, database) as api:
        response = await api.user(cast.bob).post(
            {"query": "query Offers { leadOffers { total } }"}, **CALLER, **{"X-Request-ID": "request-1"}
        )
        assert response.json() == {"data": {"leadOffers": {"total": 0}}}
        query = await arrived(traces, "query Offers")
        assert (query.kind, query.trace_id, query.parent_id, query.failed) == ("SERVER", TRACE, PARENT, False)
        assert query.attributes == {
            "http.request.method": "POST",
            "http.route": "/graphql",
            "http.response.status_code": 200,
            "url.scheme": "http",
            "graphql.operation.type": "query",
            "graphql.operation.name": "Offers",
            "lead_offers.request_id": "request-1",
        }
        assert query.resource["service.name"] == "lead-offers"
        (statement,) = traces.below(query)
        text = str(statement.attributes["db.query.text"])
        assert text.split(maxsplit=1)[0] in ("SELECT", "WITH")
        assert (statement.kind, statement.trace_id) == ("CLIENT", TRACE)
        assert 0 < statement.seconds <= query.seconds
        assert statement.attributes == {
            "db.system.name": SYSTEM[database.is_postgresql],
            "db.operation.name": text.split(maxsplit=1)[0],
            "db.query.summary": statement.name,
            "db.query.text": text,
            "lead_offers.request_id": "request-1",
        }


async def test_every_way_to_run_a_statement(
    traces: Receiver, database_url: str, database: Database, world: World, cast: Cast
) -> None:
    """Compiled reads, compiled statements in a transaction, and the session's own, once each."""
    lead = await world.lead(cast.alice, cast.team)
    async with traced(database_url, database) as api:
        await api.user(cast.alice).ask(SUBMIT.replace("mutation", "mutation Submit"), id=lead.id)
        submit = await arrived(traces, "mutation Submit")
        await api.user(cast.alice).rest("GET", f"/leads/{lead.id}/offers")
        find = await arrived(traces, "GET /leads/{lead_id}/offers")
    names = Counter(span.name for span in traces.below(submit))
    assert names["BEGIN"] == 1
    assert names["INSERT lead_offers"] == names["INSERT deliveries"] == 1, names
    assert all(span.attributes["db.query.text"] for span in traces.below(submit))
    assert find.attributes["http.route"] == "/leads/{lead_id}/offers"
    assert {"SELECT lead_offers"} <= {span.name for span in traces.below(find)}


async def test_messages_belong_to_the_request_that_caused_them(
    traces: Receiver, database_url: str, database: Database, world: World, cast: Cast
) -> None:
    await world.member_user(
        cast.team, "Dora", rank=1, phone="+12025550143", has_email_alert=True, has_text_alert=True, has_call_alert=True
    )
    lead = await world.lead(cast.alice, cast.team)
    with mailbox() as box:
        async with provider() as twilio, receiving_events() as endpoint:
            channels = {"smtp_url": box.url, "email_from": "leads@example.com", "twilio_url": twilio.url}
            settings = channels | dict(TWILIO) | endpoint.settings
            async with traced(database_url, database, "--dispatch", **settings) as api:
                headers = CALLER | {"X-Request-ID": "submit-1"}
                body = {"query": SUBMIT, "variables": {"id": lead.id}}
                submitted = (await api.user(cast.alice).post(body, **headers)).json()["data"]["submitLeadOffers"]
                sent = [await arrived(traces, f"send {channel}") for channel in ("text", "call")]
                sent += await asyncio.to_thread(traces.wait_for, lambda span: span.name == "send email")
                offer = next(each["id"] for each in submitted["offers"] if each["user"]["id"] == str(cast.bob.id))
                body = {"query": CLAIM, "variables": {"id": offer}}
                await api.user(cast.bob).post(body, **{"X-Request-ID": "claim-1"})
                claim, event = await arrived(traces, "mutation Claim"), await arrived(traces, "send webhook")
            submit = only(traces.spans, "mutation")
            for span in sent:
                assert (span.kind, span.trace_id, span.parent_id) == ("CLIENT", TRACE, submit.span_id)
                assert span.attributes["lead_offers.request_id"] == "submit-1"
                assert re.fullmatch(r"delivery-\d+", str(span.attributes["messaging.message.id"]))
            assert (event.trace_id, event.parent_id) == (claim.trace_id, claim.span_id)
            assert event.attributes["lead_offers.request_id"] == "claim-1"
            (post,) = endpoint.posts
            assert post.headers["traceparent"].startswith(f"00-{claim.trace_id}-{event.span_id}-")
            assert event.attributes["messaging.message.id"] == post.id
            assert {each.headers["traceparent"][3:35] for each in twilio.sent} == {TRACE}
            assert all(each.headers["tracestate"] == "vendor=opaque" for each in twilio.sent)
            assert {span.name for span in traces.spans} >= {"send batch: Events", "send batch: Deliveries by email"}


async def test_spans_contain_no_personal_data_and_no_secrets(
    traces: Receiver, database_url: str, database: Database, world: World, cast: Cast
) -> None:
    dora = await world.member_user(cast.team, "Dora", last_name="Canary", rank=1, phone="+12025550143")
    contact = await world.contact(cast.alice, first_name="Canarycontact")
    _key, secret = await world.api_key(cast.alice)
    with mailbox() as box:
        box.answer = lambda mail: f"550 {mail['To']} canary-reply"
        async with receiving_events() as endpoint:
            settings = {"smtp_url": box.url, "email_from": "leads@example.com"} | endpoint.settings
            async with traced(database_url, database, "--dispatch", public_url="http://localhost", **settings) as api:
                alice = api.user(cast.alice)
                created = await alice.ask(
                    """mutation Create($contact: ID!, $team: ID!) { createLead(input: {
                        contactId: $contact, zipcode: "02139", distributionTarget: TEAM_ROLLOUT, teamId: $team
                        teamSelectionMethod: SPECIFIC_TEAM
                    }) { lead { id } } }""",
                    contact=contact.id,
                    team=cast.team.id,
                )
                lead_id = created["createLead"]["lead"]["id"]
                await alice.ask(SUBMIT, id=lead_id)
                literal = 'query Find { contacts(where: {firstName: {eq: "Canarycontact"}}) { total } }'
                await alice.post({"query": literal, "operationName": "Find"})
                await alice.post({"query": literal, "operationName": "canary@example.com"})
                await alice.post({"query": 'query Wrong { lead(id: "canary@example.com") { id } }'})
                await alice.rest("GET", "/leads/canary@example.com/offers?canary=%40canary&token=canary-token")
                await api.http.get("/canary-path")
                await api.http.request("CANARY", "/claim?token=canary-token")
                await api.http.post(f"/intake/{secret}", json={"email": "canary@example.com"})
                await api.http.post("/graphql", headers={"Authorization": "Bearer canary-token"}, json={})
                await alice.post({"query": "query Last { me { id } }"}, **CALLER)
                await arrived(traces, "query Last")
                (failed, *_) = await asyncio.to_thread(traces.wait_for, lambda span: span.name == "send email")
    assert (failed.failed, failed.description) == (True, "DeliveryError")
    assert {"POST /intake/{key}", "mutation Create", "query Find", "GET /leads/{lead_id}/offers"} <= {
        span.name for span in traces.spans
    }
    values = ["canary", secret, SECRET, str(dora.email), "2025550143", "02139", "hooks", api.user(cast.alice).token]
    for span in traces.spans:
        for value in values:
            assert str(value).lower() not in span.text.lower(), span


async def test_operations_over_websocket(traces: Receiver, database_url: str, database: Database, cast: Cast) -> None:
    async with traced(database_url, database) as api:
        address, token = str(api.http.base_url).rstrip("/"), api.user(cast.bob).token
        headers = {"traceparent": CALLER["traceparent"], "X-Request-ID": "socket-1"}
        async with signed_in(address, token, additional_headers=headers) as client:
            for number, query in enumerate(
                ["query Me { me { id } }", 'mutation Missing { claimLeadOffer(id: "999") { leadOffer { id } } }']
            ):
                await client.send(id=str(number), type="subscribe", payload={"query": query})
                while (await client.receive())["type"] not in ("complete", "error"):
                    pass
            await client.subscribe("subscription Watch { leadOfferChanged { changedAt } }")
        found = [await arrived(traces, name) for name in ("query Me", "mutation Missing", "subscription Watch")]
    for span in found:
        assert (span.kind, span.trace_id, span.parent_id) == ("SERVER", TRACE, PARENT)
        assert span.attributes["lead_offers.request_id"] == "socket-1"
    assert [span.attributes.get("error.type") for span in found] == [None, "NOT_FOUND", None]
    assert all(traces.below(span) for span in found[:2])


async def test_errors(traces: Receiver, database_url: str, database: Database, world: World, cast: Cast) -> None:
    """Errors of clients have their code, and do not count as failures."""
    async with traced(database_url, database) as api:
        await api.post({"query": "query Denied { me { id } }"})
        await api.rest("GET", "/leads/1/offers")
        await api.http.get("/nowhere")
        await arrived(traces, "GET")
    denied, find = only(traces.spans, "POST /graphql"), only(traces.spans, "GET /leads/{lead_id}/offers")
    assert (denied.failed, denied.attributes["error.type"]) == (False, "UNAUTHENTICATED")
    assert (find.failed, find.attributes["http.response.status_code"]) == (False, 401)


async def test_a_failed_statement(traces: Receiver, database_url: str, database: Database, cast: Cast) -> None:
    async with traced(database_url, database) as api:
        async with database.write_engine.begin() as connection:
            await connection.exec_driver_sql("ALTER TABLE lead_offers RENAME TO elsewhere")
        await api.user(cast.bob).post({"query": "query Broken { leadOffers { total } }"})
        broken = await arrived(traces, "query Broken")
    assert (broken.failed, broken.attributes["error.type"]) == (True, "INTERNAL_SERVER_ERROR")
    failed = [span for span in traces.below(broken) if span.failed]
    assert failed
    if database.is_postgresql:
        assert {span.attributes["db.response.status_code"] for span in failed} == {"42P01"}
        assert {span.description for span in failed} == {"UndefinedTableError"}
    else:
        assert {span.description for span in failed} == {"OperationalError"}


async def test_health_checks_and_polls_are_not_recorded(
    traces: Receiver, database_url: str, database: Database, cast: Cast
) -> None:
    async with traced(database_url, database, "--dispatch", fallback="console") as api:
        for path in ("/healthz", "/readyz", "/metrics"):
            assert (await api.http.get(path)).status_code == 200
        await asyncio.sleep(1.5)
        await api.user(cast.bob).post({"query": "query Last { me { id } }"})
        await arrived(traces, "query Last")
    assert {span.name for span in traces.spans if not span.parent_id} == {"query Last"}


async def test_the_sampler_of_the_environment(
    traces: Receiver, database_url: str, database: Database, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the standard variables, only requests are recorded whose caller says so; and the service has another name."""
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_always_off")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "leads-in-boston")
    async with traced(database_url, database) as api:
        await api.user(cast.bob).post({"query": "query Alone { me { id } }"})
        await api.user(cast.bob).post({"query": "query Called { me { id } }"}, **CALLER)
        called = await arrived(traces, "query Called")
    assert called.resource["service.name"] == "leads-in-boston"
    assert {span.trace_id for span in traces.spans} == {TRACE}


async def test_the_last_spans_of_a_worker_are_exported(
    traces: Receiver, database_url: str, world: World, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "60000")
    lead = await world.lead(cast.alice, cast.team)
    offer = await world.offer(lead, cast.bob)
    due = Delivery(offer_id=offer.id, channel=Channel.EMAIL, status=DeliveryStatus.PENDING, next_attempt_at=NOW)
    await world.add(due)
    process = start(database_url, "dispatch", "--once", fallback="console", tracing="on")
    assert await asyncio.to_thread(process.wait, 60) == 0
    batch, message = only(traces.spans, "send batch: Deliveries by call, text, email"), only(traces.spans, "send email")
    assert (batch.parent_id, message.parent_id) == ("", batch.span_id)


async def test_a_receiver_that_does_not_respond_delays_nothing(
    traces: Receiver, database_url: str, database: Database, cast: Cast
) -> None:
    traces.is_silent.set()
    process, url = serve(database_url, tracing="on")
    async with httpx2.AsyncClient(base_url=url, timeout=5) as http:
        api = Api(http, settings_for(database_url), database)
        assert (await api.user(cast.bob).post({"query": "{ me { id } }"})).status_code == 200
        await asyncio.sleep(0.5)
        assert (await api.user(cast.bob).post({"query": "{ me { id } }"})).status_code == 200
    started = time.monotonic()
    stop(process)
    assert time.monotonic() - started < 8


WITHOUT_THE_EXTRA = "import sys; sys.modules['opentelemetry'] = None; from app.cli import app; app()"


@pytest.mark.parametrize("command", [["serve", "--port", "0"], ["serve", "--workers", "2"], ["dispatch", "--once"]])
def test_without_the_extra_the_error_is_clear(
    command: list[str], database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"DATABASE_URL": database_url, "JWT_SECRET": SECRET, "TRACING": "on"}.items():
        monkeypatch.setenv(f"LEAD_OFFERS_{name}", value)
    if "--workers" in command and database_url.startswith("sqlite"):
        command = ["serve", "--port", "0", "--dispatch"]
    run = [sys.executable, "-c", WITHOUT_THE_EXTRA, *command]
    result = subprocess.run(run, capture_output=True, text=True, cwd=ROOT, timeout=60, check=False)
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1].endswith(
        "LEAD_OFFERS_TRACING is on, but opentelemetry is not installed: pip install 'lead-offers[otel]'"
    )
    assert "Traceback" not in result.stderr


OFF = """
import asyncio, sys
sys.modules["opentelemetry"] = None  # any import of it fails
import httpx2
from app.main import create_app
from tests.support.api import settings_for
from app.db.engine import Database
from sqlalchemy import event

app = create_app(settings_for(sys.argv[1]))
assert "opentelemetry" not in sys.modules or sys.modules["opentelemetry"] is None
assert not [each for each in sys.modules if each.startswith("opentelemetry.")]
print([each.cls.__name__ for each in app.user_middleware])
db: Database = app.state.database
for engine in (db.read_engine, db.write_engine):
    print(len(list(engine.sync_engine.dispatch.after_cursor_execute)))
"""


def test_off_imports_nothing_and_registers_nothing(database_url: str) -> None:
    run = [sys.executable, "-c", OFF, database_url]
    result = subprocess.run(run, capture_output=True, text=True, cwd=ROOT, timeout=60, check=True)
    layers, reads, writes = result.stdout.splitlines()
    assert "TracingMiddleware" not in layers
    assert "ObservabilityMiddleware" in layers
    assert (reads, writes) == ("0", "0")


def test_off_works_without_the_extra(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEAD_OFFERS_DATABASE_URL", sqlite_url(tmp_path_factory.mktemp("off") / "off.db"))
    run = [sys.executable, "-c", WITHOUT_THE_EXTRA, "migrate"]
    subprocess.run(run, cwd=ROOT, timeout=60, check=True, capture_output=True)
