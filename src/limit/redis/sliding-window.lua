-- sliding-window.ts. State: when the window began, taken in it, taken in the one before. Parameters: limit, window, step.
--@ state
local limit, window, step = p1, p2, p3
local whole = window
local start, current, previous = now - fmod(now, window), 0, 0
if raw and #raw == 32 then
  local began, in_it, before = unpack_from('<ddd', raw, 9)
  if began >= start then current, previous = in_it, before
  elseif began >= start - window then previous = in_it end
  -- The clock stepped back.
  if began > start then text = pack('<ddd', start, current, previous) end
end
--@ room
local steps = window / step
-- What of the window before still counts, in steps.
local overlap = steps - floor((now - start) / step)
local room, price = (limit - current) * steps - previous * overlap, cost * steps
--@ take
if granted ~= times then
  local then_taken = current + granted * cost
  local spare = limit - then_taken - cost
  if cost > limit then retry = NEVER
  elseif spare >= 0 then retry = start + (steps - floor((spare * steps) / previous)) * step - now
  else
    local fits = min(steps, floor(((limit - cost) * steps) / then_taken))
    retry = start + window + (steps - fits) * step - now
  end
end
if not look and granted > 0 and cost > 0 then
  current = current + granted * cost
  text = pack('<ddd', start, current, previous)
  room = (limit - current) * steps - previous * overlap
end
local left = window - (now - start)
if current > 0 then reset = left + window elseif previous > 0 then reset = left end
remaining = max(0, floor(room / steps))
--@ refund
local of_current = min(current, cost)
text = pack('<ddd', start, current - of_current, max(0, previous - (cost - of_current)))
