#!lua
-- Grants a claim, or keeps its place among those who wait.
-- KEYS: the key, the last token.
-- ARGV: id, ttl in µs, holder, and unless it wants all: share, whole, and if it queues: the channel by which to tell it.
-- Returns the token; or minus the µs after which to ask again; or nil if nothing but a release can change the answer.
--
-- A key that nobody has is granted without a look at what makes up the rest: that is what is asked most.
local id, ttl, holder, share, of = ARGV[1], tonumber(ARGV[2]), ARGV[3], tonumber(ARGV[4] or 2147483647), tonumber(ARGV[5] or 2147483647)
local raw, time = redis.call('GET', KEYS[1]), redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local held, queue = '', ''
if raw then
  -- include entries.lua
  local channel = ARGV[6]
  local places = FIRST + unpack('<I4', raw)
  local at = find(raw, id, 1, true)
  if at and is_over(raw, at, now) then at = nil end
  if at and at < places then
    extend(KEYS[1], at, now, ttl)
    return unpack('<d', raw, at + TOKEN_AT)
  end
  held = living(raw, FIRST, places, now)
  local first = first_living(raw, places, now)
  local taken, soonest = taken_by(held)
  local is_first = first > #raw or first == at
  if not is_first or taken + share > of then
    local again = is_first and soonest - now or math.huge
    if channel then
      again = math.min(again, ttl / 3)
      if at then
        extend(KEYS[1], at, now, ttl)
      else
        local place = pack('<c32dI4dI2', id, now + ttl, share, of, #channel) .. channel
        put(KEYS[1], held, living(raw, first, #raw + 1, now) .. place)
        lasts(KEYS[1], ttl)
      end
    end
    return again < math.huge and -math.ceil(again)
  end
  if at then queue = sub(raw, first_living(raw, after(raw, at), now)) end
  tell_next(queue, taken + share)
end

local token = now
local last = tonumber(redis.call('SET', KEYS[2], string.format('%d', now), 'GET') or 0)
if last >= now then
  token = last + 1
  redis.call('SET', KEYS[2], string.format('%d', token))
end
-- Clients read numbers digit by digit, and the last few before 2^53 wrong.
if token > 9007199254740928 then
  return redis.error_reply('ERR the last token is near 2^53 and cannot grow: the clock of the server is, or was, wrong')
end
held = held .. struct.pack('<c32dI4dI2', id, now + ttl, share, token, #holder) .. holder
local state, px = struct.pack('<I4', #held) .. held .. queue, math.ceil(ttl / 1000) + 1
if raw then
  redis.call('SET', KEYS[1], state, 'KEEPTTL')
  redis.call('PEXPIRE', KEYS[1], px, 'GT')
else
  redis.call('SET', KEYS[1], state, 'PX', px)
end
redis.call('PUBLISH', KEYS[1], '')
return token
