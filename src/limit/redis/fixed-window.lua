-- fixed-window.ts. State: when the window began, how much was taken in it. Parameters: limit, window.
--@ state
local limit, window = p1, p2
local whole = window
local start, taken = now - fmod(now, window), 0
if raw and #raw == 24 then
  local began, counted = unpack_from('<dd', raw, 9)
  if began >= start then taken = counted end
  -- The clock stepped back.
  if began > start then text = pack('<dd', start, taken) end
end
--@ room
local room, price = limit - taken, cost
--@ take
local left = window - (now - start)
if granted ~= times then retry = cost > limit and NEVER or left end
if not look and granted > 0 and cost > 0 then
  taken = taken + granted * cost
  text = pack('<dd', start, taken)
end
remaining, reset = max(0, limit - taken), taken == 0 and 0 or left
--@ refund
if taken > 0 then text = pack('<dd', start, max(0, taken - cost)) end
