-- Answers questions in their order, all at one moment of the server's clock.
-- ARGV[1]: JSON of { limits, questions }; a limit is { kind, parameters… }, a question { verb, part, part… }, and a part
-- { key, limit, cost, times, holder }, the first two as places in KEYS and limits.
-- Returns integers: the moment, and for each part granted, remaining, retry, reset.
-- A key is read once and written once, and always with the moment at which it is as if it had never been used as its end.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local request = cjson.decode(ARGV[1])
local limits, questions = request[1], request[2]
-- A key of another type reads as one that is not there.
local raws = redis.call('MGET', unpack(KEYS))
local states = {}
local reply = { now }

local function open(part)
  local key, limit = part[1], limits[part[2]]
  local kernel = kernels[limit[1]]
  local state = states[key]
  if not state then
    state = kernel.read(raws[key])
    states[key] = state
  end
  state.kernel, state.p = kernel, limit.p
  return state, kernel
end

local function take(part, look)
  local state, kernel = open(part)
  local granted, remaining, retry, reset = kernel.take(state, state.p, now, part[3], part[4], part[5], look)
  state.reset = reset
  return granted, remaining, retry, reset
end

local function answer(granted, remaining, retry, reset)
  local n = #reply
  reply[n + 1], reply[n + 2], reply[n + 3], reply[n + 4] = granted, remaining, retry, reset
end

-- One part: as many as there is room for. Several: all or none.
local function take_all(question)
  local look = false
  if #question > 2 then
    for i = 2, #question do
      if take(question[i], true) < question[i][4] then look = true end
    end
  end
  for i = 2, #question do answer(take(question[i], look)) end
end

local function change(part, verb)
  local state, kernel = open(part)
  if verb == 'reset' then
    state = kernel.read(false)
    state.kernel, state.p = kernel, limits[part[2]].p
    states[part[1]] = state
    return answer(0, 0, 0, 0)
  end
  state.reset = nil
  answer(kernel[verb](state, state.p, now, part[3], part[5]) and 1 or 0, 0, 0, 0)
end

for _, limit in ipairs(limits) do limit.p = { limit[2], limit[3], limit[4] } end
for _, question in ipairs(questions) do
  local verb = question[1]
  if verb == 'take' then
    take_all(question)
  elseif verb == 'peek' then
    for i = 2, #question do answer(take(question[i], true)) end
  else
    for i = 2, #question do change(question[i], verb) end
  end
end

for key, state in pairs(states) do
  local text = state.kernel.write(state)
  if text ~= raws[key] then
    local reset = state.reset or select(4, state.kernel.take(state, state.p, now, 0, 1, 0, true))
    if reset > 0 then
      -- As a number it is passed on with 17 digits.
      redis.call('SET', KEYS[key], text, 'PXAT', ceil((now + reset) / 1000))
    elseif raws[key] then
      redis.call('DEL', KEYS[key])
    end
  end
end
return reply
