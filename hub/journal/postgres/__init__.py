"""The journal on PostgreSQL, for any number of workers. Only this package imports asyncpg."""

from hub.journal.postgres.journal import PostgresJournal
from hub.journal.postgres.records import PostgresRecords
from hub.journal.postgres.store import PostgresStore

__all__ = ["PostgresJournal", "PostgresRecords", "PostgresStore"]
