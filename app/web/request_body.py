"""Bodies of requests: JSON of a bounded size that comes within a bounded time."""

import asyncio
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import orjson
from starlette.requests import ClientDisconnect, Request

from app.config import Settings
from app.errors import ApiError, Code

MAX_NESTING = 100
"""Levels of lists and objects in a body. What we take has some 30: a `where` of 10 levels."""

MAX_VALUES = 50_000
"""Values in a body, whatever their kind. The largest list we take has 5,000: a team's zipcodes."""

CLOSE = {"Connection": "close"}
"""What is still on its way of a body that was refused is not read as the next request."""


async def read_json(request: Request, settings: Settings) -> Any:
    """The JSON body of a request.

    ApiError: as `read_body`, 415 for another media type, 400 for what is no JSON, or JSON beyond any use: too deep,
    too many values.
    """
    if not is_json(request.headers.get("content-type", "")):
        raise ApiError(Code.BAD_REQUEST, "Send the body as application/json in UTF-8.", status=415)
    return parse_json(await read_body(request, settings), "The body")


async def read_body(request: Request, settings: Settings) -> bytes:
    """The whole body. ApiError: 413 as soon as it is too large, 408 where it does not come in time."""
    try:
        async with asyncio.timeout(settings.body_seconds):
            return await _read(request, settings.max_body_bytes)
    except TimeoutError:
        message = f"The body did not come within {settings.body_seconds:g} seconds."
        raise ApiError(Code.BAD_REQUEST, message, headers=CLOSE, status=408) from None
    except ClientDisconnect:
        raise ApiError(Code.BAD_REQUEST, "The body ended early.") from None


@lru_cache(64)
def is_json(content_type: str) -> bool:
    """Whether a body is declared as JSON in UTF-8."""
    name, *parameters = (part.strip().lower() for part in content_type.split(";"))
    charsets = [p.partition("=")[2].strip('"') for p in parameters if p.startswith("charset=")]
    return name == "application/json" and all(charset in ("utf-8", "utf8") for charset in charsets)


def parse_json(text: str | bytes, what: str) -> Any:
    """The value of a JSON text. ApiError says what is wrong with `what`; never NaN, never half a character."""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise ApiError(Code.BAD_REQUEST, f"{what} is not valid JSON: {error}.") from error
    if _may_be_large(text):
        _check_size(value, what)
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
    return ApiError(Code.BAD_REQUEST, f"The body is larger than {max_bytes} bytes.", headers=CLOSE, status=413)


def _may_be_large(text: str | bytes) -> bool:
    """Whether a text is long enough for too many values, or has enough brackets to be nested too deeply."""
    brackets = ("[", "{") if isinstance(text, str) else (b"[", b"{")
    return len(text) > MAX_VALUES or sum(map(text.count, brackets)) > MAX_NESTING  # type: ignore[arg-type]


def _check_size(value: Any, what: str) -> None:
    """Level by level, so that neither depth nor size is felt."""
    level, count = [value], 0
    for _ in range(MAX_NESTING):
        count += len(level)
        if count > MAX_VALUES:
            raise ApiError(Code.BAD_REQUEST, f"{what} has more than {MAX_VALUES:,} values.")
        level = [inner for outer in level for inner in _inside(outer)]
        if not level:
            return
    raise ApiError(Code.BAD_REQUEST, f"{what} is nested deeper than {MAX_NESTING} levels.")


def _inside(value: Any) -> Iterable[Any]:
    match value:
        case dict():
            return value.values()
        case list():
            return value
    return ()
