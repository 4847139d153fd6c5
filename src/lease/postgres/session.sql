-- What postgresSessionLeases asks, each in one statement, on the one connection whose session has the locks.
--
-- A lock is free the moment that it is unlocked, and what a statement tells goes out when it commits: so whoever is told finds the lock free.

-- Whether a session has an advisory lock, as pg_locks shows one of 64 bits.
CREATE OR REPLACE FUNCTION spillway.lease_session_has(session integer, wanted bigint) RETURNS boolean LANGUAGE sql VOLATILE AS $$
  SELECT EXISTS (
    SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted AND pid = session AND objsubid = 1
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND ((classid::bigint << 32) | objid::bigint) = wanted)
$$;

-- Tells a session of a lock, on a channel that is its own.
CREATE OR REPLACE FUNCTION spillway.lease_session_tell(session integer, kind text, about bigint) RETURNS void LANGUAGE sql AS $$
  SELECT pg_notify('spillway_session_' || session, kind || ' ' || about)
$$;

-- Tells the first who waits and whose session lives that a lock is free. Once: it asks, and if it comes too late it waits anew.
CREATE OR REPLACE FUNCTION spillway.lease_session_tell_next(free bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  session integer;
BEGIN
  LOOP
    DELETE FROM spillway.lease_session_crowd WHERE ctid = (
      SELECT ctid FROM spillway.lease_session_crowd WHERE lock = free AND kind = 'waits' ORDER BY place LIMIT 1 FOR UPDATE SKIP LOCKED)
    RETURNING pid INTO session;
    EXIT WHEN NOT FOUND;
    IF EXISTS (SELECT FROM pg_stat_get_activity(session)) THEN
      PERFORM spillway.lease_session_tell(session, 'waits', free);
      EXIT;
    END IF;
  END LOOP;
END $$;

-- Tells whom it concerns that a lock was taken or given back.
CREATE OR REPLACE FUNCTION spillway.lease_session_tell_crowd(changed bigint, is_free boolean) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  -- Mostly nobody.
  IF NOT EXISTS (SELECT FROM spillway.lease_session_crowd WHERE lock = changed) THEN RETURN; END IF;
  PERFORM spillway.lease_session_tell(c.pid, c.kind, changed) FROM spillway.lease_session_crowd AS c WHERE c.lock = changed AND c.kind = 'observes';
  IF is_free THEN PERFORM spillway.lease_session_tell_next(changed); END IF;
END $$;

-- Wants to be told of a lock from now on; answers whether it did not before.
CREATE OR REPLACE FUNCTION spillway.lease_session_join(about bigint, what text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
  is_new boolean;
BEGIN
  INSERT INTO spillway.lease_session_crowd (lock, kind, pid) VALUES (about, what, pg_backend_pid()) ON CONFLICT DO NOTHING;
  is_new := FOUND;
  IF is_new THEN
    PERFORM set_config('synchronous_commit', 'off', true);
    EXECUTE 'LISTEN spillway_session_' || pg_backend_pid();
  END IF;
  RETURN is_new;
END $$;

-- Wants to be told no more. Who was told that a lock is free, and has no use for it, tells the next.
CREATE OR REPLACE FUNCTION spillway.lease_session_leave(about bigint, what text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM set_config('synchronous_commit', 'off', true);
  DELETE FROM spillway.lease_session_crowd WHERE lock = about AND kind = what AND pid = pg_backend_pid();
  IF NOT FOUND AND what = 'waits' THEN PERFORM spillway.lease_session_tell_next(about); END IF;
END $$;

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
    PERFORM spillway.lease_session_tell_crowd(wanted, false);
    RETURN new_token;
  EXCEPTION WHEN query_canceled OR OTHERS THEN
    PERFORM pg_advisory_unlock(wanted);
    RAISE;
  END;
END $$;

-- The same for somebody who waits. It is on record before the lock is looked at: whoever gives back a lock that was found taken finds it there.
CREATE OR REPLACE PROCEDURE spillway.lease_session_wait(wanted bigint, k bytea, who bytea, idle_ms bigint, INOUT token bigint) LANGUAGE plpgsql AS $$
BEGIN
  IF spillway.lease_session_join(wanted, 'waits') THEN COMMIT; END IF;
  token := spillway.lease_session_try(wanted, k, who, idle_ms);
  IF token IS NOT NULL THEN
    DELETE FROM spillway.lease_session_crowd WHERE lock = wanted AND kind = 'waits' AND pid = pg_backend_pid();
  END IF;
END $$;

CREATE OR REPLACE FUNCTION spillway.lease_session_release(given bigint, idle_ms bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM set_config('synchronous_commit', 'off', true);
  DELETE FROM spillway.lease_sessions WHERE lock = given AND pid = pg_backend_pid();
  PERFORM set_config('idle_session_timeout', idle_ms::text, false);
  IF pg_advisory_unlock(given) THEN PERFORM spillway.lease_session_tell_crowd(given, true); END IF;
END $$;

CREATE OR REPLACE FUNCTION spillway.lease_session_read(k bytea) RETURNS TABLE (holder bytea, token bigint) LANGUAGE sql VOLATILE AS $$
  SELECT s.holder, s.token FROM spillway.lease_sessions AS s WHERE s.key = k AND spillway.lease_session_has(s.pid, s.lock)
$$;

-- Removes what sessions left that ended without a word, one with the number of this one too.
CREATE OR REPLACE FUNCTION spillway.lease_session_sweep() RETURNS void LANGUAGE sql AS $$
  DELETE FROM spillway.lease_session_crowd AS c
  WHERE c.pid = pg_backend_pid() OR NOT EXISTS (SELECT FROM pg_stat_activity AS a WHERE a.pid = c.pid);
  DELETE FROM spillway.lease_sessions AS s WHERE NOT EXISTS (SELECT FROM pg_stat_activity AS a WHERE a.pid = s.pid)
$$;
