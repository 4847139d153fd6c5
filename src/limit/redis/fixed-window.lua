-- fixed-window.ts. State: when the window began, how much was taken in it. p: limit, window.
do
  local function taken_at(s, p, now)
    local start = now - fmod(now, p[2])
    if s[1] < start then return 0 end
    if s[1] > start then s[1] = start end
    return s[2]
  end

  kernels['fixed-window'] = {
    read = function(raw)
      if not raw or #raw ~= 16 then return { 0, 0 } end
      local began, taken = unpack_from('<dd', raw)
      return { began, taken }
    end,
    write = function(s) return pack('<dd', s[1], s[2]) end,

    take = function(s, p, now, cost, times, _, look)
      local limit, window = p[1], p[2]
      local taken = taken_at(s, p, now)
      local left = window - fmod(now, window)
      local granted = cost > limit and 0 or fitting(limit - taken, cost, times)
      local retry = 0
      if granted ~= times then retry = cost > limit and NEVER or left end
      if not look and granted > 0 and cost > 0 then
        taken = taken + granted * cost
        s[1], s[2] = now - fmod(now, window), taken
      end
      return granted, max(0, limit - taken), retry, taken == 0 and 0 or left
    end,

    refund = function(s, p, now, cost)
      local taken = taken_at(s, p, now)
      if taken > 0 then s[2] = max(0, taken - cost) end
    end,
  }
end
