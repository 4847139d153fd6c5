-- The members of parts of the two sets (KEYS), each with its score.
-- ARGV: the most that may be found, then parts: 'circle' set lon lat metres, or 'range' set first last.
-- Returns two lists (member, score, …), one a set, or nil if more was found.

local max = tonumber(ARGV[1])
local found = { {}, {} }
local count = 0
local at = 2
while at <= #ARGV do
  local set = tonumber(ARGV[at + 1])
  local into = found[set]
  if ARGV[at] == 'circle' then
    local some = redis.call('GEOSEARCH', KEYS[set], 'FROMLONLAT', ARGV[at + 2], ARGV[at + 3],
      'BYRADIUS', ARGV[at + 4], 'm', 'COUNT', max + 1, 'ANY', 'WITHHASH')
    for i = 1, #some do
      into[#into + 1] = some[i][1]
      into[#into + 1] = some[i][2]
    end
    count = count + #some
    at = at + 5
  else
    local some = redis.call('ZRANGEBYSCORE', KEYS[set], ARGV[at + 2], ARGV[at + 3],
      'WITHSCORES', 'LIMIT', 0, max + 1 - count)
    for i = 1, #some, 2 do
      into[#into + 1] = some[i]
      into[#into + 1] = tonumber(some[i + 1])
    end
    count = count + #some / 2
    at = at + 4
  end
  if count > max then return nil end
end
return found
