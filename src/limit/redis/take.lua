-- Answers takes of different keys by one limit, which is most of what is asked, and of one key by who is alone: as decide.lua would,
-- without what only other questions need.
-- KEYS: no two the same. ARGV: three parameters; and cost, times, holder, unless they are 1, 1 and 0.
-- Returns integers: for each key granted, remaining, retry, reset.
-- By arithmetic, for a call of tonumber would cost more than what it does.
local p1, p2, p3 = ARGV[1] + 0, ARGV[2] + 0, ARGV[3] + 0
local cost, times, holder, look = 1, 1, 0, false
if ARGV[4] then cost, times, holder = ARGV[4] + 0, ARGV[5] + 0, ARGV[6] + 0 end
-- A key of another type reads as one that is not there: so MGET has it, which of one key takes twice as long as GET.
local raws
if not KEYS[2] then
  local raw = redis.pcall('GET', KEYS[1])
  raws = not (raw and raw.err) and { raw }
end
if not raws then raws = redis.call('MGET', unpack(KEYS)) end
local reply = { 0, 0, 0, 0 }
for i = 1, #KEYS do
  local key, raw = KEYS[i], raws[i]
  --@ take
  --@ keep
  local at = 4 * i
  reply[at - 3], reply[at - 2], reply[at - 1], reply[at] = granted, remaining, retry, reset
end
return reply
