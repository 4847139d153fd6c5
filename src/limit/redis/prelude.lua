#!lua
-- Rate limiting in Redis: what each script begins with. A script is this, the kernels it needs, and decide.lua.
--
-- A kernel is the arithmetic of one algorithm, the same as in the TypeScript file of its name, in the same doubles:
--   read(raw)                          the state in a key's string; of a key that is not there if raw is false
--   write(state)                       the string
--   take(state, p, now, cost, times, holder, look)
--                                      granted, remaining, retry, reset; takes nothing if `look`
--   refund, release, renew(state, p, now, cost, holder)
-- p: the algorithm's parameters; times in µs; never is NEVER.
--
-- The first line has no flag: so Redis lets it run only where it could write, never on a replica, and not at all rather than by
-- half when memory is full.
local kernels = {}
local floor, ceil, max, min, fmod = math.floor, math.ceil, math.max, math.min, math.fmod
local pack, unpack_from = struct.pack, struct.unpack
local NEVER = -1

local function fitting(room, cost, times)
  if cost == 0 or cost * times <= room then return times end
  return max(0, floor(room / cost))
end
