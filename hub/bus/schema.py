"""The log's tables in SQLite, as migrations for `Store.migrate("bus", MIGRATIONS)`."""

_TABLES = """
CREATE TABLE events (
  seq INTEGER PRIMARY KEY,         -- the position; one writer, so they become visible in order
  received_at REAL NOT NULL,
  key INTEGER NOT NULL,            -- stands for (source, id), see hub/bus/dedupe.py
  id TEXT NOT NULL,
  source TEXT NOT NULL,
  type TEXT NOT NULL,
  partitionkey TEXT NOT NULL,
  subject TEXT,
  time TEXT,
  datacontenttype TEXT NOT NULL,
  dataschema TEXT,
  traceparent TEXT,
  hubhops INTEGER NOT NULL,
  hubkey TEXT,
  extensions TEXT,                 -- JSON, where there are any
  body INTEGER,                    -- where `data` is too large for a row: see hub/bus/bodies.py
  data BLOB                        -- zstd
) STRICT;

CREATE TABLE event_keys (
  key INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  PRIMARY KEY (key, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE event_keys_settled (seq INTEGER NOT NULL) STRICT;
INSERT INTO event_keys_settled VALUES (0);

CREATE TABLE event_pieces (
  body INTEGER NOT NULL,
  piece INTEGER NOT NULL,
  data BLOB NOT NULL,
  PRIMARY KEY (body, piece)
) STRICT;

CREATE TABLE open_bodies (body INTEGER PRIMARY KEY AUTOINCREMENT) STRICT;

CREATE TABLE positions (consumers TEXT PRIMARY KEY, seq INTEGER NOT NULL) STRICT, WITHOUT ROWID;

CREATE TABLE append_checks (data BLOB NOT NULL) STRICT;
"""

MIGRATIONS = (_TABLES,)
"""One for each version of the tables, in order; never changed once released."""
