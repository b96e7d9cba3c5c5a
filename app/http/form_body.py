"""Reads the fields of HTML forms: application/x-www-form-urlencoded, and multipart/form-data without files."""

import codecs
from collections.abc import AsyncGenerator, Sequence
from urllib.parse import parse_qsl

from python_multipart.multipart import parse_options_header
from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from app.config import Settings
from app.errors import ApiError, Code, Problem, bad_input
from app.http.request_body import MAX_FIELDS, read_body

URLENCODED = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data"

FormFields = Sequence[tuple[str, str]]
"""Names and values in the order of the form. A name may be repeated."""

UTF_8, WINDOWS_1252, LATIN_1 = "utf-8", "cp1252", "iso8859-1"

_CHARSETS = {UTF_8: UTF_8, WINDOWS_1252: WINDOWS_1252, LATIN_1: WINDOWS_1252, "ascii": UTF_8}
"""The encodings of forms by Python's names. Browsers use the name of Latin-1 for Windows-1252."""


def form_type(content_type: str) -> str | None:
    """Return the media type of a form, in lower case, or None if the content type is that of something else."""
    media_type = _options(content_type)[0]
    return media_type if media_type in (URLENCODED, MULTIPART) else None


async def read_form(request: Request, settings: Settings) -> FormFields:
    """Return the fields of a form.

    BAD_REQUEST as `read_body`, if the body is malformed or has more than MAX_FIELDS fields, and with the status 415 for
    an unknown encoding of text. BAD_USER_INPUT if the form has a file.
    """
    content_type = request.headers.get("content-type", "")
    media_type, options = _options(content_type)
    charset = _charset(options.get("charset") or UTF_8)
    body = (await read_body(request, settings)).removeprefix(codecs.BOM_UTF8)
    fields = _parse_urlencoded(body) if media_type == URLENCODED else await _parse_multipart(body, content_type)
    return [(_decode(name, charset), _decode(value, charset)) for name, value in fields]


def _options(content_type: str) -> tuple[str, dict[str, str]]:
    """Return the media type in lower case, and its parameters."""
    media_type, options = parse_options_header(content_type)
    return media_type.decode(LATIN_1), {name.decode(LATIN_1): value.decode(LATIN_1) for name, value in options.items()}


def _charset(label: str) -> str:
    try:
        return _CHARSETS[codecs.lookup(label).name]
    except (LookupError, ValueError):
        message = f"The charset {label[:40]!r} is not supported. Send the form in UTF-8."
        raise ApiError(Code.BAD_REQUEST, message, status=415) from None


def _decode(text: str, charset: str) -> str:
    """Decode a text whose bytes were read as Latin-1.

    Pages in an older encoding do not always say so. Their text is hardly ever valid UTF-8 by chance.
    """
    if text.isascii():
        return text
    for encoding in (charset, WINDOWS_1252):
        try:
            return text.encode(LATIN_1).decode(encoding)
        except UnicodeDecodeError:
            continue
    return text


def _parse_urlencoded(body: bytes) -> FormFields:
    """Return the fields with their bytes as Latin-1. Bytes beyond ASCII need not be percent-encoded."""
    if body.lstrip().startswith((b"{", b"[")):
        message = f"The body is JSON, but the content type says {URLENCODED}. Send the content type application/json."
        raise ApiError(Code.BAD_REQUEST, message)
    try:
        text = body.decode(LATIN_1)
        return parse_qsl(text, keep_blank_values=True, encoding=LATIN_1, max_num_fields=MAX_FIELDS)
    except ValueError:
        raise _too_many_fields() from None


class _Parser(MultiPartParser):
    """Starlette's parser, which also notes whether it has seen the end of the form."""

    is_complete = False

    def on_end(self) -> None:
        self.is_complete = True


async def _parse_multipart(body: bytes, content_type: str) -> FormFields:
    """Return the fields with their bytes as Latin-1, which Starlette's parser decodes without loss."""

    async def chunks() -> AsyncGenerator[bytes, None]:
        yield body

    headers = Headers({"Content-Type": f"{content_type}; charset={LATIN_1}"})
    limits = {"max_files": MAX_FIELDS, "max_fields": MAX_FIELDS, "max_part_size": len(body)}
    parser = _Parser(headers, chunks(), **limits)
    try:
        form = await parser.parse()
    except MultiPartException as error:
        if error.message.startswith("Too many"):
            raise _too_many_fields() from error
        raise _malformed(error.message) from error
    await form.close()
    if not parser.is_complete:
        raise _malformed("It ends before its last boundary.")

    items = form.multi_items()
    if files := [Problem(_decode(name, UTF_8), NO_FILES) for name, value in items if _is_file(value)]:
        raise bad_input(*files)
    return [(name, value if isinstance(value, str) else "") for name, value in items]


NO_FILES = "is a file, and files are not accepted: send the form without it"


def _is_file(value: str | UploadFile) -> bool:
    """Return whether the value is a file. Browsers send an empty one without a name if the user chose none."""
    return isinstance(value, UploadFile) and bool(value.filename or value.size)


def _too_many_fields() -> ApiError:
    return ApiError(Code.BAD_REQUEST, f"The form has more than {MAX_FIELDS:,} fields.")


def _malformed(reason: str) -> ApiError:
    return ApiError(Code.BAD_REQUEST, f"The body is not a valid form. {reason}")
