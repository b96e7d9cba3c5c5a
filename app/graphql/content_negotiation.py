"""Content negotiation: the media type of a response, by the Accept header of its request."""

from functools import lru_cache

from app.http.accept_header import media_ranges

JSON = "application/json"
GRAPHQL_JSON = "application/graphql-response+json"
EVENT_STREAM = "text/event-stream"

_ACCEPTABLE = {"*/*": JSON, "application/*": JSON, JSON: JSON, GRAPHQL_JSON: GRAPHQL_JSON}
"""The media types of a result, by the media ranges that accept them."""


@lru_cache(64)
def negotiate(accept: str) -> str | None:
    """Return the JSON media type that the Accept header prefers, the first of equals; None if it accepts neither.

    Without a header, or for a wildcard, that is application/json: clients older than the GraphQL-over-HTTP draft
    expect it. Other types in the header, such as urql's `text/event-stream` and `multipart/mixed`, are ignored.
    """
    if not accept.strip():
        return JSON
    ranges = media_ranges(accept)
    refused = {name for name, quality in ranges if quality <= 0}
    accepted = [(quality, _ACCEPTABLE[name]) for name, quality in ranges if name in _ACCEPTABLE and quality > 0]
    accepted = [(quality, media_type) for quality, media_type in accepted if media_type not in refused]
    return max(accepted, key=lambda choice: choice[0])[1] if accepted else None


@lru_cache(64)
def accepts_events(accept: str) -> bool:
    """Whether the Accept header names server-sent events. Wildcards do not count."""
    return any(name == EVENT_STREAM and quality > 0 for name, quality in media_ranges(accept))
