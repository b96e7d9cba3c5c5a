"""docs/settings.md and the limits in docs/graphql.md against the code."""

import re

from app.config import Settings, settings_table
from app.domain.bounds import MOST_GROUPS
from app.graphql import complexity
from app.lists import filters
from tests.docs.pages import DOCS, table


def test_the_table_of_settings_is_generated() -> None:
    found = re.search(r"<!-- settings: begin -->\n(.*?)<!-- settings: end -->", DOCS["settings"], re.DOTALL)
    assert found
    assert found[1] == settings_table(), "paste what `python -m app.config` prints between the markers"


def test_limits() -> None:
    values = [row[1] for row in table(DOCS["graphql"], "limit")]
    documented = [int(number.replace(",", "")) for value in values for number in re.findall(r"\b[0-9][0-9,]*\b", value)]
    assert documented == [
        Settings.model_fields["max_cost"].default,
        Settings.model_fields["max_depth"].default,
        complexity.MAX_CHARACTERS,
        complexity.MAX_TOKENS,
        complexity.MAX_OPERATIONS,
        complexity.MAX_FIELDS,
        complexity.MAX_ALIASES,
        complexity.MAX_DIRECTIVES,
        complexity.MAX_DIRECTIVES_PER_FIELD,
        filters.MAX_CONDITIONS,
        filters.MAX_LEVELS,
        filters.MAX_VALUES,
        filters.MAX_VALUES_IN_REQUEST,
        filters.MAX_SORTS,
        MOST_GROUPS,
        complexity.MAX_ERRORS,
    ]
