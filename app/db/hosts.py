"""Connects to the host that takes the connection, of one or several in a database URL.

asyncpg's time limit holds for all hosts together: a host that drops packets would use it up before the next one is
tried. A host that is starting up or shutting down would end the search, too.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy.engine import Dialect

from app.db.driver_errors import DRIVER_ERRORS


def connect_to_a_host(dialect: Dialect, arguments: tuple[Any, ...], options: Mapping[str, Any]) -> Any:
    """Return a connection to the first host that takes it. Each host gets an equal part of `timeout`, in seconds.

    Raises the error of the last host. The caller is a function that SQLAlchemy runs.
    """
    errors = (*DRIVER_ERRORS, dialect.loaded_dbapi.Error, OSError)  # a TimeoutError is an OSError
    *others, last = _each_host(options)
    for host in others:
        try:
            return dialect.connect(*arguments, **host)
        except errors:
            continue
    return dialect.connect(*arguments, **last)


def _each_host(options: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    hosts, ports = options.get("host"), options.get("port")
    if not isinstance(hosts, list) or not isinstance(ports, list):
        yield dict(options)
        return
    for host, port in zip(hosts, ports, strict=True):
        yield {**options, "host": host, "port": port, "timeout": options["timeout"] / len(hosts)}
