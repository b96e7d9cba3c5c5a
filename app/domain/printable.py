"""Text as a terminal, a log or a table of tab-separated columns can show it."""

import json


def printable(text: str, keep: str = "") -> str:
    r"""Return the text with escapes, such as `\n` and `\u202e`, for the characters that do not print.

    These are control characters, line breaks, tabs, overrides of the direction of text, and other invisible characters,
    except those in `keep`. The escapes are those of JSON, so that JSON stays the same value.
    """
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() or each in keep else json.dumps(each)[1:-1] for each in text)
