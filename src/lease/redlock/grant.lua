#!lua
-- Grants a lease on this node if nobody else has it and the ballot is higher than every one before.
-- KEYS: the key, the last ballot. ARGV: id, ballot, ttl in ms, holder.
-- Returns 'granted'; 'taken'; or the last ballot, if the one given is not higher.
local raw, last = redis.call('GET', KEYS[1]), tonumber(redis.call('GET', KEYS[2]) or 0)
local mine = ARGV[1] .. ':' .. ARGV[2] .. ':' .. ARGV[4]
if raw and string.sub(raw, 1, 32) ~= ARGV[1] then return 'taken' end
if raw ~= mine then
  if last >= tonumber(ARGV[2]) then return last end
  redis.call('SET', KEYS[2], ARGV[2])
end
redis.call('SET', KEYS[1], mine, 'PX', ARGV[3])
return 'granted'
