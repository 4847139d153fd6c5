#!lua
-- Rate limiting in Redis: what each script begins with. A script is this, and take.lua or decide.lua with the kernels that it needs
-- (redis-scripts.ts puts them together: a line “--@ name” stands for a piece of a kernel or for a file).
--
-- A kernel is the arithmetic of one algorithm, the same as in the TypeScript file of its name, in the same doubles, on the state as it is in
-- its key. It is no function but statements, so that a take alone makes no closure and no table.
-- What they find: raw (the string of the key: its end in ms, which is keep.lua's, and from the ninth byte on the state; or false if there is
-- none), now (in µs), p1 to p3 (the algorithm's parameters), cost, times, holder, look (takes nothing).
-- The pieces of a kernel, each after those before it, and what they set:
--   state                      what raw says as of now; text, the new state, where that is another; whole, the µs of a window or a lease
--   room                       limit, room and price, by which fit.lua grants
--   take                       remaining, retry, reset in µs, never being NEVER; text if something is taken
--   refund, release, renew     after state alone: text, and whether it was done
--
-- The first line has no flag: so Redis lets it run only where it could write, never on a replica, and not at all rather than by
-- half when memory is full.
local floor, ceil, max, min, fmod = math.floor, math.ceil, math.max, math.min, math.fmod
local pack, unpack_from = struct.pack, struct.unpack
local NEVER = -1
-- The end of who has none yet.
local NO_END = '\0\0\0\0\0\0\0\0'
-- How much longer a key is kept than it says something, at most: as long again as its window, so that of short ones there are no more than twice
-- the keys that there must be. A second end need not be given then to a key that is in use all the time, and to give one is half of what a
-- write costs.
local LONGER_MS = 10000
local end_ms, end_text
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
