"""The codes with which the server closes a WebSocket. An event stream sends them in its last comment."""

from enum import IntEnum


class CloseCode(IntEnum):
    """4400 to 4499 are the codes of graphql-transport-ws; Strawberry's handler uses the others of that range itself."""

    SERVICE_RESTART = 1012
    """Changes may have been missed, or the server is shutting down."""
    TRY_AGAIN_LATER = 1013
    """The client reads too slowly, or the server cannot authenticate it at the moment."""
    FORBIDDEN = 4403
    """The token is missing or no longer valid. Clients connect again with a fresh token, which 4401 would prevent."""
    SUBPROTOCOL_NOT_ACCEPTABLE = 4406
    INTERNAL_SERVER_ERROR = 4500
