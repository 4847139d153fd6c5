-- concurrency.ts. State: for each slot that was ever used, when its lease ends and its holder. p: limit, lease.
CREATE OR REPLACE FUNCTION spillway.concurrency(
  INOUT s double precision[], p double precision[], now_us double precision, verb text,
  cost double precision, times double precision, holder double precision,
  OUT granted double precision, OUT remaining double precision, OUT retry double precision, OUT reset double precision
) LANGUAGE plpgsql AS $$
DECLARE
  ends double precision[];
  held integer;
  missing integer;
  given integer := 0;
  slot integer := 1;
BEGIN
  granted := 0;
  retry := 0;
  IF verb IN ('release', 'renew') THEN
    WHILE slot < cardinality(s) LOOP
      IF s[slot + 1] = holder AND s[slot] > now_us THEN
        s[slot] := CASE verb WHEN 'release' THEN 0 ELSE now_us + p[2] END;
        granted := 1;
      END IF;
      slot := slot + 2;
    END LOOP;
    RETURN;
  END IF;
  WHILE slot < cardinality(s) LOOP
    IF s[slot] > now_us THEN
      s[slot] := least(s[slot], now_us + p[2]);
      ends := ends || s[slot];
    END IF;
    slot := slot + 2;
  END LOOP;
  SELECT array_agg(e ORDER BY e) INTO ends FROM unnest(ends) AS e;
  held := coalesce(cardinality(ends), 0);
  reset := coalesce(ends[held] - now_us, 0);
  IF cost <= p[1] THEN granted := spillway.fitting(p[1] - held, cost, times); END IF;
  IF granted = times THEN retry := 0;
  ELSIF cost > p[1] THEN retry := -1;
  ELSE
    missing := cost - (p[1] - held - granted * cost);
    retry := CASE WHEN missing <= held THEN ends[missing] - now_us ELSE p[2] END;
  END IF;
  remaining := greatest(0, p[1] - held);
  IF verb = 'take' AND granted * cost > 0 THEN
    remaining := greatest(0, p[1] - held - granted * cost);
    slot := 1;
    WHILE given < granted * cost LOOP
      IF slot > cardinality(s) OR s[slot] <= now_us THEN
        s[slot] := now_us + p[2];
        s[slot + 1] := holder + floor(given / cost);
        given := given + 1;
      END IF;
      slot := slot + 2;
    END LOOP;
    reset := p[2];
  END IF;
END $$;
