-- sliding-window.ts. State: when the window began, taken in it, taken in the one before. Parameters: limit, window, step.
do
  -- Taken in this window and in the one before, when this began, and the new string if the clock stepped back.
  local function counts_at(raw, now, window)
    local start = now - fmod(now, window)
    if not raw or #raw ~= 24 then return 0, 0, start end
    local began, current, previous = unpack_from('<ddd', raw)
    if began > start then return current, previous, start, pack('<ddd', start, current, previous) end
    if began == start then return current, previous, start end
    if began >= start - window then return 0, current, start end
    return 0, 0, start
  end

  kernels['sliding-window'] = {
    take = function(raw, now, limit, window, step, cost, times, _, look)
      local steps = window / step
      local current, previous, start, text = counts_at(raw, now, window)
      -- What of the window before still counts, in steps.
      local overlap = steps - floor((now - start) / step)
      local room = (limit - current) * steps - previous * overlap
      local granted = cost > limit and 0 or fitting(room, cost * steps, times)
      local retry = 0
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
      local reset = 0
      if current > 0 then reset = left + window elseif previous > 0 then reset = left end
      return granted, max(0, floor(room / steps)), retry, reset, text
    end,

    refund = function(raw, now, _, window, _, cost)
      local current, previous, start = counts_at(raw, now, window)
      local of_current = min(current, cost)
      return pack('<ddd', start, current - of_current, max(0, previous - (cost - of_current)))
    end,
  }
end
