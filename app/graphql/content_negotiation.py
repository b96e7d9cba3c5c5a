"""Media types of GraphQL over HTTP: in which one a client is answered."""

from functools import lru_cache

JSON = "application/json"
GRAPHQL_JSON = "application/graphql-response+json"
EVENT_STREAM = "text/event-stream"

_RANGES = {"*/*": JSON, "application/*": JSON, JSON: JSON, GRAPHQL_JSON: GRAPHQL_JSON}


@lru_cache(64)
def negotiate(accept: str) -> str | None:
    """The media type to answer in: the one the Accept header likes best, the first of equals; None if it takes neither.

    No header, and any range, means application/json, as clients of before the draft expect. Other types beside them,
    such as urql's `text/event-stream` and `multipart/mixed`, change nothing.
    """
    if not accept.strip():
        return JSON
    ranges = [_parse(item) for item in accept.split(",")]
    refused = {name for name, quality in ranges if quality <= 0}
    liked = [(quality, _RANGES[name]) for name, quality in ranges if name in _RANGES and quality > 0]
    liked = [like for like in liked if like[1] not in refused]
    return max(liked, key=lambda like: like[0])[1] if liked else None


@lru_cache(64)
def accepts_events(accept: str) -> bool:
    """Whether a client says that it takes server-sent events: by their name, any range does not mean them."""
    return any(name == EVENT_STREAM and quality > 0 for name, quality in map(_parse, accept.split(",")))


def _parse(item: str) -> tuple[str, float]:
    name, *parameters = (part.strip().lower() for part in item.split(";"))
    quality = next((p[2:] for p in parameters if p.startswith("q=")), "1")
    try:
        return name, float(quality)
    except ValueError:
        return name, 0.0
