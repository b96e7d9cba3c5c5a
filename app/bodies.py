"""Bodies of requests, which are read no further than they may be long."""

from starlette.requests import Request

MAX_BODY_BYTES = 1024 * 1024


class BodyTooLarge(Exception):
    """The body is longer than MAX_BODY_BYTES."""

    def __str__(self) -> str:
        return f"The body is larger than {MAX_BODY_BYTES} bytes."


async def read_body(request: Request) -> bytes:
    """The whole body. BodyTooLarge as soon as it is too long."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise BodyTooLarge
    return bytes(body)
