-- Leases in PostgreSQL: what `migrate` runs first. Run it again whenever you like.
-- Of several that migrate at once, one after another does.
SELECT pg_advisory_xact_lock(hashtext('spillway.leases'));
CREATE SCHEMA IF NOT EXISTS spillway;

-- Fencing tokens. Never of a key, so nothing grows with the number of keys. No cache: a session that kept some would hand them out late.
CREATE SEQUENCE IF NOT EXISTS spillway.lease_tokens CACHE 1;

-- A key with its holder, mostly the only one. The row is also the lock under which everything about the key is decided.
-- Keys and names are bytes: a text of PostgreSQL holds no U+0000, and not every database holds every character.
-- Room on each page, so that a renewed row stays on it and no index is touched.
CREATE TABLE IF NOT EXISTS spillway.leases (
  key bytea PRIMARY KEY,
  id uuid,
  holder bytea,
  share integer,
  token bigint,
  -- When the lease is over (µs).
  ends_us double precision NOT NULL,
  -- Until then at least there is nothing in the crowd that matters.
  crowd_us double precision NOT NULL DEFAULT 0
) WITH (fillfactor = 70);

-- Whoever else has to do with a key: further holders, those who wait, and those who only want to know.
CREATE TABLE IF NOT EXISTS spillway.lease_crowd (
  key bytea,
  id uuid,
  kind text NOT NULL CHECK (kind IN ('holds', 'waits', 'observes')),
  -- Those who wait are served in its order.
  place bigint NOT NULL,
  holder bytea,
  share integer,
  whole integer,
  token bigint,
  -- Where to tell it that it may ask.
  channel text,
  ends_us double precision NOT NULL,
  PRIMARY KEY (key, id)
) WITH (fillfactor = 70);
CREATE INDEX IF NOT EXISTS lease_crowd_places ON spillway.lease_crowd (key, kind, place);

-- What the locks of sessions are for. The lock itself is an advisory lock; a row whose session has it no more means nothing.
CREATE UNLOGGED TABLE IF NOT EXISTS spillway.lease_sessions (
  lock bigint PRIMARY KEY,
  pid integer NOT NULL,
  key bytea NOT NULL,
  holder bytea NOT NULL,
  token bigint NOT NULL
);

-- Which sessions wait for a lock, and which only want to know. A row whose session has ended means nothing.
CREATE UNLOGGED TABLE IF NOT EXISTS spillway.lease_session_crowd (
  lock bigint,
  kind text CHECK (kind IN ('waits', 'observes')),
  pid integer,
  -- Those who wait are told in its order. No token: a token must be in the log of who draws it, and who waits does not wait for the disk.
  place bigint GENERATED ALWAYS AS IDENTITY,
  PRIMARY KEY (lock, kind, pid)
);

CREATE OR REPLACE FUNCTION spillway.lease_now_us() RETURNS double precision LANGUAGE sql VOLATILE AS $$
  SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::double precision
$$;

-- Of a key or a name as people read it.
CREATE OR REPLACE FUNCTION spillway.lease_text(given bytea) RETURNS text LANGUAGE sql STABLE AS $$
  SELECT CASE WHEN getdatabaseencoding() = 'UTF8' AND position('\x00'::bytea IN given) = 0
    THEN convert_from(given, 'UTF8') ELSE encode(given, 'escape') END
$$;

-- For people: every lease that one holds alone, be it a lock or the seat of a leader.
CREATE OR REPLACE VIEW spillway.leaders AS
  SELECT spillway.lease_text(key) AS seat, spillway.lease_text(holder) AS leader, token AS term,
    to_timestamp(ends_us / 1000000) AS expires_at
  FROM spillway.leases
  WHERE share = 2147483647 AND ends_us > spillway.lease_now_us();
