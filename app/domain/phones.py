"""Phone numbers, stored in E.164: `+12025550142`."""

import phonenumbers

COUNTRY = "US"
"""The country of a number without a leading `+`. Zipcodes are of the same country."""


def parse_phone(text: str) -> str:
    """Return the number in E.164. Raises ValueError with a message that follows the value.

    Only the length and the country code are checked: numbering plans change more often than servers are upgraded. A
    number without an area code is refused, because it can be dialed in its own area only.
    """
    try:
        number = phonenumbers.parse(text, COUNTRY)
    except phonenumbers.NumberParseException:
        number = None
    reason = None if number is None else phonenumbers.is_possible_number_with_reason(number)
    if number is not None and reason == phonenumbers.ValidationResult.IS_POSSIBLE_LOCAL_ONLY:
        raise ValueError("has no area code, as in +12025550142 or (202) 555-0142")
    if number is None or reason != phonenumbers.ValidationResult.IS_POSSIBLE:
        raise ValueError("is not a phone number such as +12025550142 or (202) 555-0142")
    if number.extension:
        raise ValueError("has an extension, which calls and texts cannot reach")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
