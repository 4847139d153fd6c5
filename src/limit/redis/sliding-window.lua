-- sliding-window.ts. State: when the window began, taken in it, taken in the one before. p: limit, window, step.
do
  local function counts_at(s, p, now)
    local start = now - fmod(now, p[2])
    if s[1] >= start then
      if s[1] > start then s[1] = start end
      return s[2], s[3], start
    end
    if s[1] >= start - p[2] then return 0, s[2], start end
    return 0, 0, start
  end

  local function set(s, start, current, previous)
    s[1], s[2], s[3] = start, current, previous
  end

  kernels['sliding-window'] = {
    read = function(raw)
      if not raw or #raw ~= 24 then return { 0, 0, 0 } end
      local began, current, previous = unpack_from('<ddd', raw)
      return { began, current, previous }
    end,
    write = function(s) return pack('<ddd', s[1], s[2], s[3]) end,

    take = function(s, p, now, cost, times, _, look)
      local limit, window, step = p[1], p[2], p[3]
      local steps = window / step
      local current, previous, start = counts_at(s, p, now)
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
        set(s, start, current, previous)
        room = (limit - current) * steps - previous * overlap
      end
      local left = window - (now - start)
      local reset = 0
      if current > 0 then reset = left + window elseif previous > 0 then reset = left end
      return granted, max(0, floor(room / steps)), retry, reset
    end,

    refund = function(s, p, now, cost)
      local current, previous, start = counts_at(s, p, now)
      local of_current = min(current, cost)
      set(s, start, current - of_current, max(0, previous - (cost - of_current)))
    end,
  }
end
