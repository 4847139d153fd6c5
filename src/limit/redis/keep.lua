-- Keeps the new string of a key until the moment at which the key is as if it had never been used.
if text and text ~= raw then
  if reset > 0 then
    -- A number would be passed on with 17 digits, which takes as long as all else; of many keys at once, most end in the same moments.
    local ms = ceil((now + reset) / 1000)
    if ms ~= end_ms then end_ms, end_text = ms, string.format('%d', ms) end
    redis.call('SET', key, text, 'PXAT', end_text)
  elseif raw then
    redis.call('DEL', key)
  end
end
