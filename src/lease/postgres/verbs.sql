-- What a store of leases asks. Each is one statement; what it decides by is what table.ts decides by, held equal by the same random questions.
--
-- The clock is read after the row is held, never before: whoever waited for it may have waited for long. Rows are taken in the order key,
-- crowd, so nobody waits in a circle. What was granted is on the disk before it is answered, whatever the database has for a default; what
-- is given back, and who waits, need not be: forgotten, a lease lasts until its end.

-- Tells the first who waits, if there is room for it beside what is taken, and if the holders changed those who observe.
CREATE OR REPLACE FUNCTION spillway.lease_tell(k bytea, now_us double precision, taken bigint, changed boolean) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
  first record;
BEGIN
  SELECT c.id, c.share, c.whole, c.channel INTO first FROM spillway.lease_crowd AS c
  WHERE c.key = k AND c.kind = 'waits' AND c.ends_us > now_us ORDER BY c.place LIMIT 1;
  IF FOUND AND first.channel IS NOT NULL AND taken + first.share <= first.whole THEN
    PERFORM pg_notify(first.channel, replace(first.id::text, '-', ''));
  END IF;
  IF changed THEN
    PERFORM pg_notify(c.channel, replace(c.id::text, '-', '')) FROM spillway.lease_crowd AS c
    WHERE c.key = k AND c.kind = 'observes' AND c.ends_us > now_us;
  END IF;
END $$;

-- What the crowd of a key holds together, and the soonest end.
CREATE OR REPLACE FUNCTION spillway.lease_held(k bytea, now_us double precision, OUT taken bigint, OUT soonest_us double precision)
LANGUAGE sql VOLATILE AS $$
  SELECT coalesce(sum(c.share), 0), min(c.ends_us) FROM spillway.lease_crowd AS c
  WHERE c.key = k AND c.kind = 'holds' AND c.ends_us > now_us
$$;

-- The crowd of a key matters until then at least. Further than it must, so that not every place that is kept changes the row of its key.
CREATE OR REPLACE FUNCTION spillway.lease_keep(k bytea, until_us double precision, ttl_us double precision) RETURNS void
LANGUAGE sql AS $$
  UPDATE spillway.leases SET crowd_us = until_us + ttl_us WHERE key = k AND crowd_us < until_us
$$;

-- Tokens keep up with the clock: a server that forgot the last ones (a standby, a backup, an empty disk) does not give them again.
-- One does it while the others wait; the margin is more than can be drawn between two looks. What is set is not undone with the block, and
-- the lock is: kept to the end of the transaction, whoever then waits for a row would hold up all keys.
CREATE OR REPLACE FUNCTION spillway.lease_lift(now_us double precision) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  IF (SELECT last_value FROM spillway.lease_tokens) < now_us - 100000 THEN
    BEGIN
      PERFORM pg_advisory_xact_lock(hashtext('spillway.lease_tokens'));
      PERFORM setval('spillway.lease_tokens', now_us::bigint) FROM spillway.lease_tokens WHERE last_value < now_us - 100000;
      RAISE SQLSTATE 'SPILL';
    EXCEPTION WHEN SQLSTATE 'SPILL' THEN NULL;
    END;
  END IF;
END $$;

-- Grants a claim, or keeps its place among those who wait.
-- Answers with the token; or with the µs after which to ask again, null if nothing but a release can change the answer. `is_late` says that
-- the question came too late to do anything. In each case with the time at which it came, so that whoever asks can say the next time what is late.
CREATE OR REPLACE FUNCTION spillway.lease_try(
  k bytea, claim uuid, who bytea, part integer, of_all integer, ttl_us double precision, queues boolean, tell text, deadline_us double precision,
  OUT new_token bigint, OUT again_us double precision, OUT is_late boolean, OUT now_us double precision
) LANGUAGE plpgsql AS $$
DECLARE
  held_us double precision;
  inserted boolean;
  main spillway.leases;
  mine spillway.lease_crowd;
  first bigint;
  taken bigint;
  soonest double precision;
BEGIN
  IF current_setting('transaction_isolation') <> 'read committed' THEN
    RAISE feature_not_supported USING MESSAGE = format(
      'leases are decided in READ COMMITTED, and this transaction is in %s; connect with options=''-c default_transaction_isolation=read\ committed''',
      upper(current_setting('transaction_isolation')));
  END IF;
  IF current_setting('synchronous_commit') = 'off' THEN PERFORM set_config('synchronous_commit', 'on', true); END IF;
  -- Nobody waits for the answer any longer than this, so neither does the statement: it would hold the key for nobody.
  PERFORM set_config('lock_timeout', greatest(1, ceil(ttl_us / 1000))::text, true);

  now_us := spillway.lease_now_us();
  is_late := now_us >= deadline_us;
  IF is_late THEN RETURN; END IF;

  PERFORM spillway.lease_lift(now_us);

  -- Nobody has it and nobody waits: what is asked most.
  INSERT INTO spillway.leases AS l (key, id, holder, share, token, ends_us)
  VALUES (k, claim, who, part, nextval('spillway.lease_tokens'), spillway.lease_now_us() + ttl_us)
  ON CONFLICT (key) DO UPDATE SET id = excluded.id, holder = excluded.holder, share = excluded.share,
    token = nextval('spillway.lease_tokens'), ends_us = spillway.lease_now_us() + ttl_us
  WHERE greatest(l.ends_us, l.crowd_us) <= spillway.lease_now_us() AND spillway.lease_now_us() < deadline_us
  RETURNING l.token, l.xmax = 0 INTO new_token, inserted;
  IF FOUND THEN
    -- Drawn before the row was there: another may have come and gone in between, with a later one.
    IF inserted AND new_token <> (SELECT last_value FROM spillway.lease_tokens) THEN
      UPDATE spillway.leases SET token = nextval('spillway.lease_tokens') WHERE key = k RETURNING token INTO new_token;
    END IF;
    RETURN;
  END IF;

  -- The row is held now.
  held_us := spillway.lease_now_us();
  is_late := held_us >= deadline_us;
  IF is_late THEN RETURN; END IF;
  SELECT * INTO main FROM spillway.leases WHERE key = k;
  IF main.id = claim AND main.ends_us > held_us THEN
    UPDATE spillway.leases SET ends_us = held_us + ttl_us WHERE key = k;
    new_token := main.token;
    RETURN;
  END IF;
  SELECT * INTO mine FROM spillway.lease_crowd AS c WHERE c.key = k AND c.id = claim AND c.ends_us > held_us;
  IF mine.kind = 'holds' THEN
    UPDATE spillway.lease_crowd AS c SET ends_us = held_us + ttl_us WHERE c.key = k AND c.id = claim;
    IF FOUND THEN
      PERFORM spillway.lease_keep(k, held_us + ttl_us, ttl_us);
      new_token := mine.token;
      RETURN;
    END IF;
    -- Swept in this moment, which is its last: it asks as if for the first time.
    mine := NULL;
  END IF;

  SELECT h.taken, h.soonest_us INTO taken, soonest FROM spillway.lease_held(k, held_us) AS h;
  IF main.ends_us > held_us THEN
    taken := taken + main.share;
    soonest := least(soonest, main.ends_us);
  END IF;
  SELECT c.place INTO first FROM spillway.lease_crowd AS c
  WHERE c.key = k AND c.kind = 'waits' AND c.ends_us > held_us ORDER BY c.place LIMIT 1;

  IF (first IS NULL OR first = mine.place) AND taken + part <= of_all THEN
    new_token := nextval('spillway.lease_tokens');
    DELETE FROM spillway.lease_crowd AS c WHERE c.key = k AND c.id = claim;
    IF main.ends_us > held_us THEN
      INSERT INTO spillway.lease_crowd (key, id, kind, place, holder, share, token, ends_us)
      VALUES (k, claim, 'holds', new_token, who, part, new_token, held_us + ttl_us);
      PERFORM spillway.lease_keep(k, held_us + ttl_us, ttl_us);
    ELSE
      UPDATE spillway.leases SET id = claim, holder = who, share = part, token = new_token, ends_us = held_us + ttl_us WHERE key = k;
    END IF;
    PERFORM spillway.lease_tell(k, held_us, taken + part, true);
    RETURN;
  END IF;

  -- Only the first can do anything with what a holder forgets to give back.
  IF first IS NULL OR first = mine.place THEN again_us := soonest - held_us; END IF;
  PERFORM set_config('synchronous_commit', 'off', true);
  IF queues THEN
    again_us := least(again_us, ttl_us / 3);
    INSERT INTO spillway.lease_crowd AS c (key, id, kind, place, share, whole, channel, ends_us)
    VALUES (k, claim, 'waits', coalesce(mine.place, nextval('spillway.lease_tokens')), part, of_all, tell, held_us + ttl_us)
    ON CONFLICT (key, id) DO UPDATE SET kind = 'waits', place = excluded.place, holder = NULL, share = excluded.share,
      whole = excluded.whole, token = NULL, channel = excluded.channel, ends_us = excluded.ends_us;
    PERFORM spillway.lease_keep(k, held_us + ttl_us, ttl_us);
  END IF;
END $$;

-- Begins the time of a claim that holds anew. Answers whether it holds.
CREATE OR REPLACE FUNCTION spillway.lease_renew(k bytea, claim uuid, ttl_us double precision) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
  now_us double precision;
BEGIN
  IF current_setting('synchronous_commit') = 'off' THEN PERFORM set_config('synchronous_commit', 'on', true); END IF;
  PERFORM set_config('lock_timeout', greatest(1, ceil(ttl_us / 1000))::text, true);
  UPDATE spillway.leases SET ends_us = spillway.lease_now_us() + ttl_us
  WHERE key = k AND id = claim AND ends_us > spillway.lease_now_us();
  IF FOUND THEN RETURN true; END IF;
  PERFORM FROM spillway.leases WHERE key = k FOR UPDATE;
  now_us := spillway.lease_now_us();
  UPDATE spillway.lease_crowd AS c SET ends_us = now_us + ttl_us
  WHERE c.key = k AND c.id = claim AND c.kind = 'holds' AND c.ends_us > now_us;
  IF NOT FOUND THEN RETURN false; END IF;
  PERFORM spillway.lease_keep(k, now_us + ttl_us, ttl_us);
  RETURN true;
END $$;

-- Takes back what a claim holds, or its place.
CREATE OR REPLACE FUNCTION spillway.lease_release(k bytea, claim uuid) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  now_us double precision;
  held boolean;
  gone text;
  main_us double precision;
  taken bigint;
BEGIN
  PERFORM set_config('synchronous_commit', 'off', true);
  -- It is asked again: those that wait for a row that hangs would have all connections before long.
  PERFORM set_config('lock_timeout', '2s', true);
  -- One that holds alone, and nobody waits: what is asked most.
  DELETE FROM spillway.leases WHERE key = k AND id = claim AND crowd_us <= spillway.lease_now_us();
  IF FOUND THEN RETURN; END IF;
  PERFORM FROM spillway.leases WHERE key = k FOR UPDATE;
  IF NOT FOUND THEN RETURN; END IF;
  now_us := spillway.lease_now_us();
  UPDATE spillway.leases SET id = NULL, ends_us = 0 WHERE key = k AND id = claim;
  held := FOUND;
  DELETE FROM spillway.lease_crowd AS c WHERE c.key = k AND c.id = claim RETURNING c.kind INTO gone;
  IF NOT held AND gone IS NULL THEN RETURN; END IF;
  SELECT l.ends_us, h.taken + CASE WHEN l.ends_us > now_us THEN l.share ELSE 0 END INTO main_us, taken
  FROM spillway.leases AS l, spillway.lease_held(k, now_us) AS h WHERE l.key = k;
  IF main_us <= now_us AND NOT EXISTS (SELECT FROM spillway.lease_crowd AS c WHERE c.key = k AND c.ends_us > now_us) THEN
    DELETE FROM spillway.lease_crowd AS c WHERE c.key = k;
    DELETE FROM spillway.leases WHERE key = k;
  ELSE
    PERFORM spillway.lease_tell(k, now_us, taken, held OR gone = 'holds');
  END IF;
END $$;

-- Tells this channel for some time when the holders of a key change.
CREATE OR REPLACE FUNCTION spillway.lease_observe(k bytea, observer uuid, tell text, ttl_us double precision) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
  now_us double precision;
BEGIN
  PERFORM set_config('lock_timeout', '2s', true);
  INSERT INTO spillway.leases (key, ends_us) VALUES (k, 0) ON CONFLICT (key) DO UPDATE SET ends_us = leases.ends_us;
  now_us := spillway.lease_now_us();
  INSERT INTO spillway.lease_crowd (key, id, kind, place, channel, ends_us) VALUES (k, observer, 'observes', 0, tell, now_us + ttl_us)
  ON CONFLICT (key, id) DO UPDATE SET ends_us = excluded.ends_us;
  PERFORM spillway.lease_keep(k, now_us + ttl_us, ttl_us);
END $$;

-- Removes what is over from some pages of both tables, and answers with the page to go on with: 0 after the last.
-- It passes over rows that somebody holds, and so waits for nobody.
CREATE OR REPLACE FUNCTION spillway.lease_sweep(from_page bigint, pages integer) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  low tid := format('(%s,0)', from_page);
  high tid := format('(%s,0)', from_page + pages);
  now_us double precision := spillway.lease_now_us();
  ends bigint := from_page + pages;
BEGIN
  DELETE FROM spillway.leases AS l USING (
    SELECT ctid FROM spillway.leases
    WHERE ctid >= low AND ctid < high AND greatest(ends_us, crowd_us) <= now_us
    FOR UPDATE SKIP LOCKED
  ) AS old WHERE l.ctid = old.ctid;
  DELETE FROM spillway.lease_crowd AS c USING (
    SELECT ctid FROM spillway.lease_crowd WHERE ctid >= low AND ctid < high AND ends_us <= now_us
    FOR UPDATE SKIP LOCKED
  ) AS old WHERE c.ctid = old.ctid;
  RETURN CASE WHEN ends * current_setting('block_size')::integer
    < greatest(pg_relation_size('spillway.leases'), pg_relation_size('spillway.lease_crowd')) THEN ends ELSE 0 END;
END $$;

-- Who holds a key, those first who have held it longest.
CREATE OR REPLACE FUNCTION spillway.lease_read(k bytea) RETURNS TABLE (holder bytea, token bigint, share integer) LANGUAGE sql VOLATILE AS $$
  SELECT l.holder, l.token, l.share FROM spillway.leases AS l WHERE l.key = k AND l.ends_us > spillway.lease_now_us()
  UNION ALL
  SELECT c.holder, c.token, c.share FROM spillway.lease_crowd AS c
  WHERE c.key = k AND c.kind = 'holds' AND c.ends_us > spillway.lease_now_us()
  ORDER BY token
$$;
