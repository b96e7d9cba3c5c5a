"""Documents that a client names instead of sending: automatic persisted queries, and a manifest of trusted ones."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cachetools import LRUCache

from app.config import PREFIX, Settings
from app.errors import ApiError, Code, HTTPRefusal
from app.graphql.complexity import MAX_CHARACTERS

MAX_KEPT = 4 * 1024 * 1024
"""Characters of the documents that clients have taught us."""

NAMES = ("documentId", "doc_id", "id")
"""Entries of a request that name a document: as the draft of GraphQL over HTTP has it, and as Relay's networks do."""


class PersistedDocuments:
    """The documents behind names: those of the manifest, or else those that clients have sent before.

    ValueError says what is wrong with the manifest.
    """

    def __init__(self, settings: Settings) -> None:
        path = settings.trusted_documents
        self.trusted = None if path is None else _read(path)
        self._taught: LRUCache[str, str] = LRUCache(MAX_KEPT, getsizeof=len)

    def find(self, sent: Mapping[str, Any]) -> object:
        """What a request has as its query, itself or by a name; None if neither.

        PERSISTED_QUERY_NOT_FOUND asks the client to send it along, PERSISTED_QUERY_NOT_SUPPORTED not to try again;
        DOCUMENT_NOT_TRUSTED where the manifest does not have the name. HTTPRefusal if name and query do not fit.
        """
        text, automatic = sent.get("query"), _automatic(sent)
        if text and automatic is None and self.trusted is None:
            return text
        name = _name(sent)
        if self.trusted is not None:
            return self._trusted(name, text)
        if automatic is None and name is None:
            return text
        if not isinstance(automatic, dict) or automatic.get("version") != 1 or name is None:
            raise ApiError(Code.PERSISTED_QUERY_NOT_SUPPORTED, "PersistedQueryNotSupported")
        if text is not None:
            return self._learn(name, text)
        if name not in self._taught:
            raise ApiError(Code.PERSISTED_QUERY_NOT_FOUND, "PersistedQueryNotFound")
        return self._taught[name]

    def _trusted(self, name: str | None, text: object) -> object:
        """Whether a text is trusted is asked where documents are parsed, whatever way they came."""
        found = (self.trusted or {}).get(name or "")
        if found is None and not text:
            raise ApiError(Code.DOCUMENT_NOT_TRUSTED, "There is no trusted document of that name.")
        return found or text

    def _learn(self, name: str, text: object) -> object:
        if not isinstance(text, str) or hashlib.sha256(text.encode()).hexdigest() != name:
            raise HTTPRefusal(400, "extensions.persistedQuery.sha256Hash is not the SHA-256 of the query, in hex.")
        if name not in self._taught and len(text) <= MAX_CHARACTERS:
            self._taught[name] = text
        return text


def _automatic(sent: Mapping[str, Any]) -> Any:
    """What Apollo's link sends along."""
    extensions = sent.get("extensions")
    return extensions.get("persistedQuery") if isinstance(extensions, dict) else None


def _name(sent: Mapping[str, Any]) -> str | None:
    """The name of a document; of `sha256:…`, what follows."""
    automatic = _automatic(sent)
    named = automatic.get("sha256Hash") if isinstance(automatic, dict) else None
    named = named or next((sent[name] for name in NAMES if sent.get(name)), None)
    return named.removeprefix("sha256:") if isinstance(named, str) else None


def _read(path: Path) -> Mapping[str, str]:
    """A manifest as GraphQL Code Generator and Relay's compiler write it: one object, names to documents."""
    setting = f"{PREFIX}TRUSTED_DOCUMENTS"
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"{setting}: {path} cannot be read: {error}") from error
    if not isinstance(manifest, dict) or not all(isinstance(text, str) for text in manifest.values()):
        raise ValueError(f"{setting}: {path} must be one JSON object of names and documents")
    return {name.removeprefix("sha256:"): text for name, text in manifest.items()}
