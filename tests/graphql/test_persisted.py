"""Persisted documents: clients name them instead of sending them."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from app.graphql.persisted import MAX_CACHED_CHARACTERS, PersistedDocuments
from app.main import create_app
from tests.support.api import Api, serving, settings_for
from tests.support.world import Cast

ME = "{ me { id } }"
NAME = hashlib.sha256(ME.encode()).hexdigest()


def by_hash(name: str = NAME, version: Any = 1, **more: Any) -> dict[str, Any]:
    return {"extensions": {"persistedQuery": {"version": version, "sha256Hash": name}}, **more}


async def code(api: Api, body: dict[str, Any]) -> str:
    answer = await api.post(body, Accept="application/graphql-response+json")
    assert answer.status_code == 400
    assert "data" not in answer.json()
    extensions: dict[str, str] = answer.json()["errors"][0]["extensions"]
    return extensions["code"]


async def test_a_document_can_be_named_after_it_was_sent_once(api: Api, cast: Cast) -> None:
    bob = api.user(cast.bob)
    unknown = await bob.post(by_hash())
    assert unknown.status_code == 200
    assert unknown.json()["errors"][0] == {
        "message": "PersistedQueryNotFound",
        "extensions": {"code": "PERSISTED_QUERY_NOT_FOUND"},
    }
    me = {"data": {"me": {"id": str(cast.bob.id)}}}
    assert (await bob.post(by_hash(query=ME))).json() == me
    assert (await bob.post(by_hash())).json() == me
    extensions = json.dumps(by_hash()["extensions"])
    headers = {"Authorization": f"Bearer {bob.token}"}
    assert (await api.http.get("/graphql", params={"extensions": extensions}, headers=headers)).json() == me


async def test_registering_a_document_needs_a_token(api: Api, cast: Cast) -> None:
    assert (await api.post(by_hash(query=ME))).status_code == 401
    assert await code(api.user(cast.bob), by_hash()) == "PERSISTED_QUERY_NOT_FOUND"


@pytest.mark.parametrize(
    ("body", "refused"),
    [
        (by_hash(query="{ me { email } }"), "BAD_REQUEST"),
        (by_hash("0" * 64, query=ME), "BAD_REQUEST"),
        (by_hash(query=7), "BAD_REQUEST"),
        (by_hash(version=2), "PERSISTED_QUERY_NOT_SUPPORTED"),
        ({"extensions": {"persistedQuery": {"version": 1}}}, "PERSISTED_QUERY_NOT_SUPPORTED"),
        ({"extensions": {"persistedQuery": "x"}}, "PERSISTED_QUERY_NOT_SUPPORTED"),
        ({"documentId": NAME}, "PERSISTED_QUERY_NOT_SUPPORTED"),
        ({"extensions": {}}, "BAD_REQUEST"),
        ({"documentId": 7}, "BAD_REQUEST"),
    ],
)
async def test_invalid_names_of_documents(api: Api, cast: Cast, body: dict[str, Any], refused: str) -> None:
    assert await code(api.user(cast.bob), body) == refused


def test_registered_documents_are_bounded(database_url: str) -> None:
    documents = PersistedDocuments(settings_for(database_url))
    for i in range(100):
        text = f"{{ me {{ id }} }} # {i} {'x' * 90_000}"
        assert documents.find(by_hash(hashlib.sha256(text.encode()).hexdigest(), query=text)) == text
    assert 0 < sum(map(len, documents._registered.values())) <= MAX_CACHED_CHARACTERS


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    path = tmp_path / "persisted.json"
    path.write_text(json.dumps({"inbox-7": ME, f"sha256:{NAME}": ME, "broken": "{ nothing }"}))
    return path


async def test_only_trusted_documents_are_executed(database_url: str, cast: Cast, manifest: Path) -> None:
    async with serving(settings_for(database_url, trusted_documents=manifest)) as api:
        bob = api.user(cast.bob)
        for body in (
            {"query": ME},
            {"documentId": "inbox-7"},
            {"doc_id": "inbox-7"},
            {"id": "inbox-7"},
            {"documentId": f"sha256:{NAME}"},
            by_hash(),
            by_hash(query=ME),
            {"documentId": "inbox-7", "query": "{ me { email } }"},
        ):
            assert (await bob.post(body)).json() == {"data": {"me": {"id": str(cast.bob.id)}}}, body
        for body in (
            {"query": "{me{id}}"},
            {"query": "{ __schema { types { name } } }"},
            {"documentId": "another"},
            {"documentId": "another", "query": "{ me { email } }"},
            by_hash("0" * 64),
            by_hash(hashlib.sha256(b"{me{id}}").hexdigest(), query="{me{id}}"),
        ):
            assert await code(bob, body) == "DOCUMENT_NOT_TRUSTED", body
        assert await code(bob, {"documentId": "broken"}) == "GRAPHQL_VALIDATION_FAILED"
        assert await code(bob, {}) == "DOCUMENT_NOT_TRUSTED"


@pytest.mark.parametrize("text", [None, "", "[]", '{"a": 1}'])
def test_an_unreadable_manifest_is_reported_with_its_setting(
    database_url: str, tmp_path: Path, text: str | None
) -> None:
    path = tmp_path / "persisted.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ValueError, match="LEAD_OFFERS_TRUSTED_DOCUMENTS"):
        create_app(settings_for(database_url, trusted_documents=path))
