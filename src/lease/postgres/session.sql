-- What postgresSessionLeases asks, each in one statement, on the one connection whose session has the locks.

-- Whether a session has an advisory lock, as pg_locks shows one of 64 bits.
CREATE OR REPLACE FUNCTION spillway.lease_session_has(session integer, wanted bigint) RETURNS boolean LANGUAGE sql VOLATILE AS $$
  SELECT EXISTS (
    SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted AND pid = session AND objsubid = 1
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND ((classid::bigint << 32) | objid::bigint) = wanted)
$$;

-- Takes a lock and answers with its token; null if another session has it. A lock of a session outlives its transaction: what fails gives it back.
-- A session that is silent for `idle_ms` is ended by the server, which frees what it held.
CREATE OR REPLACE FUNCTION spillway.lease_session_try(wanted bigint, k bytea, who bytea, idle_ms bigint) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  new_token bigint;
BEGIN
  IF NOT pg_try_advisory_lock(wanted) THEN RETURN NULL; END IF;
  BEGIN
    PERFORM spillway.lease_lift(spillway.lease_now_us());
    new_token := nextval('spillway.lease_tokens');
    INSERT INTO spillway.lease_sessions (lock, pid, key, holder, token) VALUES (wanted, pg_backend_pid(), k, who, new_token)
    ON CONFLICT (lock) DO UPDATE SET pid = excluded.pid, key = excluded.key, holder = excluded.holder, token = excluded.token;
    PERFORM set_config('idle_session_timeout', idle_ms::text, false);
    RETURN new_token;
  EXCEPTION WHEN query_canceled OR OTHERS THEN
    PERFORM pg_advisory_unlock(wanted);
    RAISE;
  END;
END $$;

CREATE OR REPLACE FUNCTION spillway.lease_session_release(given bigint, idle_ms bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM set_config('synchronous_commit', 'off', true);
  DELETE FROM spillway.lease_sessions WHERE lock = given AND pid = pg_backend_pid();
  PERFORM set_config('idle_session_timeout', idle_ms::text, false);
  PERFORM pg_advisory_unlock(given);
END $$;

CREATE OR REPLACE FUNCTION spillway.lease_session_read(k bytea) RETURNS TABLE (holder bytea, token bigint) LANGUAGE sql VOLATILE AS $$
  SELECT s.holder, s.token FROM spillway.lease_sessions AS s WHERE s.key = k AND spillway.lease_session_has(s.pid, s.lock)
$$;

-- Removes what sessions left that ended without a word.
CREATE OR REPLACE FUNCTION spillway.lease_session_sweep() RETURNS void LANGUAGE sql AS $$
  DELETE FROM spillway.lease_sessions AS s WHERE NOT EXISTS (SELECT FROM pg_stat_activity AS a WHERE a.pid = s.pid)
$$;
