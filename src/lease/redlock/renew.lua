#!lua
-- Begins the time of a lease anew. If the key is free and there has been no higher ballot, this node lost it or never had it, and has it from now on;
-- that is for the next time, and counts for nothing now.
-- KEYS: the key, the last ballot. ARGV: id, ballot, ttl in ms, holder.
-- Returns 'held', 'restored' or 'gone'.
local raw, last = redis.call('GET', KEYS[1]), tonumber(redis.call('GET', KEYS[2]) or 0)
local mine = ARGV[1] .. ':' .. ARGV[2] .. ':' .. ARGV[4]
if raw == mine then
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
  return 'held'
end
if raw or last > tonumber(ARGV[2]) then return 'gone' end
redis.call('SET', KEYS[2], ARGV[2])
redis.call('SET', KEYS[1], mine, 'PX', ARGV[3])
return 'restored'
