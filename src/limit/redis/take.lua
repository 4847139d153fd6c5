-- Answers one take of one key, which is what somebody asks who is alone: as decide.lua would, without what only many need.
-- KEYS: the key. ARGV: three parameters, cost, times, holder. The kernel is the only one.
-- Returns integers: granted, remaining, retry, reset.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local raw = redis.pcall('GET', KEYS[1])
-- A key of another type reads as one that is not there. Any other error is one: who may not read has no quota of its own.
if type(raw) == 'table' then
  if string.sub(raw.err, 1, 9) ~= 'WRONGTYPE' then return raw end
  raw = false
end
local _, kernel = next(kernels)
local granted, remaining, retry, reset, text = kernel.take(raw, now, tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]),
  tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6]), false)
if text and text ~= raw then keep(KEYS[1], raw, text, now, reset) end
return { granted, remaining, retry, reset }
