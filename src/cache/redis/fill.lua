-- Keeps a value: with a token only if the lease is still its own, which it is not once the key was set or deleted; without one in any case.
-- KEYS: the key. ARGV: the token or an empty string, ms that it is fresh (0: it is not kept), ms it took to load, text.
-- Returns 1 if it was done, 2 if memory is full: then nothing is known of the key, as if the value had been evicted at once.
-- No first line with flags: it would run not at all, or above the limit. Without one, a write that there is no room for fails by itself, as long as
-- nothing was written before it.
local key = KEYS[1]
if ARGV[1] ~= '' and redis.call('HGET', key, 'token') ~= ARGV[1] then return 0 end
if ARGV[2] == '0' then
  redis.call('DEL', key)
  return 1
end
local time = redis.call('TIME')
local ends = string.format('%d', time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[2])
local function keep(call) return call('HSET', key, 'end', ends, 'took', ARGV[3], 'text', ARGV[4]) end
local kept = keep(redis.pcall)
if type(kept) == 'table' then
  redis.call('DEL', key)
  if string.find(kept.err, '^OOM') then return 2 end
  -- Something else had the name of the key.
  keep(redis.call)
end
redis.call('HDEL', key, 'token', 'lease')
redis.call('PEXPIRE', key, ARGV[2])
return 1
