"""The Accept header of a request: https://www.rfc-editor.org/rfc/rfc9110#name-accept"""


def media_ranges(accept: str) -> list[tuple[str, float]]:
    """Return the media ranges in lower case, each with its quality: 1 by default, 0 if it is malformed."""
    return [_parse(item) for item in accept.split(",")]


def _parse(item: str) -> tuple[str, float]:
    name, *parameters = (part.strip().lower() for part in item.split(";"))
    quality = next((p[2:] for p in parameters if p.startswith("q=")), "1")
    try:
        return name, float(quality)
    except ValueError:
        return name, 0.0
