#!lua flags=no-writes
-- Who holds.
-- KEYS: the key. Returns of each holder, those first who have held it longest: name, token, share.
local raw = redis.call('GET', KEYS[1])
if not raw then return {} end
-- include entries.lua
local time = redis.call('TIME')
local held = living(raw, FIRST, FIRST + unpack('<I4', raw), time[1] * 1000000 + time[2])
local at, answer = 1, {}
while at <= #held do
  local _, _, share, token, holder, next = unpack(ENTRY, held, at)
  answer[#answer + 1], answer[#answer + 2], answer[#answer + 3] = holder, token, share
  at = next
end
return answer
