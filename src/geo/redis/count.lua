-- How many members are in ranges of the two sets (KEYS). ARGV: set first last, for each.

local count = 0
for at = 1, #ARGV, 3 do
  count = count + redis.call('ZCOUNT', KEYS[tonumber(ARGV[at])], ARGV[at + 1], ARGV[at + 2])
end
return count
