-- Grants claims, or keeps their places among those who wait, one after the other; as text that other scripts include.
-- Given: `released`, how many keys and arguments come before; `told`, how many arguments there are up to the last of these; `answers`; `now`, nil if
-- the clock was not read.
--
-- A key that nobody has is granted without a look at what makes up the rest: that is what is asked most.
local count = #KEYS - 1 - released
local common = told - count
local ttl, holder, channel, share, of = ARGV[released + 1] + 0, ARGV[released + 2], nil, 2147483647, 2147483647
if common > released + 2 and ARGV[released + 3] ~= 'none' then channel = ARGV[released + 3] end
if common > released + 3 then share, of = ARGV[released + 4] + 0, ARGV[released + 5] + 0 end
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000000 + time[2]
end
-- As text: a number would be made one for each claim.
local px, token = string.format('%d', math.ceil(ttl / 1000) + 1), nil
for i = 1, count do
  local key, id = KEYS[released + i], ARGV[common + i]
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
      local last = tonumber(redis.call('SET', KEYS[#KEYS], string.format('%d', now + count - 1), 'GET') or 0)
      if last >= now then
        token = last + 1
        redis.call('SET', KEYS[#KEYS], string.format('%d', last + count))
      end
      -- Clients read numbers digit by digit, and the last few before 2^53 wrong.
      if token + count > 9007199254740929 then
        return redis.error_reply('ERR the last token is near 2^53 and cannot grow: the clock of the server is, or was, wrong')
      end
    end
    answer = token
    local ends = now + ttl
    if raw then
      held = held .. struct.pack('<c32dI4dI2c0', id, ends, share, token, #holder, holder)
      redis.call('SET', key, struct.pack('<I4', #held) .. held .. queue, 'KEEPTTL')
      redis.call('PEXPIRE', key, px, 'GT')
    else
      -- In one piece, which is a tenth less for a claim among others; 54 bytes are an entry without the name.
      local state = struct.pack('<I4c32dI4dI2c0', 54 + #holder, id, ends, share, token, #holder, holder)
      redis.call('SET', key, state, 'PX', px)
    end
    redis.call('PUBLISH', key, '')
  end
  answers[released + i] = answer
end
