"""What is done to lanes at the end of an attempt, as functions of the database.

An outcome is then one round trip, however many outcomes go together: its statements must follow
each other, as what a lane offers next may be looked up only once the lane is held. The functions
are part of the first migration. What is released stays as it is; a change is a function of a new
name.
"""

OFFER_LANES = """
CREATE FUNCTION offer_lanes(changed bigint[]) RETURNS void LANGUAGE sql AS $$
  WITH first AS (
    SELECT key, run.id, run.state, run.due_at
    FROM unnest(changed) AS key
    LEFT JOIN LATERAL (
      SELECT id, state, due_at FROM runs
      WHERE lane_key = key AND finished_at IS NULL ORDER BY id LIMIT 1
    ) AS run ON TRUE
  ), emptied AS (
    DELETE FROM lanes USING first WHERE lanes.key = first.key AND first.id IS NULL
  )
  UPDATE lanes SET
    run = first.id,
    turn = CASE WHEN first.state <> 'ready' THEN NULL
      WHEN lanes.run = first.id AND lanes.turn IS NOT NULL THEN lanes.turn
      ELSE (SELECT nextval('run_turns')) END,
    held_until = CASE WHEN first.state <> 'ready' THEN first.due_at END,
    session = NULL,
    token = NULL
  FROM first WHERE lanes.key = first.key AND first.id IS NOT NULL
$$;
"""
"""Lets lanes that are held, and in which nothing executes, offer their first unfinished run."""

LEAVE_LANES = """
CREATE FUNCTION leave_lanes(
  keys bigint[], claimed bigint[], tokens bigint[], states text[], details text[],
  due double precision[], ended double precision[], moment double precision
) RETURNS TABLE (held bigint, under bigint) LANGUAGE plpgsql AS $$
DECLARE
  freed bigint[];
  executed bigint[];
  valid bigint[];
BEGIN
  SELECT array_agg(lane.key), array_agg(lane.run), array_agg(lane.token)
  INTO freed, executed, valid FROM (
    SELECT lanes.key, lanes.run, lanes.token
    FROM unnest(keys, claimed, tokens) AS claim (key, run, token)
    JOIN lanes ON lanes.key = claim.key AND lanes.run = claim.run AND lanes.token = claim.token
    ORDER BY lanes.key FOR UPDATE OF lanes
  ) AS lane;

  INSERT INTO run_attempts (run, token, number, started_at, finished_at, outcome, detail)
  SELECT id, runs.token, attempts, started_at, moment, ending.state, ending.detail
  FROM unnest(claimed, tokens, states, details) AS ending (run, token, state, detail)
  JOIN runs ON id = ending.run AND runs.token = ending.token AND runs.state = 'running'
  WHERE ending.state IS NOT NULL;

  UPDATE runs SET
    state = coalesce(ending.state, 'ready'),
    detail = coalesce(ending.detail, runs.detail),
    due_at = ending.due_at,
    finished_at = ending.finished_at,
    attempts = attempts - CASE WHEN ending.state IS NULL THEN 1 ELSE 0 END
  FROM unnest(claimed, tokens, states, details, due, ended)
    AS ending (run, token, state, detail, due_at, finished_at)
  WHERE id = ending.run AND runs.token = ending.token AND runs.state = 'running';

  PERFORM offer_lanes(freed);
  RETURN QUERY SELECT * FROM unnest(executed, valid);
END $$;
"""
"""Ends attempts and frees their lanes; an attempt without a state was not made. Returns the
runs and tokens of the claims that were held."""
