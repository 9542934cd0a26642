"""How a connection to PostgreSQL is made: with TLS unless the server is on this machine.

The password is read anew for each connection, and stands in no address, message or log.
"""

import ssl
import time
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Protocol

import asyncpg

from hub.configuration import on_this_machine
from hub.errors import SettingsError
from hub.secrets import SecretPlace
from hub.settings import PostgresSettings

CONNECT_SECONDS = 10.0
"""Longer than any handshake takes; a server that needs longer is as good as away."""

STATEMENT_SECONDS = 10.0
"""No statement takes a second. One that waits for a lock this long waits for a worker that hangs,
and that one's transaction is ended after the same time."""

_MILLISECONDS = str(int(STATEMENT_SECONDS * 1000))

_SESSION = {
    "statement_timeout": _MILLISECONDS,
    "idle_in_transaction_session_timeout": _MILLISECONDS,
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
    "timezone": "UTC",
    "synchronous_commit": "on",
    "jit": "off",
    # Statements stay prepared, and a plan that suits an empty table must not stay with them when
    # it is full: every statement has its index, so nothing else is ever better.
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "enable_bitmapscan": "off",
    "plan_cache_mode": "force_generic_plan",
}
"""What the server is told about each connection of ours."""


class Connection(Protocol):
    """What is used of asyncpg's connections, which are only half annotated.

    A row is a sequence of its columns.
    """

    async def execute(self, query: str, *values: Any) -> str:
        """Run a statement, or several that take no values."""
        ...

    async def executemany(self, command: str, args: Sequence[Sequence[Any]]) -> None:
        """Run a statement for each of these rows of values, all or none."""
        ...

    async def fetch(self, query: str, *values: Any) -> list[Any]:
        """Return all rows."""
        ...

    async def fetchrow(self, query: str, *values: Any) -> Any:
        """Return the first row, if there is one."""
        ...

    async def fetchval(self, query: str, *values: Any) -> Any:
        """Return the first column of the first row, if there is one."""
        ...

    def transaction(self) -> AbstractAsyncContextManager[Any]:
        """Make one transaction of what is done inside."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where the database is."""

    host: str
    """A name or an address."""
    port: int
    user: str
    database: str


def connect_arguments(
    address: Address, *, settings: PostgresSettings, password: SecretPlace | None, name: str
) -> dict[str, Any]:
    """Return what asyncpg is to be called with. Raises SettingsError where a file is of no use."""
    return {
        "host": address.host,
        "port": address.port,
        "user": address.user,
        "database": address.database,
        "password": None if password is None else _reader(password),
        "ssl": _tls(address.host, settings),
        "timeout": CONNECT_SECONDS,
        "command_timeout": STATEMENT_SECONDS,
        "server_settings": _SESSION | {"application_name": f"trunkline {name}"[:63]},
    }


def _reader(password: SecretPlace) -> Any:
    def read() -> str:
        return password.read(time.monotonic()).expose()

    return read


def _tls(host: str, settings: PostgresSettings) -> ssl.SSLContext | bool:
    if not (settings.tls if settings.tls is not None else not on_this_machine(host)):
        return False
    try:
        return ssl.create_default_context(cafile=settings.ca_file)
    except (OSError, ssl.SSLError) as error:
        problem = f"postgres.ca_file: {settings.ca_file} cannot be used ({error})"
        raise SettingsError([problem]) from error


async def open_pool(arguments: dict[str, Any], *, most: int) -> Any:
    """Open a pool of connections, of which nothing is undone between two uses."""
    create: Any = asyncpg.create_pool
    return await create(min_size=0, max_size=most, reset=_leave_as_is, **arguments)


async def open_connection(arguments: dict[str, Any]) -> Any:
    """Open one connection."""
    connect: Any = asyncpg.connect
    return await connect(**arguments)


async def _leave_as_is(_connection: object) -> None:
    """Spare the round trip that undoes what no job of ours does."""
