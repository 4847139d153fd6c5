-- fixed-window.ts. State: when the window began, how much was taken in it. Parameters: limit, window.
do
  -- What is taken, when the window began, and the new string if the clock stepped back.
  local function taken_at(raw, now, window)
    local start = now - fmod(now, window)
    if not raw or #raw ~= 16 then return 0, start end
    local began, taken = unpack_from('<dd', raw)
    if began < start then return 0, start end
    if began > start then return taken, start, pack('<dd', start, taken) end
    return taken, start
  end

  kernels['fixed-window'] = {
    take = function(raw, now, limit, window, _, cost, times, _, look)
      local taken, start, text = taken_at(raw, now, window)
      local left = window - (now - start)
      local granted = cost > limit and 0 or fitting(limit - taken, cost, times)
      local retry = 0
      if granted ~= times then retry = cost > limit and NEVER or left end
      if not look and granted > 0 and cost > 0 then
        taken = taken + granted * cost
        text = pack('<dd', start, taken)
      end
      return granted, max(0, limit - taken), retry, taken == 0 and 0 or left, text
    end,

    refund = function(raw, now, _, window, _, cost)
      local taken, start, text = taken_at(raw, now, window)
      if taken > 0 then text = pack('<dd', start, max(0, taken - cost)) end
      return text
    end,
  }
end
