#!lua flags=allow-oom
-- Begins the time of a claim that holds anew.
-- KEYS: the key. ARGV: id, ttl in µs. Returns whether it holds: 1 or 0.
local raw = redis.call('GET', KEYS[1])
if not raw then return 0 end
-- include entries.lua
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local at = find(raw, ARGV[1], 1, true)
if not at or at >= FIRST + unpack('<I4', raw) or is_over(raw, at, now) then return 0 end
extend(KEYS[1], at, now, tonumber(ARGV[2]))
return 1
