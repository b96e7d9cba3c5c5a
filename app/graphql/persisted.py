"""Persisted documents, which a client names instead of sending: automatic persisted queries and trusted documents."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cachetools import LRUCache

from app.config import PREFIX, Settings
from app.errors import ApiError, Code
from app.graphql.complexity import MAX_CHARACTERS
from app.graphql.validation_rules import shortened

MAX_CACHED_CHARACTERS = 4 * 1024 * 1024
"""Characters of all documents that clients have registered."""

NAME_ENTRIES = ("documentId", "doc_id", "id")
"""Entries of a request that name a document: that of the GraphQL-over-HTTP draft, and those of Relay's networks."""


class PersistedDocuments:
    """The documents of the manifest of trusted documents; without a manifest, those that clients have registered.

    Raises ValueError if the manifest cannot be read.
    """

    def __init__(self, settings: Settings) -> None:
        path = settings.trusted_documents
        self.trusted = None if path is None else _read_manifest(path)
        self._registered: LRUCache[str, str] = LRUCache(MAX_CACHED_CHARACTERS, getsizeof=len)

    def find(self, sent: Mapping[str, Any]) -> object:
        """Return the `query` of a request, or the document that the request names; None if it has neither.

        Raises PERSISTED_QUERY_NOT_FOUND if the client should send the document along, PERSISTED_QUERY_NOT_SUPPORTED
        if it should not try again, DOCUMENT_NOT_TRUSTED if the manifest lacks the name, BAD_REQUEST for a wrong hash.
        """
        query = sent.get("query")
        extensions = sent.get("extensions")
        automatic = extensions.get("persistedQuery") if isinstance(extensions, dict) else None
        if query and automatic is None and self.trusted is None:
            return query

        name = _document_name(sent, automatic)
        if self.trusted is not None:
            return self._find_trusted(name, query)
        if automatic is None and name is None:
            return query

        # The messages of these two errors are Apollo's, which its clients compare.
        if not isinstance(automatic, dict) or automatic.get("version") != 1 or name is None:
            raise ApiError(Code.PERSISTED_QUERY_NOT_SUPPORTED, "PersistedQueryNotSupported")
        if query is not None:
            return self._register(name, query)
        if name not in self._registered:
            raise ApiError(Code.PERSISTED_QUERY_NOT_FOUND, "PersistedQueryNotFound")
        return self._registered[name]

    def _find_trusted(self, name: str | None, query: object) -> object:
        """Return the trusted document, or else the query: `DocumentCache` checks whether that is a trusted document."""
        document = (self.trusted or {}).get(name or "")
        if document is None and not query:
            message = (
                "This server runs trusted documents only. Send the id of one as documentId."
                if name is None
                else f"There is no trusted document with the id {shortened(name)}. Send the id of a trusted document."
            )
            raise ApiError(Code.DOCUMENT_NOT_TRUSTED, message)
        return document or query

    def _register(self, name: str, query: object) -> object:
        if not isinstance(query, str) or hashlib.sha256(query.encode()).hexdigest() != name:
            message = "extensions.persistedQuery.sha256Hash must be the SHA-256 hash of the query in hexadecimal."
            raise ApiError(Code.BAD_REQUEST, message)
        if name not in self._registered and len(query) <= MAX_CHARACTERS:
            self._registered[name] = query
        return query


def _document_name(sent: Mapping[str, Any], automatic: object) -> str | None:
    """Return the name of the document, without a leading `sha256:`."""
    name = automatic.get("sha256Hash") if isinstance(automatic, dict) else None
    name = name or next((sent[entry] for entry in NAME_ENTRIES if sent.get(entry)), None)
    return name.removeprefix("sha256:") if isinstance(name, str) else None


def _read_manifest(path: Path) -> Mapping[str, str]:
    """Return the documents of a manifest by name, as GraphQL Code Generator and Relay's compiler write it."""
    setting = f"{PREFIX}TRUSTED_DOCUMENTS"
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"{setting}: cannot read {path}: {error}") from error
    if not isinstance(manifest, dict) or not all(isinstance(text, str) for text in manifest.values()):
        raise ValueError(f"{setting}: {path} must contain one JSON object that maps names to documents")
    return {name.removeprefix("sha256:"): text for name, text in manifest.items()}
