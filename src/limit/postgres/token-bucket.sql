-- token-bucket.ts. State: parts owed, when that was so, unit. p: capacity, unit, refill.
CREATE OR REPLACE FUNCTION spillway.token_bucket(
  INOUT s double precision[], p double precision[], now_us double precision, verb text,
  cost double precision, times double precision, holder double precision,
  OUT granted double precision, OUT remaining double precision, OUT retry double precision, OUT reset double precision
) LANGUAGE plpgsql AS $$
DECLARE
  unit double precision := p[2];
  full_parts double precision := p[1] * p[2];
  owed double precision := coalesce(s[1], 0);
  price double precision := cost * p[2];
BEGIN
  IF owed > 0 THEN
    IF s[3] <> unit THEN owed := ceil((owed / s[3]) * unit); END IF;
    owed := least(owed, full_parts);
    IF now_us >= s[2] THEN owed := greatest(0, owed - (now_us - s[2]) * p[3]);
    ELSE s := ARRAY[owed, now_us, unit];
    END IF;
  END IF;
  IF verb = 'refund' THEN
    owed := greatest(0, owed - least(cost, p[1]) * unit);
    s := ARRAY[owed, now_us, unit];
    granted := 0;
    retry := 0;
  ELSE
    granted := CASE WHEN cost > p[1] THEN 0 ELSE spillway.fitting(full_parts - owed, price, times) END;
    retry := CASE
      WHEN granted = times THEN 0
      WHEN cost > p[1] THEN -1
      ELSE ceil(((granted + 1) * price - (full_parts - owed)) / p[3])
    END;
    IF verb = 'take' AND granted > 0 AND cost > 0 THEN
      owed := owed + granted * cost * unit;
      s := ARRAY[owed, now_us, unit];
    END IF;
  END IF;
  remaining := floor((full_parts - owed) / unit);
  reset := ceil(owed / p[3]);
END $$;
