-- Rate limiting in PostgreSQL: what `migrate` runs first. Run it again whenever you like.
-- Of several that migrate at once, one after another does.
SELECT pg_advisory_xact_lock(hashtext('spillway.limits'));
CREATE SCHEMA IF NOT EXISTS spillway;

-- Not in the write-ahead log: four times as fast, empty after a crash and on a standby. What is forgotten can only admit more.
-- Room on each page, so that a changed row stays on it and no index is touched.
CREATE UNLOGGED TABLE IF NOT EXISTS spillway.limits (
  key text COLLATE "C" PRIMARY KEY,
  -- The numbers of the algorithm; none is a key that nobody has used.
  state double precision[] NOT NULL,
  -- When it says nothing any more (µs).
  ends_us double precision NOT NULL
) WITH (fillfactor = 70);

-- A kernel is the arithmetic of one algorithm, the same as in the TypeScript file of its name, in the same doubles. It is given the
-- state s, the parameters p, the moment (µs), and what is asked; it answers with the new state and the outcome. Never is -1.

CREATE OR REPLACE FUNCTION spillway.fitting(room double precision, cost double precision, times double precision)
RETURNS double precision LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE WHEN cost = 0 OR cost * times <= room THEN times ELSE greatest(0, floor(room / cost)) END
$$;
