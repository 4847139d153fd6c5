-- token-bucket.ts. State: parts owed, when that was so, unit. Parameters: capacity, unit, refill.
--@ state
local limit, unit, refill = p1, p2, p3
local full, owed = limit * unit, 0
local whole = full / refill
if raw and #raw == 32 then
  local at, of
  owed, at, of = unpack_from('<ddd', raw, 9)
  if owed ~= 0 then
    if of ~= unit then owed = ceil((owed / of) * unit) end
    owed = min(owed, full)
    if now >= at then owed = max(0, owed - (now - at) * refill) else text = pack('<ddd', owed, now, unit) end
  end
end
--@ room
local room, price = full - owed, cost * unit
--@ take
if granted ~= times then
  if cost > limit then retry = NEVER else retry = ceil(((granted + 1) * price - room) / refill) end
end
if not look and granted > 0 and cost > 0 then
  owed = owed + granted * price
  text = pack('<ddd', owed, now, unit)
end
remaining, reset = floor((full - owed) / unit), ceil(owed / refill)
--@ refund
text = pack('<ddd', max(0, owed - min(cost, limit) * unit), now, unit)
