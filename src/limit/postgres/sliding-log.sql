-- sliding-log.ts. State: the times of the newest takes, at most `limit`, oldest first. p: limit, window.
CREATE OR REPLACE FUNCTION spillway.sliding_log(
  INOUT s double precision[], p double precision[], now_us double precision, verb text,
  cost double precision, times double precision, holder double precision,
  OUT granted double precision, OUT remaining double precision, OUT retry double precision, OUT reset double precision
) LANGUAGE plpgsql AS $$
DECLARE
  size integer := cardinality(s);
  -- How many takes are in the window that ends now.
  inside integer := 0;
  beyond integer := size;
  middle integer;
  taken integer;
  nth integer;
BEGIN
  IF size > 0 AND s[size] > now_us THEN
    s := ARRAY(SELECT greatest(0, t - (s[size] - now_us)) FROM unnest(s) WITH ORDINALITY AS u (t, i) ORDER BY i);
  END IF;
  WHILE inside < beyond LOOP
    middle := (inside + beyond + 1) / 2;
    IF s[size - middle + 1] + p[2] > now_us THEN inside := middle; ELSE beyond := middle - 1; END IF;
  END LOOP;
  granted := 0;
  retry := 0;
  IF verb = 'refund' THEN
    taken := least(cost, inside);
    s := s[1 : size - taken];
    inside := inside - taken;
  ELSE
    IF cost <= p[1] THEN granted := spillway.fitting(p[1] - inside, cost, times); END IF;
    IF granted = times THEN retry := 0;
    ELSIF cost > p[1] THEN retry := -1;
    ELSE
      nth := p[1] - cost + 1 - granted * cost;
      retry := CASE WHEN nth > 0 THEN s[size - nth + 1] - now_us ELSE 0 END + p[2];
    END IF;
    taken := granted * cost;
    IF verb = 'take' AND taken > 0 THEN
      s := s || array_fill(now_us, ARRAY[taken]);
      s := s[cardinality(s) - p[1]::integer + 1 : ];
      inside := inside + taken;
    END IF;
  END IF;
  remaining := p[1] - inside;
  reset := CASE WHEN inside = 0 THEN 0 ELSE s[cardinality(s)] + p[2] - now_us END;
END $$;
