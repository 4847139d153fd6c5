#!lua
-- Rate limiting in Redis: what each script begins with. A script is this, the kernels it needs, and what it does:
-- take.lua or decide.lua.
--
-- A kernel is the arithmetic of one algorithm, the same as in the TypeScript file of its name, in the same doubles, on the state as it is in
-- its key: a string, or false if there is none.
--   take(raw, now, p1, p2, p3, cost, times, holder, look)
--                                      granted, remaining, retry, reset, the new string or nil if it is as it was; takes nothing if `look`
--   refund, release, renew(raw, now, p1, p2, p3, cost, holder)
--                                      the new string, and whether it was done
-- p1 to p3: the algorithm's parameters; times in µs; never is NEVER. Nothing that runs for every take makes a table.
--
-- The first line has no flag: so Redis lets it run only where it could write, never on a replica, and not at all rather than by
-- half when memory is full.
local kernels = {}
local floor, ceil, max, min, fmod = math.floor, math.ceil, math.max, math.min, math.fmod
local pack, unpack_from = struct.pack, struct.unpack
local NEVER = -1

-- Keeps the new string of a key until the moment at which the key is as if it had never been used.
local function keep(key, raw, text, now, reset)
  if reset > 0 then
    -- A number would be passed on with 17 digits, which takes as long as all else.
    redis.call('SET', key, text, 'PXAT', string.format('%d', ceil((now + reset) / 1000)))
  elseif raw then
    redis.call('DEL', key)
  end
end

local function fitting(room, cost, times)
  if cost == 0 or cost * times <= room then return times end
  return max(0, floor(room / cost))
end
