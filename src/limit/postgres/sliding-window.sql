-- sliding-window.ts. State: when the window began, taken in it, taken in the one before. p: limit, window, step.
CREATE OR REPLACE FUNCTION spillway.sliding_window(
  INOUT s double precision[], p double precision[], now_us double precision, verb text,
  cost double precision, times double precision, holder double precision,
  OUT granted double precision, OUT remaining double precision, OUT retry double precision, OUT reset double precision
) LANGUAGE plpgsql AS $$
DECLARE
  start_us double precision := floor(now_us / p[2]) * p[2];
  left_us double precision := p[2] - (now_us - start_us);
  steps double precision := p[2] / p[3];
  -- What of the window before still counts, in steps.
  overlap double precision := steps - floor((now_us - start_us) / p[3]);
  current_count double precision := 0;
  previous_count double precision := 0;
  then_taken double precision;
  spare double precision;
BEGIN
  IF s[1] >= start_us THEN
    s[1] := start_us;
    current_count := s[2];
    previous_count := s[3];
  ELSIF s[1] >= start_us - p[2] THEN
    previous_count := s[2];
  END IF;
  granted := 0;
  retry := 0;
  IF verb = 'refund' THEN
    spare := least(current_count, cost);
    current_count := current_count - spare;
    previous_count := greatest(0, previous_count - (cost - spare));
    s := ARRAY[start_us, current_count, previous_count];
  ELSE
    IF cost <= p[1] THEN
      granted := spillway.fitting((p[1] - current_count) * steps - previous_count * overlap, cost * steps, times);
    END IF;
    then_taken := current_count + granted * cost;
    spare := p[1] - then_taken - cost;
    IF granted = times THEN retry := 0;
    ELSIF cost > p[1] THEN retry := -1;
    ELSIF spare >= 0 THEN retry := start_us + (steps - floor((spare * steps) / previous_count)) * p[3] - now_us;
    ELSE
      retry := start_us + p[2] + (steps - least(steps, floor(((p[1] - cost) * steps) / then_taken))) * p[3] - now_us;
    END IF;
    IF verb = 'take' AND granted > 0 AND cost > 0 THEN
      current_count := then_taken;
      s := ARRAY[start_us, current_count, previous_count];
    END IF;
  END IF;
  remaining := greatest(0, floor(((p[1] - current_count) * steps - previous_count * overlap) / steps));
  reset := CASE WHEN current_count > 0 THEN left_us + p[2] WHEN previous_count > 0 THEN left_us ELSE 0 END;
END $$;
