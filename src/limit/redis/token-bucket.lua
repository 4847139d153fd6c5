-- token-bucket.ts. State: parts owed, when that was so, unit. Parameters: capacity, unit, refill.
do
  -- What is owed, and the new string if the clock stepped back.
  local function owed_at(raw, now, capacity, unit, refill)
    if not raw or #raw ~= 24 then return 0 end
    local owed, at, of = unpack_from('<ddd', raw)
    if owed == 0 then return 0 end
    if of ~= unit then owed = ceil((owed / of) * unit) end
    owed = min(owed, capacity * unit)
    local since = now - at
    if since >= 0 then return max(0, owed - since * refill) end
    return owed, pack('<ddd', owed, now, unit)
  end

  kernels['token-bucket'] = {
    take = function(raw, now, capacity, unit, refill, cost, times, _, look)
      local owed, text = owed_at(raw, now, capacity, unit, refill)
      local full = capacity * unit
      local room = full - owed
      local price = cost * unit
      local granted = cost > capacity and 0 or fitting(room, price, times)
      local retry = 0
      if granted ~= times then
        if cost > capacity then retry = NEVER else retry = ceil(((granted + 1) * price - room) / refill) end
      end
      if not look and granted > 0 and cost > 0 then
        owed = owed + granted * cost * unit
        text = pack('<ddd', owed, now, unit)
      end
      return granted, floor((full - owed) / unit), retry, ceil(owed / refill), text
    end,

    refund = function(raw, now, capacity, unit, refill, cost)
      local owed = owed_at(raw, now, capacity, unit, refill)
      return pack('<ddd', max(0, owed - min(cost, capacity) * unit), now, unit)
    end,
  }
end
