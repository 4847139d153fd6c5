-- Takes back what claims hold, or their places, one after the other; as text that other scripts include.
-- Given: `released`, how many there are, which come first in KEYS and ARGV; `answers`; `now`, nil if the clock was not read.
for i = 1, released do
  local key, id = KEYS[i], ARGV[i]
  local raw = redis.call('GET', key)
  answers[i] = 0
  -- One that holds alone, and nobody waits: what is asked most.
  if raw and string.sub(raw, 5, 36) == id and struct.unpack('<I2', raw, 57) == #raw - 58 then
    redis.call('DEL', key)
    redis.call('PUBLISH', key, '')
    answers[i] = 1
  elseif raw then
    -- include entries.lua
    local at = find(raw, id, 1, true)
    if at then
      if not now then
        local time = redis.call('TIME')
        now = time[1] * 1000000 + time[2]
      end
      local places = FIRST + unpack('<I4', raw)
      local held = at < places
      local rest = sub(raw, 1, at - 1) .. sub(raw, after(raw, at))
      if held then places = places - (#raw - #rest) end
      local holders = living(rest, FIRST, places, now)
      local queue = sub(rest, first_living(rest, places, now))
      if holders == '' and queue == '' then redis.call('DEL', key) else put(key, holders, queue) end
      tell_next(queue, (taken_by(holders)))
      if held then redis.call('PUBLISH', key, '') end
      answers[i] = 1
    end
  end
end
