-- sliding-log.ts. State: the times of the newest takes, at most `limit`, oldest first, 8 bytes each. Parameters: limit, window.
-- It is read where it is needed and never taken apart: of 10,000 times, a take looks at 14.
do
  local function nth(log, n) return (unpack_from('<d', log, #log - 8 * n + 1)) end

  local function step_back(log, by)
    local times = {}
    for at = 1, #log, 8 do times[#times + 1] = pack('<d', max(0, (unpack_from('<d', log, at)) - by)) end
    return table.concat(times)
  end

  -- How many are inside the window, and the log as of now.
  local function inside_at(raw, now, window)
    local log = raw and #raw % 8 == 0 and raw or ''
    local low, high = 0, #log / 8
    if high == 0 then return 0, log end
    local ahead = nth(log, 1) - now
    if ahead > 0 then log = step_back(log, ahead) end
    while low < high do
      local middle = floor((low + high + 1) / 2)
      if nth(log, middle) + window > now then low = middle else high = middle - 1 end
    end
    return low, log
  end

  kernels['sliding-log'] = {
    take = function(raw, now, limit, window, _, cost, times, _, look)
      local inside, log = inside_at(raw, now, window)
      local granted = cost > limit and 0 or fitting(limit - inside, cost, times)
      local retry = 0
      if granted ~= times then
        if cost > limit then retry = NEVER
        else
          local n = limit - cost + 1 - granted * cost
          retry = (n > 0 and nth(log, n) - now or 0) + window
        end
      end
      local taken = granted * cost
      if not look and taken > 0 then
        log = string.sub(log .. string.rep(pack('<d', now), taken), -8 * limit)
        inside = inside + taken
      end
      return granted, limit - inside, retry, inside == 0 and 0 or nth(log, 1) + window - now, log
    end,

    refund = function(raw, now, _, window, _, cost)
      local inside, log = inside_at(raw, now, window)
      return string.sub(log, 1, #log - 8 * min(cost, inside))
    end,
  }
end
