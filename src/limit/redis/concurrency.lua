-- concurrency.ts. State: for each slot that was ever used, when its lease ends and its holder. Parameters: limit, lease.
do
  local function read(raw)
    local s = {}
    if raw and #raw % 16 == 0 then
      for at = 1, #raw, 16 do s[#s + 1], s[#s + 2] = unpack_from('<dd', raw, at) end
    end
    return s
  end

  local function write(s)
    local slots = {}
    for slot = 1, #s, 2 do slots[#slots + 1] = pack('<dd', s[slot], s[slot + 1]) end
    return table.concat(slots)
  end

  -- How many hold, their ends, and the latest of them.
  local function held_at(s, now, lease)
    local longest, latest, ends = now + lease, now, {}
    for slot = 1, #s, 2 do
      if s[slot] > now then
        if s[slot] > longest then s[slot] = longest end
        latest = max(latest, s[slot])
        ends[#ends + 1] = s[slot]
      end
    end
    return #ends, ends, latest
  end

  local function set_end(raw, now, holder, to)
    local s, found = read(raw), false
    for slot = 1, #s, 2 do
      if s[slot + 1] == holder and s[slot] > now then
        s[slot], found = to, true
      end
    end
    return write(s), found
  end

  kernels['concurrency'] = {
    take = function(raw, now, limit, lease, _, cost, times, holder, look)
      local s = read(raw)
      local held, ends, latest = held_at(s, now, lease)
      local granted = cost > limit and 0 or fitting(limit - held, cost, times)
      local retry, reset = 0, latest - now
      if granted ~= times then
        if cost > limit then retry = NEVER
        else
          local missing = cost - (limit - held - granted * cost)
          table.sort(ends)
          retry = missing <= held and ends[missing] - now or lease
        end
      end
      local taken = granted * cost
      if look or taken == 0 then return granted, max(0, limit - held), retry, reset, write(s) end
      local given, slot = 0, 1
      while given < taken do
        if slot > #s or s[slot] <= now then
          s[slot], s[slot + 1] = now + lease, holder + floor(given / cost)
          given = given + 1
        end
        slot = slot + 2
      end
      return granted, max(0, limit - held - taken), retry, lease, write(s)
    end,

    release = function(raw, now, _, _, _, _, holder) return set_end(raw, now, holder, 0) end,
    renew = function(raw, now, _, lease, _, _, holder) return set_end(raw, now, holder, now + lease) end,
  }
end
