"""Media types of GraphQL over HTTP: what a client accepts, and what it sends."""

from email.message import Message

JSON = "application/json"
GRAPHQL_JSON = "application/graphql-response+json"

_RANGES = {"*/*": JSON, "application/*": JSON, JSON: JSON, GRAPHQL_JSON: GRAPHQL_JSON}


def negotiate(accept: str) -> str | None:
    """The media type to answer in: the one the Accept header likes best, the first of equals; None if it takes neither.

    No header, and any range, means application/json, as clients of before the draft expect.
    """
    if not accept.strip():
        return JSON
    ranges = [_parse(item) for item in accept.split(",")]
    liked = [(quality, _RANGES[name]) for name, quality in ranges if name in _RANGES and quality > 0]
    return max(liked, key=lambda like: like[0])[1] if liked else None


def is_json(content_type: str) -> bool:
    """Whether a body is declared as JSON in UTF-8."""
    message = Message()
    message["content-type"] = content_type
    charset = message.get_content_charset("utf-8")
    return bool(content_type) and message.get_content_type() == JSON and charset in ("utf-8", "utf8")


def _parse(item: str) -> tuple[str, float]:
    name, *parameters = (part.strip().lower() for part in item.split(";"))
    quality = next((p[2:] for p in parameters if p.startswith("q=")), "1")
    try:
        return name, float(quality)
    except ValueError:
        return name, 0.0
