CREATE OR REPLACE FUNCTION spillway.apply(
  INOUT s double precision[], one_limit jsonb, now_us double precision, verb text, part jsonb,
  OUT granted double precision, OUT remaining double precision, OUT retry double precision, OUT reset double precision
) LANGUAGE plpgsql AS $$
DECLARE
  p double precision[] := ARRAY[one_limit->>1, one_limit->>2, one_limit->>3]::double precision[];
  cost double precision := part->>2;
  times double precision := part->>3;
  holder double precision := part->>4;
BEGIN
  CASE one_limit->>0
    WHEN 'token-bucket' THEN
      SELECT * INTO s, granted, remaining, retry, reset FROM spillway.token_bucket(s, p, now_us, verb, cost, times, holder);
    WHEN 'fixed-window' THEN
      SELECT * INTO s, granted, remaining, retry, reset FROM spillway.fixed_window(s, p, now_us, verb, cost, times, holder);
    WHEN 'sliding-window' THEN
      SELECT * INTO s, granted, remaining, retry, reset FROM spillway.sliding_window(s, p, now_us, verb, cost, times, holder);
    WHEN 'sliding-log' THEN
      SELECT * INTO s, granted, remaining, retry, reset FROM spillway.sliding_log(s, p, now_us, verb, cost, times, holder);
    WHEN 'concurrency' THEN
      SELECT * INTO s, granted, remaining, retry, reset FROM spillway.concurrency(s, p, now_us, verb, cost, times, holder);
  END CASE;
END $$;

-- Answers questions in their order, all at one moment of the server's clock: the time is read when all rows are held, so that later takes
-- of a key never have an earlier one.
-- message: [limits, questions]; a limit is [kind, parameters…], a question [verb, part, part…], and a part [key, limit, cost, times, holder],
-- the first two as places in keys and limits.
-- Returns for each part granted, remaining, retry, reset.
CREATE OR REPLACE FUNCTION spillway.decide(keys text[], message jsonb)
RETURNS double precision[] LANGUAGE plpgsql AS $$
DECLARE
  limits jsonb := message->0;
  before spillway.limits[];
  states spillway.limits[];
  -- Which limit wrote a key last.
  wrote jsonb[];
  asks jsonb;
  question jsonb;
  part jsonb;
  verb text;
  look boolean;
  place integer;
  s double precision[];
  now_us double precision;
  out_granted double precision;
  out_remaining double precision;
  out_retry double precision;
  out_reset double precision;
  reply double precision[] := '{}';
BEGIN
  -- In any other, whoever waited for a row fails when it is free: a store that is down whenever two ask for the same key.
  IF current_setting('transaction_isolation') <> 'read committed' THEN
    RAISE feature_not_supported USING MESSAGE = format(
      'limits are decided in READ COMMITTED, and this transaction is in %s; connect with options=''-c default_transaction_isolation=read\ committed''',
      upper(current_setting('transaction_isolation')));
  END IF;
  -- Always in the order of the keys: so nobody who waits for a row holds one that is waited for by its holder.
  FOR place IN SELECT i FROM generate_subscripts(keys, 1) AS i ORDER BY keys[i] COLLATE "C" LOOP
    LOOP
      SELECT l.state INTO s FROM spillway.limits AS l WHERE l.key = keys[place] FOR UPDATE;
      EXIT WHEN FOUND;
      s := '{}';
      INSERT INTO spillway.limits VALUES (keys[place], s, 0) ON CONFLICT DO NOTHING;
      EXIT WHEN FOUND;
    END LOOP;
    before[place] := ROW(keys[place], s, 0)::spillway.limits;
  END LOOP;
  states := before;
  now_us := floor(extract(epoch FROM clock_timestamp()) * 1000000);

  FOR question IN SELECT jsonb_array_elements(message->1) LOOP
    verb := question->>0;
    -- Of several parts: from all or from none.
    IF verb = 'take' AND jsonb_array_length(question) > 2 THEN
      FOR part IN SELECT jsonb_array_elements(question - 0) LOOP
        SELECT granted INTO out_granted
          FROM spillway.apply((states[(part->>0)::integer]).state, limits->((part->>1)::integer - 1), now_us, 'peek', part);
        IF out_granted < (part->>3)::double precision THEN verb := 'peek'; END IF;
      END LOOP;
    END IF;
    FOR part IN SELECT jsonb_array_elements(question - 0) LOOP
      place := part->>0;
      asks := limits->((part->>1)::integer - 1);
      IF verb = 'reset' THEN
        s := '{}';
        out_granted := 0;
      ELSE
        SELECT * INTO s, out_granted, out_remaining, out_retry, out_reset
          FROM spillway.apply((states[place]).state, asks, now_us, verb, part);
      END IF;
      -- A row lasts as long as the limit says that wrote it, not one that only looked.
      IF wrote[place] IS NULL OR s <> (states[place]).state THEN wrote[place] := asks; END IF;
      states[place] := ROW(keys[place], s, 0)::spillway.limits;
      IF verb IN ('take', 'peek') THEN reply := reply || ARRAY[out_granted, out_remaining, out_retry, out_reset];
      ELSE reply := reply || ARRAY[out_granted, 0, 0, 0];
      END IF;
    END LOOP;
  END LOOP;

  FOR place IN 1 .. cardinality(keys) LOOP
    s := (states[place]).state;
    IF s = (before[place]).state AND s <> '{}' THEN CONTINUE; END IF;
    SELECT reset INTO out_reset FROM spillway.apply(s, wrote[place], now_us, 'peek', '[0, 0, 0, 1, 0]');
    IF out_reset > 0 THEN
      UPDATE spillway.limits AS l SET state = s, ends_us = now_us + out_reset WHERE l.key = keys[place];
    ELSE
      DELETE FROM spillway.limits AS l WHERE l.key = keys[place];
    END IF;
  END LOOP;
  RETURN reply;
END $$;

-- Removes rows that say nothing any more from some pages of the table, and answers with the page to go on with: 0 after the last.
-- It passes over rows that somebody holds, and so waits for nobody.
CREATE OR REPLACE FUNCTION spillway.sweep(from_page bigint, pages integer, OUT removed bigint, OUT next_page bigint)
LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM spillway.limits AS l USING (
    SELECT ctid FROM spillway.limits
    WHERE ctid >= format('(%s,0)', from_page)::tid AND ctid < format('(%s,0)', from_page + pages)::tid
      AND ends_us <= extract(epoch FROM clock_timestamp()) * 1000000
    FOR UPDATE SKIP LOCKED
  ) AS old WHERE l.ctid = old.ctid;
  GET DIAGNOSTICS removed = ROW_COUNT;
  next_page := from_page + pages;
  IF next_page >= pg_relation_size('spillway.limits') / current_setting('block_size')::integer THEN next_page := 0; END IF;
END $$;
