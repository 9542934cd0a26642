"""Brings the tables to the version that this program knows, while older programs still run.

The rule: a step only adds (a table, an index, a column with a default, a function of a new name),
and a program ignores what it does not know. So an older program goes on working, and may start
again, with tables that a newer one has changed. A step that must take something away says so in
its `compatible_since`, and waits for a release in which nothing uses that thing any more. There is
no way back; each step is done once, in a transaction, whoever comes first.
"""

from collections.abc import Sequence

from hub.errors import StorageError
from hub.journal.postgres.connecting import Connection
from hub.journal.postgres.schema import Migration

_LOCK = 5_171_190_662_019_874_419
"""An advisory lock's number, drawn once at random: those that start together take turns."""

_VERSIONS = """
CREATE TABLE IF NOT EXISTS schema_versions (
  component text PRIMARY KEY,
  version integer NOT NULL,
  compatible_since integer NOT NULL
)
"""


async def migrate(connection: Connection, component: str, migrations: Sequence[Migration]) -> None:
    """Do the steps that the database has not seen yet. Raises StorageError; see `expect`."""
    for version, migration in enumerate(migrations, start=1):
        async with connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
            await connection.execute(_VERSIONS)
            found, _ = await _versions(connection, component)
            if found >= version:
                continue
            await connection.execute(migration.sql)
            await connection.execute(
                "INSERT INTO schema_versions VALUES ($1, $2, $3) ON CONFLICT (component) "
                "DO UPDATE SET version = excluded.version, "
                "compatible_since = excluded.compatible_since",
                component,
                version,
                migration.compatible_since,
            )
    await expect(connection, component, migrations)


async def expect(connection: Connection, component: str, migrations: Sequence[Migration]) -> None:
    """Raise StorageError unless this program can work with the tables as they are."""
    known = await connection.fetchval("SELECT to_regclass('schema_versions') IS NOT NULL")
    version, compatible_since = await _versions(connection, component) if known else (0, 0)
    if version < len(migrations):
        raise StorageError(
            f"the {component} in this database is of version {version}, older than this program's "
            f"{len(migrations)}: start the hub once, it brings the database up to date"
        )
    if compatible_since > len(migrations):
        raise StorageError(
            f"the {component} in this database is of version {version}, and programs older than "
            f"version {compatible_since} cannot use it; this one is of version {len(migrations)}"
        )


async def _versions(connection: Connection, component: str) -> tuple[int, int]:
    row = await connection.fetchrow(
        "SELECT version, compatible_since FROM schema_versions WHERE component = $1", component
    )
    return (0, 0) if row is None else (row[0], row[1])
