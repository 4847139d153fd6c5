-- sliding-log.ts. State: the times of the newest takes, at most `limit`, oldest first, 8 bytes each. Parameters: limit, window.
-- It is read where it is needed and never taken apart: of 10,000 times, a take looks at 14.
--@ state
local limit, window = p1, p2
local whole = window
local log = raw and #raw >= 8 and #raw % 8 == 0 and raw or NO_END
local function nth(n) return (unpack_from('<d', log, #log - 8 * n + 1)) end
-- How many are inside the window.
local inside, high = 0, #log / 8 - 1
if high > 0 then
  local ahead = nth(1) - now
  if ahead > 0 then
    -- The clock stepped back.
    local moved = {}
    for at = 9, #log, 8 do moved[#moved + 1] = pack('<d', max(0, (unpack_from('<d', log, at)) - ahead)) end
    text = table.concat(moved)
    log = NO_END .. text
  end
  while inside < high do
    local middle = floor((inside + high + 1) / 2)
    if nth(middle) + window > now then inside = middle else high = middle - 1 end
  end
end
--@ room
local room, price = limit - inside, cost
--@ take
if granted ~= times then
  if cost > limit then retry = NEVER
  else
    local n = limit - cost + 1 - granted * cost
    retry = (n > 0 and nth(n) - now or 0) + window
  end
end
local taken = granted * cost
if not look and taken > 0 then
  text = string.sub(log, max(9, #log - 8 * (limit - taken) + 1)) .. string.rep(pack('<d', now), taken)
  inside, reset = inside + taken, window
elseif inside > 0 then reset = nth(1) + window - now end
remaining = limit - inside
--@ refund
text = string.sub(log, 9, #log - 8 * min(cost, inside))
