-- What a key holds, as text that other scripts include. The arithmetic is that of table.ts.
--
-- A string: the length of its holders' entries (4 bytes), these entries, then the entries of those who wait, in their order. An entry is
--   id (32 bytes), end in µs (double), share (4 bytes), token (double), length of the name (2 bytes), name
-- and of one who waits it has the whole in the place of the token, and in that of the name the channel by which it is told. Ids are random: an
-- entry is where its id is, so one among a thousand is found by one search of the string. The key ends when the longest
-- ttl that was asked of it does, so nothing has to be cleared away.
local find, sub, pack, unpack = string.find, string.sub, struct.pack, struct.unpack
local ENTRY, FIRST, END_AT, TOKEN_AT, LENGTH_AT, NAME_AT = '<c32dI4dI2c0', 5, 32, 44, 52, 54

local function after(raw, at)
  return at + NAME_AT + unpack('<I2', raw, at + LENGTH_AT)
end

local function is_over(raw, at, now)
  return unpack('<d', raw, at + END_AT) <= now
end

-- Those entries in a part of the string that are not over.
local function living(raw, at, to, now)
  local kept = {}
  while at < to do
    local next = after(raw, at)
    if not is_over(raw, at, now) then kept[#kept + 1] = sub(raw, at, next - 1) end
    at = next
  end
  return table.concat(kept)
end

-- What is taken together, and the soonest end.
local function taken_by(held)
  local at, taken, soonest = 1, 0, math.huge
  while at <= #held do
    local ends, share = unpack('<dI4', held, at + END_AT)
    at, taken, soonest = after(held, at), taken + share, math.min(soonest, ends)
  end
  return taken, soonest
end

-- Where the first entry is that is not over, from there on.
local function first_living(raw, at, now)
  while at <= #raw and is_over(raw, at, now) do at = after(raw, at) end
  return at
end

local function put(key, held, queue)
  redis.call('SET', key, pack('<I4', #held) .. held .. queue, 'KEEPTTL')
end

-- The key lasts as long as this at least; a millisecond more for what is cut off.
local function lasts(key, ttl)
  redis.call('PEXPIRE', key, math.ceil(ttl / 1000) + 1, 'GT')
end

-- Begins the time of an entry anew.
local function extend(key, at, now, ttl)
  redis.call('SETRANGE', key, at + END_AT - 1, pack('<d', now + ttl))
  lasts(key, ttl)
end

-- Tells the first who waits, if there is room for it.
local function tell_next(queue, taken)
  if queue == '' then return end
  local id, _, share, of, channel = unpack(ENTRY, queue)
  if channel ~= '' and taken + share <= of then redis.call('PUBLISH', channel, id) end
end
