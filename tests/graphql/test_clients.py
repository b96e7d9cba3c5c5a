"""Clients that front ends use, as npm has them, against the server behind a socket."""

import json
from pathlib import Path
from typing import Any

import pytest

from app.main import create_app
from tests.support.api import Api, serving, settings_for
from tests.support.live_server import live_server
from tests.support.node import HERE, needs_node, node, run
from tests.support.world import Cast, World

SCHEMA = Path(__file__).parents[2] / "schema.graphql"


@pytest.fixture
async def results(database_url: str, api: Api, cast: Cast, world: World) -> dict[str, Any]:
    """The result of each client in clients.mjs, authenticated as Bob."""
    await world.offer(await world.lead(cast.alice, cast.team), cast.bob)
    token = api.user(cast.bob).token
    assert token
    with live_server(create_app(settings_for(database_url))) as url:
        found: dict[str, Any] = await node("clients.mjs", f"{url}/graphql", token)
    return found


@needs_node
async def test_queries_mutations_and_errors(results: dict[str, Any]) -> None:
    for name, result in results.items():
        assert (result["me"], result["limit"]) == ("Bob", 3), name
        assert result["refused"] == ["NOT_FOUND"], name
        assert result["wrong"] == ["GRAPHQL_VALIDATION_FAILED"], name


@needs_node
async def test_apollo_sends_a_known_document_by_its_hash(results: dict[str, Any]) -> None:
    """Four documents in five requests: each is asked for once, and not again when another client comes with them."""
    assert results["apollo"]["again"] == "Bob"
    assert len(results["apollo, persisted"]["requests"]) == 5 + 4
    assert [sent.split()[0] for sent in results["apollo, persisted, by GET"]["requests"]] == [
        *["GET"] * 3,
        "POST",
        "GET",
    ]


@needs_node
async def test_queries_go_by_get(results: dict[str, Any]) -> None:
    assert [sent.split()[0] for sent in results["urql, by GET"]["requests"]] == ["GET", "GET", "POST", "GET"]


@needs_node
async def test_a_client_of_event_streams_alone_gets_one_event(results: dict[str, Any]) -> None:
    assert results["graphql-sse"]["requests"] == ["POST 200"] * 4


def workshop(folder: Path) -> Path:
    """A front end's folder, with the packages installed."""
    (folder / "node_modules").symlink_to(HERE / "node_modules")
    (folder / "package.json").write_text('{"type": "module"}')
    return folder


@needs_node
@pytest.mark.slow
async def test_code_generator_makes_types_that_hold(tmp_path: Path, database_url: str, api: Api, cast: Cast) -> None:
    """Its manifest is the server's list of trusted documents, too."""
    folder = workshop(tmp_path)
    (folder / "app.ts").write_text(
        """
        import { graphql } from "./gql/index.js";
        import type { ResultOf } from "@graphql-typed-document-node/core";

        const inbox = graphql(`query Inbox($where: LeadOfferWhere) {
          leadOffers(where: $where, sort: [{ field: NOTIFY_AT, direction: DESC }]) {
            total
            data { id status notifyAt rank user { firstName } lead { id contact { firstName } } }
          }
        }`);
        type Offer = ResultOf<typeof inbox>["leadOffers"]["data"][number];
        export const line = (offer: Offer): string =>
          `${offer.id} ${offer.status} ${(offer.rank ?? 0).toFixed()} ${offer.user?.firstName} ${offer.lead.id}`;
        // @ts-expect-error: a field that was not asked for
        export const team = (offer: Offer) => offer.team;
        """
    )
    (folder / "codegen.ts").write_text(
        f"""
        export default {{
          schema: {json.dumps(str(SCHEMA))},
          documents: ["app.ts"],
          generates: {{ "./gql/": {{ preset: "client", presetConfig: {{ persistedDocuments: true }} }} }},
          emitLegacyCommonJSImports: false,
        }};
        """
    )
    await run("npx", "graphql-codegen", "--config", "codegen.ts", cwd=folder)
    options = ["--strict", "--noEmit", "--target", "es2022", "--module", "nodenext", "--moduleResolution", "nodenext"]
    await run("npx", "tsc", *options, "app.ts", cwd=folder)

    manifest = folder / "gql" / "persisted-documents.json"
    (name,) = json.loads(manifest.read_text())
    async with serving(settings_for(database_url, trusted_documents=manifest)) as trusting:
        answer = await trusting.user(cast.bob).post({"documentId": name})
        assert answer.json() == {"data": {"leadOffers": {"total": 0, "data": []}}}


@needs_node
async def test_relay_compiles(tmp_path: Path, database_url: str, cast: Cast) -> None:
    folder = workshop(tmp_path)
    (folder / "src").mkdir()
    (folder / "src" / "Inbox.ts").write_text(
        """
        import { graphql } from "relay-runtime";
        export const query = graphql`
          query InboxQuery($id: ID) { leadOffers(leadId: $id) { total data { ...Inbox_offer } } }`;
        export const fragment = graphql`
          fragment Inbox_offer on LeadOffer { id status lead { id contact { firstName } } }`;
        """
    )
    (folder / "relay.config.json").write_text(
        json.dumps(
            {
                "src": "./src",
                "schema": "./schema.graphql",
                "language": "typescript",
                "persistConfig": {"file": "./persisted.json", "algorithm": "SHA256"},
            }
        )
    )
    (folder / "schema.graphql").write_text(SCHEMA.read_text(encoding="utf-8"))
    (folder / "persisted.json").write_text("{}")
    await run("npx", "relay-compiler", cwd=folder)
    manifest = folder / "persisted.json"
    (name,) = json.loads(manifest.read_text())
    async with serving(settings_for(database_url, trusted_documents=manifest)) as trusting:
        answer = await trusting.user(cast.bob).post({"doc_id": name, "variables": {"id": "1"}})
        assert answer.json() == {"data": {"leadOffers": {"total": 0, "data": []}}}
