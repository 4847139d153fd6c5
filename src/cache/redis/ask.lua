#!lua flags=allow-oom
-- What is known of a key; if that is nothing, or too little is left of it, whether to load it is the turn of who asks.
-- KEYS: the key. ARGV: a token, how long a lease lasts in ms, how much must be left of the value in ms.
-- It runs also when memory is full: what is known is read then as ever, and a lease is small, has an end, and keeps a herd away.
-- Returns {1, ms left, ms it took to load, text}, or {2} with the lease, or {3, ms that another's lease lasts}.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local known = redis.pcall('HMGET', KEYS[1], 'end', 'took', 'token', 'lease')
if known.err then
  if redis.call('TYPE', KEYS[1]).ok == 'hash' then return known end
  -- Something else has the name of the key. One key that cannot be read would have all others thought so.
  redis.call('DEL', KEYS[1])
  known = {}
end
local ends, took, token, lease = known[1], known[2], known[3], known[4]
if ends and ends - now > tonumber(ARGV[3]) then
  return {1, ends - now, tonumber(took), redis.call('HGET', KEYS[1], 'text')}
end
if token and lease - now > 0 then return {3, lease - now} end
redis.call('HSET', KEYS[1], 'token', ARGV[1], 'lease', string.format('%d', now + ARGV[2]))
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[2]) then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return {2}
