#!lua flags=allow-oom
-- Takes back what a claim holds, or its place.
-- KEYS: the key. ARGV: id. Returns whether there was something: 1 or 0.
local raw = redis.call('GET', KEYS[1])
if not raw then return 0 end
-- One that holds alone, and nobody waits: what is asked most.
if string.sub(raw, 5, 36) == ARGV[1] and struct.unpack('<I2', raw, 57) == #raw - 58 then
  redis.call('DEL', KEYS[1])
  redis.call('PUBLISH', KEYS[1], '')
  return 1
end
-- include entries.lua
local at = find(raw, ARGV[1], 1, true)
if not at then return 0 end
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local places = FIRST + unpack('<I4', raw)
local held = at < places
local rest = sub(raw, 1, at - 1) .. sub(raw, after(raw, at))
if held then places = places - (#raw - #rest) end
local holders = living(rest, FIRST, places, now)
local queue = sub(rest, first_living(rest, places, now))
if holders == '' and queue == '' then redis.call('DEL', KEYS[1]) else put(KEYS[1], holders, queue) end
tell_next(queue, (taken_by(holders)))
if held then redis.call('PUBLISH', KEYS[1], '') end
return 1
