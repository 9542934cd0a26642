"""The journal's tables in PostgreSQL, as migrations; see `hub/journal/postgres/migration.py`.

Nothing that happens for every event may cost more the more there is in the tables, and nothing
that many workers do at once may meet in one row. So:

- `lanes` has a row for each lane in which something is unfinished, and it says what the lane has
  to offer next. Whoever changes a lane holds its row; whoever looks for work reads the head of a
  short index of those rows, and steps over the ones that are held.
- `run_keys` keeps a planned run from being planned again, also when the run is forgotten.
- `run_counts` is counted by each connection in rows of its own.

No index of `runs` has a column that a claim changes, so that a claim writes no index of it (HOT:
https://www.postgresql.org/docs/current/storage-hot.html), and a fill factor leaves it the room.
"""

from dataclasses import dataclass

from hub.journal.postgres.functions import LEAVE_LANES, OFFER_LANES

_TABLES = """
CREATE TABLE run_keys (
  digest bytea,                    -- of source and event_id
  handler text,
  event bigint NOT NULL,
  ended_at double precision,       -- of a run that is forgotten
  PRIMARY KEY (digest, handler)
);
CREATE INDEX run_keys_of_forgotten ON run_keys (ended_at) WHERE ended_at IS NOT NULL;

CREATE SEQUENCE run_event_numbers;
CREATE TABLE run_events (
  id bigint PRIMARY KEY,
  digest bytea NOT NULL,
  event_id text NOT NULL,
  source text NOT NULL,
  type text NOT NULL,
  partitionkey text NOT NULL,
  subject text,
  time text,
  datacontenttype text NOT NULL,
  dataschema text,
  traceparent text,
  hubhops bigint NOT NULL,
  hubkey text,
  extensions text,                 -- JSON, where there are any
  data bytea NOT NULL              -- zstd
);
ALTER TABLE run_events ALTER COLUMN data SET STORAGE EXTERNAL;

CREATE TABLE runs (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,  -- the order of planning in its lane
  event bigint NOT NULL,
  handler text NOT NULL,
  lane text NOT NULL,
  lane_key bigint NOT NULL,
  state text NOT NULL,
  detail text NOT NULL,
  planned_at double precision NOT NULL,
  started_at double precision,     -- of the last attempt
  finished_at double precision,    -- NULL while the run holds its lane
  due_at double precision,
  attempts integer NOT NULL DEFAULT 0,
  token bigint NOT NULL DEFAULT 0,
  worker text,
  letter boolean GENERATED ALWAYS AS (state IN ('dead', 'parked')) STORED
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05,
  autovacuum_analyze_scale_factor = 0.05);
CREATE INDEX runs_of_event ON runs (event);
CREATE INDEX runs_unfinished ON runs (lane_key, id) WHERE finished_at IS NULL;
CREATE INDEX runs_ended ON runs (finished_at) WHERE finished_at IS NOT NULL AND NOT letter;
CREATE INDEX runs_dead ON runs (id) WHERE letter;

CREATE SEQUENCE run_turns;
CREATE TABLE lanes (
  key bigint PRIMARY KEY,
  run bigint,                      -- the one that executes, or else the first unfinished
  turn bigint,                     -- its place in the line of those that may start now
  held_until double precision,     -- it is kept out of the line until then
  session uuid,                    -- whose worker executes it
  token bigint                     -- under which it is executed
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.01,
  autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX lanes_in_line ON lanes (turn, run) WHERE turn IS NOT NULL;
CREATE INDEX lanes_held ON lanes (held_until) WHERE held_until IS NOT NULL;
CREATE INDEX lanes_executing ON lanes (session) WHERE session IS NOT NULL;

CREATE TABLE workers (
  session uuid PRIMARY KEY,
  worker text NOT NULL,
  alive_until timestamptz NOT NULL -- by the database's clock
) WITH (fillfactor = 50);

CREATE TABLE run_steps (
  run bigint,
  number integer,
  name text NOT NULL,
  action text NOT NULL,
  result text NOT NULL,
  started_at double precision NOT NULL,
  finished_at double precision NOT NULL,
  PRIMARY KEY (run, number)
);

CREATE TABLE run_attempts (
  run bigint,
  token bigint,                    -- tells attempts apart that were counted from 0 again
  number integer NOT NULL,
  started_at double precision NOT NULL,
  finished_at double precision NOT NULL,
  outcome text NOT NULL,
  detail text NOT NULL,
  PRIMARY KEY (run, token)
);

CREATE TABLE run_waits (
  run bigint PRIMARY KEY,
  token bigint NOT NULL,           -- of the attempt that began to wait: a later one ends the wait
  awaited bigint NOT NULL,         -- stands for the type and the subject
  step integer NOT NULL,
  name text NOT NULL,
  action text NOT NULL,
  awaits_type text NOT NULL,
  awaits_subject text NOT NULL,
  since double precision NOT NULL
);
CREATE INDEX run_waits_by_event ON run_waits (awaited);

CREATE TABLE records (
  digest bytea PRIMARY KEY,        -- of kind and key, which may be longer than an index takes
  kind text NOT NULL,
  key text NOT NULL,
  value text NOT NULL,
  version bigint NOT NULL
) WITH (fillfactor = 80);
"""

_COUNTS = """
CREATE TABLE run_counts (
  backend integer,                 -- the process id of the connection that counts, 0 for past ones
  state text,
  runs bigint NOT NULL,
  PRIMARY KEY (backend, state)
) WITH (fillfactor = 20);

CREATE FUNCTION count_planned_runs() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO run_counts
  SELECT pg_backend_pid(), state, count(*) FROM now_there GROUP BY state
  ON CONFLICT (backend, state) DO UPDATE SET runs = run_counts.runs + excluded.runs;
  RETURN NULL;
END $$;

CREATE FUNCTION count_changed_runs() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO run_counts
  SELECT pg_backend_pid(), state, sum(change)
  FROM (SELECT state, 1 AS change FROM now_there UNION ALL SELECT state, -1 FROM was_there) AS moves
  GROUP BY state HAVING sum(change) <> 0
  ON CONFLICT (backend, state) DO UPDATE SET runs = run_counts.runs + excluded.runs;
  RETURN NULL;
END $$;

CREATE FUNCTION count_forgotten_runs() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO run_counts
  SELECT pg_backend_pid(), state, -count(*) FROM was_there GROUP BY state
  ON CONFLICT (backend, state) DO UPDATE SET runs = run_counts.runs + excluded.runs;
  RETURN NULL;
END $$;

CREATE TRIGGER planned_runs_counted AFTER INSERT ON runs
  REFERENCING NEW TABLE AS now_there
  FOR EACH STATEMENT EXECUTE FUNCTION count_planned_runs();
CREATE TRIGGER changed_runs_counted AFTER UPDATE ON runs
  REFERENCING NEW TABLE AS now_there OLD TABLE AS was_there
  FOR EACH STATEMENT EXECUTE FUNCTION count_changed_runs();
CREATE TRIGGER forgotten_runs_counted AFTER DELETE ON runs
  REFERENCING OLD TABLE AS was_there
  FOR EACH STATEMENT EXECUTE FUNCTION count_forgotten_runs();
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """One step from a version of the tables to the next."""

    sql: str
    compatible_since: int
    """The oldest version whose programs go on working with the tables after this step. It is that
    of the step before, unless the step takes something away from them."""


_FIRST = _TABLES + _COUNTS + OFFER_LANES + LEAVE_LANES

MIGRATIONS = (Migration(sql=_FIRST, compatible_since=1),)
"""One for each version of the tables. What is released stays as it is."""
