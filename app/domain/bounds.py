"""The bounds of every value that is stored or set: one place for the APIs, imports, the command line and settings.

A bound leaves room for the arithmetic that follows. An instant in the year 2200 can be shifted by a time zone, an offer
can be planned years after it, and new ids can follow the highest imported one.
"""

from datetime import UTC, datetime

FIRST_YEAR = 1900
LAST_YEAR = 2200
EARLIEST = datetime(FIRST_YEAR, 1, 1, tzinfo=UTC)
LATEST = datetime(LAST_YEAR, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC)
"""The last instant that is stored. Times that are computed end there, too."""

LARGEST_ID = 2**63 - 1
"""The largest id that the databases can store."""
LARGEST_NEW_ID = 2**62
"""The largest id that an import may bring: as many ids again are left for new rows."""

LARGEST_INT = 2**31 - 1
"""The largest number of GraphQL's Int, and of the columns with numbers."""
HIGHEST_RANK = LARGEST_INT
YEAR_IN_MINUTES = 365 * 24 * 60

LONGEST_TEXT = 255
"""Characters of a text."""
LONGEST_MESSAGE = 10_000
"""Characters of what somebody wrote in an enquiry."""
MOST_API_KEYS = 50
"""Active API keys of a user."""
MOST_INVITATIONS = 200
"""Invitations of a team that wait for people without an account."""
MOST_INVITATIONS_PER_DAY = 100
"""Such invitations by one user within 24 hours."""
MOST_OPTIONS = 200
"""Distribution options of a team."""
MOST_ZIPCODES = 5_000
"""Zipcodes of a team."""
MOST_MEMBERS_PER_LEAD = 200
"""Members to whom a team offers a lead at a time, if it limits their number."""
LONGEST_CHAIN = 5
"""Teams of a chain, in which each names the next one."""
HEAVIEST_WEIGHT = 100
"""The largest share of the turns of a team."""
MOST_LEADS_PER_DAY = 1_000
"""Leads of a team for one member on one day, if their number is limited."""
LONGEST_FIGURES_IN_DAYS = 366
"""The longest span of figures."""
MOST_GROUPS = 1_000
"""Groups of figures."""
LONGEST_REPLAY_IN_SECONDS = 60
"""How far back the changes lie that a new subscription can receive."""

LONGEST_TOKEN = 10 * 365 * 24
"""Hours until an access token expires."""

HOUR_IN_SECONDS = 3_600
DAY_IN_SECONDS = 24 * HOUR_IN_SECONDS
YEAR_IN_SECONDS = 365 * DAY_IN_SECONDS
MOST_CONNECTIONS = 1_000
MOST_OPERATIONS = 100_000
"""Subscriptions of a connection or a user."""
LARGEST_BODY = 2**30
"""Bytes of a request body."""
DEEPEST_DOCUMENT = 30
"""Levels of fields in a document. Each takes several levels of Python's stack, and statements of SQLite end earlier."""
HIGHEST_COST = 10**9
LARGEST_RATE = 10**9
"""Requests of a rate limit, for at most a year."""
