"""Phone numbers, kept in E.164: `+12025550142`."""

import phonenumbers

COUNTRY = "US"
"""Where a number lies that does not begin with `+`: zipcodes are of this country, too."""


def parse_phone(text: str) -> str:
    """The number in E.164.

    Its length and country are checked, not whether it was ever given to somebody: numbering plans change faster than
    servers are upgraded. Raises ValueError, in words for whoever wrote it.
    """
    try:
        number = phonenumbers.parse(text, COUNTRY)
    except phonenumbers.NumberParseException:
        number = None
    if number is None or not phonenumbers.is_possible_number(number):
        raise ValueError("is no phone number (+12025550142 or (202) 555-0142)")
    if number.extension:
        raise ValueError("has an extension, which calls and texts cannot reach")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
