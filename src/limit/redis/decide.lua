-- Answers questions in their order, all at one moment of the server's clock.
-- KEYS: of each part of each question, in their order; one may come again.
-- ARGV: runs of questions that differ in nothing but their keys. A run is: verb, how many questions, how many parts each, and for each
-- part kind, three parameters, cost, times, holder.
-- Returns integers: for each part granted, remaining, retry, reset.
-- All keys are read at once; one that changes is written with the moment at which it is as if it had never been used as its end.
local kernels = {}
--@ kernels
-- A key of another type reads as one that is not there. Lua passes on some 8,000 values at a time, no more.
local states = {}
for from = 1, #KEYS, 4096 do
  local raws = redis.call('MGET', unpack(KEYS, from, min(from + 4095, #KEYS)))
  for i = 1, #raws do states[KEYS[from + i - 1]] = raws[i] end
end
local reply, said, place, arg = {}, 0, 0, 1

local function answer(granted, remaining, retry, reset)
  reply[said + 1], reply[said + 2], reply[said + 3], reply[said + 4] = granted, remaining, retry, reset
  said = said + 4
end

local function write(key, raw, text, reset, whole)
  --@ keep
  states[key] = NO_END .. text
end

local function take(key, part, look)
  local raw = states[key]
  local granted, remaining, retry, reset, text, whole =
    part.take(raw, part.p1, part.p2, part.p3, part.cost, part.times, part.holder, look)
  if text then write(key, raw, text, reset, whole) end
  answer(granted, remaining, retry, reset)
end

local function change(key, part, verb)
  local raw = states[key]
  if verb == 'reset' then
    if raw then write(key, raw, '', 0) end
    return answer(0, 0, 0, 0)
  end
  local text, done = part.kernel[verb](raw, part.p1, part.p2, part.p3, part.cost, part.holder)
  if text then
    local _, _, _, reset, _, whole = part.take(NO_END .. text, part.p1, part.p2, part.p3, 0, 1, 0, true)
    write(key, raw, text, reset, whole)
  end
  answer(done and 1 or 0, 0, 0, 0)
end

-- Whether there is room for all of them.
local function fits(parts)
  for i, part in ipairs(parts) do
    local granted = part.take(states[KEYS[place + i]], part.p1, part.p2, part.p3, part.cost, part.times, part.holder, true)
    if granted < part.times then return false end
  end
  return true
end

local function read_parts(count)
  local parts = {}
  for i = 1, count do
    local kernel = kernels[ARGV[arg]]
    parts[i] = {
      kernel = kernel,
      take = kernel.take,
      p1 = ARGV[arg + 1] + 0,
      p2 = ARGV[arg + 2] + 0,
      p3 = ARGV[arg + 3] + 0,
      cost = ARGV[arg + 4] + 0,
      times = ARGV[arg + 5] + 0,
      holder = ARGV[arg + 6] + 0,
    }
    arg = arg + 7
  end
  return parts
end

while place < #KEYS do
  local verb, questions, count = ARGV[arg], ARGV[arg + 1] + 0, ARGV[arg + 2] + 0
  arg = arg + 3
  local parts = read_parts(count)
  for _ = 1, questions do
    -- One part: as many as there is room for. Several: all or none.
    local look = verb == 'peek' or (verb == 'take' and count > 1 and not fits(parts))
    for i = 1, count do
      if verb == 'take' or verb == 'peek' then
        take(KEYS[place + i], parts[i], look)
      else
        change(KEYS[place + i], parts[i], verb)
      end
    end
    place = place + count
  end
end
return reply
