-- fixed-window.ts. State: when the window began, how much was taken in it. p: limit, window.
CREATE OR REPLACE FUNCTION spillway.fixed_window(
  INOUT s double precision[], p double precision[], now_us double precision, verb text,
  cost double precision, times double precision, holder double precision,
  OUT granted double precision, OUT remaining double precision, OUT retry double precision, OUT reset double precision
) LANGUAGE plpgsql AS $$
DECLARE
  start_us double precision := floor(now_us / p[2]) * p[2];
  left_us double precision := p[2] - (now_us - start_us);
  taken double precision := 0;
BEGIN
  IF s[1] >= start_us THEN
    taken := s[2];
    s[1] := start_us;
  END IF;
  IF verb = 'refund' THEN
    IF taken > 0 THEN
      taken := greatest(0, taken - cost);
      s[2] := taken;
    END IF;
    granted := 0;
    retry := 0;
  ELSE
    granted := CASE WHEN cost > p[1] THEN 0 ELSE spillway.fitting(p[1] - taken, cost, times) END;
    retry := CASE WHEN granted = times THEN 0 WHEN cost > p[1] THEN -1 ELSE left_us END;
    IF verb = 'take' AND granted > 0 AND cost > 0 THEN
      taken := taken + granted * cost;
      s := ARRAY[start_us, taken];
    END IF;
  END IF;
  remaining := greatest(0, p[1] - taken);
  reset := CASE WHEN taken = 0 THEN 0 ELSE left_us END;
END $$;
