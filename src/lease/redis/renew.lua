#!lua flags=allow-oom
-- Begins the time of claims that hold anew.
-- KEYS: the key of each. ARGV: ttl in µs, then the id of each. Returns of each whether it holds: 1 or 0.
-- include entries.lua
local time = redis.call('TIME')
local ttl, now, answers = ARGV[1] + 0, time[1] * 1000000 + time[2], {}
for i = 1, #KEYS do
  local key, id = KEYS[i], ARGV[i + 1]
  local raw = redis.call('GET', key)
  local at = raw and find(raw, id, 1, true)
  if at and at < FIRST + unpack('<I4', raw) and not is_over(raw, at, now) then
    extend(key, at, now, ttl)
    answers[i] = 1
  else
    answers[i] = 0
  end
end
return answers
