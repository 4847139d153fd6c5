-- Keeps the new state of a key until the moment at which the key is as if it had never been used, and a little longer.
if text then
  local ms = ceil((now + reset) / 1000)
  local spare = raw and #raw == #text + 8 and unpack_from('<d', raw) - ms
  if reset <= 0 then
    if raw then redis.call('DEL', key) end
  elseif spare and spare >= 0 and spare <= LONGER_MS and spare * 1000 < whole + 1000 then
    redis.call('SETRANGE', key, '8', text)
  else
    ms = ms + min(LONGER_MS, ceil(whole / 1000))
    -- A number would be passed on with 17 digits, which takes as long as all else; of many keys at once, most end in the same moments.
    if ms ~= end_ms then end_ms, end_text = ms, string.format('%d', ms) end
    redis.call('SET', key, pack('<d', ms) .. text, 'PXAT', end_text)
  end
end
