#!lua
-- Grants claims, or keeps their places among those who wait, one after the other.
-- KEYS: the key of each, then the last token.
-- ARGV: what is common to them: ttl in µs, holder; the channel by which to tell who queues, or 'none' if they do not, which may be left out as
-- what follows may; share and whole, unless they want all. Then the id of each.
-- Returns of each the token; or minus the µs after which to ask again; or nil if nothing but a release can change the answer.
--
-- A key that nobody has is granted without a look at what makes up the rest: that is what is asked most.
local count = #KEYS - 1
local common = #ARGV - count
local ttl, holder, channel, share, of = ARGV[1] + 0, ARGV[2], nil, 2147483647, 2147483647
if common > 2 and ARGV[3] ~= 'none' then channel = ARGV[3] end
if common > 3 then share, of = ARGV[4] + 0, ARGV[5] + 0 end
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
-- As text: a number would be made one for each claim.
local px, token, answers = string.format('%d', math.ceil(ttl / 1000) + 1), nil, {}
for i = 1, count do
  local key, id = KEYS[i], ARGV[common + i]
  local raw = redis.call('GET', key)
  local held, queue, answer = '', '', nil
  if raw then
    -- include entries.lua
    local places = FIRST + unpack('<I4', raw)
    local at = find(raw, id, 1, true)
    if at and is_over(raw, at, now) then at = nil end
    if at and at < places then
      extend(key, at, now, ttl)
      answer = unpack('<d', raw, at + TOKEN_AT)
    else
      held = living(raw, FIRST, places, now)
      local first = first_living(raw, places, now)
      local taken, soonest = taken_by(held)
      local is_first = first > #raw or first == at
      if not is_first or taken + share > of then
        local again = is_first and soonest - now or math.huge
        if channel then
          again = math.min(again, ttl / 3)
          if at then
            extend(key, at, now, ttl)
          else
            local place = pack('<c32dI4dI2', id, now + ttl, share, of, #channel) .. channel
            put(key, held, living(raw, first, #raw + 1, now) .. place)
            lasts(key, ttl)
          end
        end
        answer = again < math.huge and -math.ceil(again)
      else
        if at then queue = sub(raw, first_living(raw, after(raw, at), now)) end
        tell_next(queue, taken + share)
      end
    end
  end
  if answer == nil then
    if token then
      token = token + 1
    else
      -- As many at once as may be granted here.
      token = now
      local last = tonumber(redis.call('SET', KEYS[count + 1], string.format('%d', now + count - 1), 'GET') or 0)
      if last >= now then
        token = last + 1
        redis.call('SET', KEYS[count + 1], string.format('%d', last + count))
      end
      -- Clients read numbers digit by digit, and the last few before 2^53 wrong.
      if token + count > 9007199254740929 then
        return redis.error_reply('ERR the last token is near 2^53 and cannot grow: the clock of the server is, or was, wrong')
      end
    end
    answer = token
    held = held .. struct.pack('<c32dI4dI2', id, now + ttl, share, token, #holder) .. holder
    local state = struct.pack('<I4', #held) .. held .. queue
    if raw then
      redis.call('SET', key, state, 'KEEPTTL')
      redis.call('PEXPIRE', key, px, 'GT')
    else
      redis.call('SET', key, state, 'PX', px)
    end
    redis.call('PUBLISH', key, '')
  end
  answers[i] = answer
end
return answers
