"""Reads request bodies of limited size within limited time, and parses them as JSON. Forms: app/http/form_body.py."""

from functools import lru_cache
from typing import Any

import orjson
from starlette.requests import ClientDisconnect, Request

from app.config import Settings
from app.errors import ApiError, Code
from app.http.time_limits import time_limit

MAX_NESTING = 100
"""Levels of lists and objects. The deepest valid body, a `where` of 10 levels, has about 30."""

MAX_VALUES = 50_000
"""Values of any type. The largest valid list, the zipcodes of a team, has 5,000."""

MAX_FIELDS = 1_000
"""Fields of a form. Those of websites have a few dozen, of which few belong to an enquiry."""

CONTAINERS = frozenset({list, dict})

CLOSE = {"Connection": "close"}
"""Keeps the unread rest of a rejected body from being read as the next request."""


async def read_json(request: Request, settings: Settings) -> Any:
    """Return the JSON body of a request.

    BAD_REQUEST as `read_body` and `parse_json`, and with the status 415 for another media type.
    """
    if not is_json(content_type := request.headers.get("content-type", "")):
        message = f"The content type {content_type[:80]!r} is not supported. Send application/json in UTF-8."
        raise ApiError(Code.BAD_REQUEST, message, status=415)
    return parse_json(await read_body(request, settings), "The body")


async def read_body(request: Request, settings: Settings) -> bytes:
    """Return the whole body.

    BAD_REQUEST with the status 415 if it is compressed, 413 as soon as it is too large, and 408 if it takes too long.
    """
    encoding = request.headers.get("content-encoding", "").strip()
    if encoding.lower() not in ("", "identity"):
        message = f"The content encoding {encoding[:80]!r} is not supported. Send the body uncompressed."
        raise ApiError(Code.BAD_REQUEST, message, headers={"Accept-Encoding": "identity"}, status=415)
    try:
        async with time_limit(settings.body_seconds, _too_slow):
            return await _read(request, settings.max_body_bytes)
    except ClientDisconnect:
        raise ApiError(Code.BAD_REQUEST, "The connection was closed before the whole body was received.") from None


@lru_cache(64)
def is_json(content_type: str) -> bool:
    """Return whether a content type means JSON in UTF-8."""
    name, *parameters = (part.strip().lower() for part in content_type.split(";"))
    charsets = [p.partition("=")[2].strip('"') for p in parameters if p.startswith("charset=")]
    return name == "application/json" and all(charset in ("utf-8", "utf8") for charset in charsets)


def parse_json(text: str | bytes, subject: str) -> Any:
    """Return the value of a JSON text, which error messages call `subject`.

    BAD_REQUEST if it is invalid (NaN and lone surrogates are), nested too deeply, or has too many values.
    """
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise ApiError(Code.BAD_REQUEST, f"{subject} is not valid JSON: {error}.") from error
    if _may_be_large(text):
        _check_size(value, subject)
    return value


async def _read(request: Request, max_bytes: int) -> bytes:
    declared = request.headers.get("content-length", "")
    if declared.isascii() and declared.isdigit() and int(declared[:20]) > max_bytes:
        raise _too_large(max_bytes)
    body = bytearray()
    while True:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        body += message.get("body", b"")
        if len(body) > max_bytes:
            raise _too_large(max_bytes)
        if not message.get("more_body"):
            return bytes(body)


def _too_large(max_bytes: int) -> ApiError:
    message = f"The body is too large: at most {max_bytes} bytes are allowed."
    return ApiError(Code.BAD_REQUEST, message, headers=CLOSE, status=413)


def _too_slow(seconds: float) -> ApiError:
    message = f"The body was not received within {seconds:g} seconds."
    return ApiError(Code.BAD_REQUEST, message, headers=CLOSE, status=408)


def _may_be_large(text: str | bytes) -> bool:
    """Return whether the text is long enough for too many values, or has enough brackets to be nested too deeply."""
    brackets = ("[", "{") if isinstance(text, str) else (b"[", b"{")
    return len(text) > MAX_VALUES or sum(map(text.count, brackets)) > MAX_NESTING  # type: ignore[arg-type]


def _check_size(value: Any, subject: str) -> None:
    """Go through the value level by level: recursion would fail on deep ones."""
    level: list[list[Any]] = [[value]]
    count = 0
    for _ in range(MAX_NESTING + 1):
        count += sum(map(len, level))
        if count > MAX_VALUES:
            raise ApiError(Code.BAD_REQUEST, f"{subject} has more than {MAX_VALUES:,} values.")
        # Lists without lists and objects are recognised at once: a loop over their values takes longer than parsing.
        level = [
            list(child.values()) if isinstance(child, dict) else child
            for parent in level
            if not CONTAINERS.isdisjoint(map(type, parent))
            for child in parent
            if type(child) in CONTAINERS
        ]
        if not level:
            return
    raise ApiError(Code.BAD_REQUEST, f"{subject} is nested deeper than {MAX_NESTING} levels.")
