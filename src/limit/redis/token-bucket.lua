-- token-bucket.ts. State: parts owed, when that was so, unit. p: capacity, unit, refill.
do
  local function owed_at(s, p, now)
    local owed = s[1]
    if owed == 0 then return 0 end
    if s[3] ~= p[2] then owed = ceil((owed / s[3]) * p[2]) end
    owed = min(owed, p[1] * p[2])
    local since = now - s[2]
    if since >= 0 then return max(0, owed - since * p[3]) end
    s[1], s[2], s[3] = owed, now, p[2]
    return owed
  end

  kernels['token-bucket'] = {
    read = function(raw)
      if not raw or #raw ~= 24 then return { 0, 0, 0 } end
      local owed, at, unit = unpack_from('<ddd', raw)
      return { owed, at, unit }
    end,
    write = function(s) return pack('<ddd', s[1], s[2], s[3]) end,

    take = function(s, p, now, cost, times, _, look)
      local capacity, unit, refill = p[1], p[2], p[3]
      local owed = owed_at(s, p, now)
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
        s[1], s[2], s[3] = owed, now, unit
      end
      return granted, floor((full - owed) / unit), retry, ceil(owed / refill)
    end,

    refund = function(s, p, now, cost)
      local owed = owed_at(s, p, now)
      s[1], s[2], s[3] = max(0, owed - min(cost, p[1]) * p[2]), now, p[2]
    end,
  }
end
