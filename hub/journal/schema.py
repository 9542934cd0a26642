"""The journal's tables in SQLite, as migrations for `Store.migrate("journal", MIGRATIONS)`.

Nothing that happens for every event may cost more the more there is in the tables, so what is
looked for has an index of just that: the first unfinished run of a lane, the line of those that
may start, those that a time holds back. What each lane has to offer next is decided when it
changes (`hub/journal/lanes.py`), not when somebody asks.
"""

_TABLES = """
CREATE TABLE run_events (
  id INTEGER PRIMARY KEY,
  digest BLOB NOT NULL UNIQUE,     -- of source and event_id: a quarter of their length as an index
  source TEXT NOT NULL,
  event_id TEXT NOT NULL,
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
  data BLOB NOT NULL               -- zstd
) STRICT;

CREATE TABLE runs (
  id INTEGER PRIMARY KEY,          -- the order of planning
  event INTEGER NOT NULL,
  handler TEXT NOT NULL,
  lane TEXT NOT NULL,
  state TEXT NOT NULL,
  detail TEXT NOT NULL,
  planned_at REAL NOT NULL,
  started_at REAL,                 -- of the last attempt
  finished_at REAL,                -- NULL while the run holds its lane
  due_at REAL,
  attempts INTEGER NOT NULL DEFAULT 0,
  token INTEGER NOT NULL DEFAULT 0,
  worker TEXT,
  turn INTEGER,                    -- its place in the line of those that may start now
  held_until REAL,                 -- first of its lane, and kept out of the line until then
  UNIQUE (event, handler)
) STRICT;
CREATE INDEX runs_unfinished ON runs (lane) WHERE finished_at IS NULL;
CREATE UNIQUE INDEX runs_running ON runs (lane) WHERE state = 'running';
CREATE INDEX runs_in_line ON runs (turn) WHERE turn IS NOT NULL;
CREATE INDEX runs_held ON runs (held_until) WHERE held_until IS NOT NULL;
CREATE INDEX runs_dead ON runs (id) WHERE state IN ('dead', 'parked');

CREATE TABLE run_steps (
  run INTEGER NOT NULL,
  number INTEGER NOT NULL,
  name TEXT NOT NULL,
  action TEXT NOT NULL,
  result TEXT NOT NULL,
  started_at REAL NOT NULL,
  finished_at REAL NOT NULL,
  PRIMARY KEY (run, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE run_attempts (
  run INTEGER NOT NULL,
  token INTEGER NOT NULL,          -- tells attempts apart that were counted from 0 again
  number INTEGER NOT NULL,
  started_at REAL NOT NULL,
  finished_at REAL NOT NULL,
  outcome TEXT NOT NULL,
  detail TEXT NOT NULL,
  PRIMARY KEY (run, token)
) STRICT, WITHOUT ROWID;

CREATE TABLE run_waits (
  run INTEGER PRIMARY KEY,
  step INTEGER NOT NULL,
  name TEXT NOT NULL,
  action TEXT NOT NULL,
  awaits_type TEXT NOT NULL,
  awaits_subject TEXT NOT NULL,
  since REAL NOT NULL
) STRICT;
CREATE INDEX run_waits_by_event ON run_waits (awaits_type, awaits_subject);

CREATE TABLE records (
  kind TEXT NOT NULL,
  key TEXT NOT NULL,
  value TEXT NOT NULL,
  version INTEGER NOT NULL,
  PRIMARY KEY (kind, key)
) STRICT, WITHOUT ROWID;
"""

_COUNTS = """
CREATE TABLE run_counts (state TEXT PRIMARY KEY, runs INTEGER NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO run_counts VALUES
  ('ready', 0), ('running', 0), ('retrying', 0), ('waiting', 0),
  ('done', 0), ('skipped', 0), ('dead', 0), ('parked', 0);

CREATE TRIGGER runs_counted AFTER INSERT ON runs BEGIN
  UPDATE run_counts SET runs = runs + 1 WHERE state = NEW.state;
END;
CREATE TRIGGER runs_recounted AFTER UPDATE OF state ON runs WHEN OLD.state <> NEW.state BEGIN
  UPDATE run_counts SET runs = runs - 1 WHERE state = OLD.state;
  UPDATE run_counts SET runs = runs + 1 WHERE state = NEW.state;
END;
"""

_FORGETTING = """
CREATE TABLE run_keys (
  id INTEGER PRIMARY KEY,          -- the order of forgetting
  digest BLOB NOT NULL,
  handler TEXT NOT NULL,
  finished_at REAL NOT NULL
) STRICT;
CREATE INDEX run_keys_by_digest ON run_keys (digest);
CREATE INDEX runs_forgettable ON runs (finished_at) WHERE state IN ('done', 'skipped');

CREATE TRIGGER runs_uncounted AFTER DELETE ON runs BEGIN
  UPDATE run_counts SET runs = runs - 1 WHERE state = OLD.state;
END;
"""

MIGRATIONS = (_TABLES + _COUNTS, _FORGETTING)
"""One string for each version of the tables. What is released stays as it is."""
