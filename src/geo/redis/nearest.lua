-- The nearest: circles of twice the radius each, until one holds enough; then all as near as the k-th.
-- ARGV: the most that may be found, k, the first and the largest radius in metres, stretch and margin (what is within stretch times the k-th
-- distance, and a margin, is found as well); then for each set (KEYS) longitude, latitude, and the radius from which on it can have something.
-- Returns as read.lua does, or 0 if the largest circle holds fewer than k.

local max = tonumber(ARGV[1])
local k = tonumber(ARGV[2])
local radius = tonumber(ARGV[3])
local most = tonumber(ARGV[4])

local function search(set, metres, ...)
  local at = 4 + set * 3
  if metres < tonumber(ARGV[at + 2]) then return {} end
  return redis.call('GEOSEARCH', KEYS[set], 'FROMLONLAT', ARGV[at], ARGV[at + 1],
    'BYRADIUS', string.format('%.17g', metres), 'm', ...)
end

while true do
  radius = math.min(radius, most)
  local seen = {}
  for set = 1, 2 do
    local some = search(set, radius, 'ASC', 'COUNT', k, 'WITHDIST')
    for i = 1, #some do seen[#seen + 1] = tonumber(some[i][2]) end
  end
  if #seen >= k then
    table.sort(seen)
    radius = seen[k] * tonumber(ARGV[5]) + tonumber(ARGV[6])
    break
  end
  if radius >= most then return 0 end
  radius = radius * 2
end

local found = { {}, {} }
local count = 0
for set = 1, 2 do
  local into = found[set]
  local some = search(set, radius, 'COUNT', max + 1, 'ANY', 'WITHHASH')
  count = count + #some
  if count > max then return nil end
  for i = 1, #some do
    into[#into + 1] = some[i][1]
    into[#into + 1] = some[i][2]
  end
end
return found
