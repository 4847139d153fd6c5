-- concurrency.ts. State: for each slot that was ever used, when its lease ends and its holder. Parameters: limit, lease.
--@ state
local limit, lease = p1, p2
local whole = lease
local s = {}
if raw and #raw % 16 == 8 then
  for at = 9, #raw, 16 do s[#s + 1], s[#s + 2] = unpack_from('<dd', raw, at) end
end

local function write()
  local slots = {}
  for slot = 1, #s, 2 do slots[#slots + 1] = pack('<dd', s[slot], s[slot + 1]) end
  text = table.concat(slots)
end

local function set_end(to)
  for slot = 1, #s, 2 do
    if s[slot + 1] == holder and s[slot] > now then
      s[slot], done = to, true
    end
  end
  if done then write() end
end
--@ room
-- The ends of those that hold, and the latest of them.
local ends, latest, stepped_back = {}, now, false
for slot = 1, #s, 2 do
  if s[slot] > now then
    if s[slot] > now + lease then s[slot], stepped_back = now + lease, true end
    latest = max(latest, s[slot])
    ends[#ends + 1] = s[slot]
  end
end
local held = #ends
local room, price = limit - held, cost
--@ take
local taken = granted * cost
if granted ~= times then
  if cost > limit then retry = NEVER
  else
    local missing = cost - (room - taken)
    table.sort(ends)
    retry = missing <= held and ends[missing] - now or lease
  end
end
reset = latest - now
if look then taken = 0 end
if taken > 0 then
  local given, slot = 0, 1
  while given < taken do
    if slot > #s or s[slot] <= now then
      s[slot], s[slot + 1] = now + lease, holder + floor(given / cost)
      given = given + 1
    end
    slot = slot + 2
  end
  reset = lease
end
remaining = max(0, room - taken)
if taken > 0 or stepped_back then write() end
--@ release
set_end(0)
--@ renew
set_end(now + lease)
