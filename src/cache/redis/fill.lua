#!lua
-- Keeps a value: with a token only if the lease is still its own, which it is not once the key was set or deleted; without one in any case.
-- KEYS: the key. ARGV: the token or an empty string, ms that it is fresh (0: it is not kept), ms it took to load, text.
-- Returns 1 if it was done.
if ARGV[1] ~= '' and redis.call('HGET', KEYS[1], 'token') ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[1])
if ARGV[2] ~= '0' then
  local time = redis.call('TIME')
  local ends = time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[2]
  redis.call('HSET', KEYS[1], 'end', string.format('%d', ends), 'took', ARGV[3], 'text', ARGV[4])
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
return 1
