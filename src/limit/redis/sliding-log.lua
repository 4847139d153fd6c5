-- sliding-log.ts. State: the times of the newest takes, at most `limit`, oldest first, as one string of 8 bytes each. p: limit, window.
-- It is read where it is needed and never taken apart: of 10,000 times, a take looks at 14.
do
  local function nth(s, n) return (unpack_from('<d', s.log, #s.log - 8 * n + 1)) end

  local function step_back(s, by)
    local times = {}
    for at = 1, #s.log, 8 do times[#times + 1] = pack('<d', max(0, (unpack_from('<d', s.log, at)) - by)) end
    s.log = table.concat(times)
  end

  local function inside_at(s, p, now)
    local low, high = 0, #s.log / 8
    if high == 0 then return 0 end
    local ahead = nth(s, 1) - now
    if ahead > 0 then step_back(s, ahead) end
    while low < high do
      local middle = floor((low + high + 1) / 2)
      if nth(s, middle) + p[2] > now then low = middle else high = middle - 1 end
    end
    return low
  end

  kernels['sliding-log'] = {
    read = function(raw)
      return { log = raw and #raw % 8 == 0 and raw or '' }
    end,
    write = function(s) return s.log end,

    take = function(s, p, now, cost, times, _, look)
      local limit, window = p[1], p[2]
      local inside = inside_at(s, p, now)
      local granted = cost > limit and 0 or fitting(limit - inside, cost, times)
      local retry = 0
      if granted ~= times then
        if cost > limit then retry = NEVER
        else
          local n = limit - cost + 1 - granted * cost
          retry = (n > 0 and nth(s, n) - now or 0) + window
        end
      end
      local taken = granted * cost
      if not look and taken > 0 then
        s.log = string.sub(s.log .. string.rep(pack('<d', now), taken), -8 * limit)
        inside = inside + taken
      end
      return granted, limit - inside, retry, inside == 0 and 0 or nth(s, 1) + window - now
    end,

    refund = function(s, p, now, cost)
      local back = min(cost, inside_at(s, p, now))
      s.log = string.sub(s.log, 1, #s.log - 8 * back)
    end,
  }
end
