"""Versions of tables: each component counts its own, and a newer one than known is refused."""

from collections.abc import Sequence

import apsw

from hub.errors import StorageError

_TABLE = """
CREATE TABLE IF NOT EXISTS schema_versions (
  component TEXT PRIMARY KEY, version INTEGER NOT NULL
) WITHOUT ROWID
"""


def migrate(connection: apsw.Connection, component: str, migrations: Sequence[str]) -> None:
    """Apply the migrations that `component` has not seen yet."""
    connection.execute(_TABLE)
    version = _version(connection, component)
    _refuse_newer(component, version, len(migrations))
    for migration in migrations[version:]:
        connection.execute(migration)
    connection.execute(
        "INSERT INTO schema_versions VALUES (?1, ?2) "
        "ON CONFLICT (component) DO UPDATE SET version = ?2 WHERE version <> ?2",
        (component, len(migrations)),
    )


def expect(connection: apsw.Connection, component: str, migrations: Sequence[str]) -> None:
    """Raise StorageError unless `component` is at exactly this version."""
    known = connection.execute(
        "SELECT 1 FROM sqlite_schema WHERE name = 'schema_versions'"
    ).fetchone()
    version = _version(connection, component) if known else 0
    _refuse_newer(component, version, len(migrations))
    if version < len(migrations):
        raise StorageError(
            f"the {component} in this file is of version {version}, older than this program's "
            f"{len(migrations)}: start the hub once, it brings the file up to date"
        )


def _version(connection: apsw.Connection, component: str) -> int:
    row = connection.execute(
        "SELECT version FROM schema_versions WHERE component = ?", (component,)
    ).fetchone()
    return int(row[0]) if row else 0


def _refuse_newer(component: str, version: int, known: int) -> None:
    if version > known:
        raise StorageError(
            f"the {component} in this file is of version {version}, newer than this program's "
            f"{known}: it was written by a later release, run that one"
        )
