-- Puts members where they are now. ARGV: for each the number of its set, longitude, latitude, member.

for at = 1, #ARGV, 4 do
  local which = tonumber(ARGV[at])
  redis.call('GEOADD', KEYS[which], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3])
  redis.call('ZREM', KEYS[3 - which], ARGV[at + 3])
end
